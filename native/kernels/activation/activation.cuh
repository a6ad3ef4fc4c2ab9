// activation.cuh: the functions between gate and up on GPUs.
#pragma once

#include "gpu/gpu.h"

namespace gpu {

// x * sigmoid(slope(x) * x): SiLU has slope 1; the tanh form of GELU is the same with 2 sqrt(2 / pi) (1 + 0.044715
// x^2), because 0.5 (1 + tanh u) = sigmoid(2 u).
template <int kActivation>
__device__ __forceinline__ float activate(float x) {
    float u = x;
    if constexpr (kActivation == CT_GELU_TANH) {
        constexpr float kTwoRootTwoOverPi = 1.5957691216f;
        u = x * fma(x * x, kTwoRootTwoOverPi * 0.044715f, kTwoRootTwoOverPi);
    }
    return x / (1.0f + exp(-u));
}

}  // namespace gpu
