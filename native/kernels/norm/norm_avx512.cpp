// norm_avx512.cpp: the norms of a row compiled for avx512.
#include "kernels/norm/norm_row.h"

namespace ct {

constinit const NormRows kNormAvx512{norm_row<float>, norm_row<bf16>};

}  // namespace ct
