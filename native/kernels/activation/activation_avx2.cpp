// activation_avx2.cpp: activation-and-multiply compiled for avx2.
#include "kernels/activation/activation_row.h"

namespace ct {

constinit const ActivationRows kActivationAvx2{{activation_row<float, CT_SILU>, activation_row<float, CT_GELU_TANH>},
                                               {activation_row<bf16, CT_SILU>, activation_row<bf16, CT_GELU_TANH>}};

}  // namespace ct
