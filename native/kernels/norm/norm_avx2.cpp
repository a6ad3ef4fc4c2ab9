// norm_avx2.cpp: the norms of a row compiled for avx2.
#include "kernels/norm/norm_row.h"

namespace ct {

constinit const NormRows kNormAvx2{norm_row<float>, norm_row<bf16>};

}  // namespace ct
