// rope_avx2.cpp: norm and rotation of a head compiled for avx2.
#include "kernels/rope/rope_head.h"

namespace ct {

constinit const RopeHeads kRopeAvx2{rope_head<float, float>, rope_head<bf16, float>, rope_head<float, bf16>,
                                    rope_head<bf16, bf16>};

}  // namespace ct
