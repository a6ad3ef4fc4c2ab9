// sampling_avx2.cpp: the passes over the vocabulary compiled for avx2.
#include "kernels/sampling/sampling_passes.h"

namespace ct {

constinit const SamplingPasses kSamplingAvx2 = kPasses;

}  // namespace ct
