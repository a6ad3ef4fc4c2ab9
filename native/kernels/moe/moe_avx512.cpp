// moe_avx512.cpp: the inner loops of moe.h compiled for avx512.
#include "kernels/moe/moe_row.h"

namespace ct::moe {

constinit const Functions kAvx512 = CT_MOE_FUNCTIONS;

}  // namespace ct::moe
