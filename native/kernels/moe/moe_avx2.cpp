// moe_avx2.cpp: the inner loops of moe.h compiled for avx2.
#include "kernels/moe/moe_row.h"

namespace ct::moe {

constinit const Functions kAvx2 = CT_MOE_FUNCTIONS;

}  // namespace ct::moe
