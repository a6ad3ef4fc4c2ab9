// sampling_avx512.cpp: the passes over the vocabulary compiled for avx512.
#include "kernels/sampling/sampling_passes.h"

namespace ct {

constinit const SamplingPasses kSamplingAvx512 = kPasses;

}  // namespace ct
