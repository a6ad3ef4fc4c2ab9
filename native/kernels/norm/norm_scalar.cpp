// norm_scalar.cpp: the norms of a row compiled for scalar.
#include "kernels/norm/norm_row.h"

namespace ct {

constinit const NormRows kNormScalar{norm_row<float>, norm_row<bf16>};

}  // namespace ct
