// sampling_scalar.cpp: the passes over the vocabulary compiled for scalar.
#include "kernels/sampling/sampling_passes.h"

namespace ct {

constinit const SamplingPasses kSamplingScalar{chunk_maxima, weigh, sum_kept, between, rank};

}  // namespace ct
