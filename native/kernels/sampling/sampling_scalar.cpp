// sampling_scalar.cpp: the passes over the vocabulary compiled for scalar.
#include "kernels/sampling/sampling_passes.h"

namespace ct {

constinit const SamplingPasses kSamplingScalar = kPasses;

}  // namespace ct
