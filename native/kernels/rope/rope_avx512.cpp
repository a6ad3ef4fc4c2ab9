// rope_avx512.cpp: norm and rotation of a head compiled for avx512.
#include "kernels/rope/rope_head.h"

namespace ct {

constinit const RopeHeads kRopeAvx512{kHeadsFrom<float>, kHeadsFrom<bf16>};

}  // namespace ct
