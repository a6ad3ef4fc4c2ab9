// activation_scalar.cpp: activation-and-multiply compiled for scalar.
#include "kernels/activation/activation_row.h"

namespace ct {

constinit const ActivationRows kActivationScalar{{activation_row<float, CT_SILU>, activation_row<float, CT_GELU_TANH>},
                                                 {activation_row<bf16, CT_SILU>, activation_row<bf16, CT_GELU_TANH>}};

}  // namespace ct
