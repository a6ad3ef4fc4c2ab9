// rope_avx512.cpp: norm and rotation of a head compiled for avx512.
#include "kernels/rope/rope_head.h"

namespace ct {

constinit const RopeHeads kRopeAvx512{rope_head<float, float>, rope_head<bf16, float>, rope_head<float, bf16>,
                                      rope_head<bf16, bf16>};

}  // namespace ct
