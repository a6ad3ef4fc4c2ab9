// activation_avx512.cpp: activation-and-multiply compiled for avx512.
#include "kernels/activation/activation_row.h"

namespace ct {

constinit const ActivationRows kActivationAvx512{{activation_row<float, CT_SILU>, activation_row<float, CT_GELU_TANH>},
                                                 {activation_row<bf16, CT_SILU>, activation_row<bf16, CT_GELU_TANH>}};

}  // namespace ct
