// rope_scalar.cpp: norm and rotation of a head compiled for scalar.
#include "kernels/rope/rope_head.h"

namespace ct {

constinit const RopeHeads kRopeScalar{kHeadsFrom<float>, kHeadsFrom<bf16>};

}  // namespace ct
