// moe_scalar.cpp: the inner loops of moe.h compiled for scalar.
#include "kernels/moe/moe_row.h"

namespace ct::moe {

constinit const Functions kScalar = CT_MOE_FUNCTIONS;

}  // namespace ct::moe
