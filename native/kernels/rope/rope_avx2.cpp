// rope_avx2.cpp: norm and rotation of a head compiled for avx2.
#include "kernels/rope/rope_head.h"

namespace ct {

constinit const RopeHeads kRopeAvx2{kHeadsFrom<float>, kHeadsFrom<bf16>};

}  // namespace ct
