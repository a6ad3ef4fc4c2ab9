// activation_row.h: act(gate) * up of a run of columns, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/activation/activation.h"

namespace ct {
namespace {

// x * sigmoid(slope(x) * x): SiLU has slope 1; the tanh form of GELU is the same with 2 sqrt(2 / pi) (1 + 0.044715
// x^2), because 0.5 (1 + tanh u) = sigmoid(2 u).
template <int Activation>
Vec activate(Vec x) {
    Vec u = x;
    if constexpr (Activation == CT_GELU_TANH) {
        constexpr float kTwoRootTwoOverPi = 1.5957691216f;
        u = x * fma(x * x, broadcast(kTwoRootTwoOverPi * 0.044715f), broadcast(kTwoRootTwoOverPi));
    }
    return x / (broadcast(1.0f) + exp(broadcast(0.0f) - u));
}

template <typename T, int Activation>
void activation_row(T* y, const T* gate, const T* up, int64_t cols) {
    for_lanes(cols, [&](int64_t i, int64_t n) {
        store_lanes(y + i, activate<Activation>(load_lanes(gate + i, n)) * load_lanes(up + i, n), n);
    });
}

}  // namespace
}  // namespace ct
