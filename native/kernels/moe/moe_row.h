// moe_row.h: the inner loops of moe.h, for the instruction set of the including file.
#pragma once

#include "kernels/activation/activation_row.h"
#include "kernels/moe/moe.h"

namespace ct::moe {
namespace {

void softmax(float* scores, const float* values, int64_t count, float largest) {
    const Vec shift = broadcast(largest);
    for_lanes(count, [&](int64_t i, int64_t n) { store_lanes(scores + i, exp(load_lanes(values + i, n) - shift), n); });
    const Vec total = broadcast(sum_of(count, [&](int64_t i, int64_t n) { return load_lanes(scores + i, n); }));
    for_lanes(count, [&](int64_t i, int64_t n) { store_lanes(scores + i, load_lanes(scores + i, n) / total, n); });
}

Vec sigmoid_of(Vec x) { return broadcast(1.0f) / (broadcast(1.0f) + exp(broadcast(0.0f) - x)); }

void sigmoid(float* scores, const float* values, int64_t count) {
    for_lanes(count, [&](int64_t i, int64_t n) { store_lanes(scores + i, sigmoid_of(load_lanes(values + i, n)), n); });
}

template <typename T, int Activation>
void activate_row(void* out, const Gate& gate, int64_t cols) {
    const auto value = [](const float* sums, const float* bias, int64_t i, int64_t n) {
        const Vec sum = load_lanes(sums + i, n);
        return bias ? sum + load_lanes(bias + i, n) : sum;
    };
    for_lanes(cols, [&](int64_t i, int64_t n) {
        Vec g = value(gate.gate, gate.gate_bias, i, n);
        Vec u = value(gate.up, gate.up_bias, i, n);
        if constexpr (Activation == CT_MOE_SILU_CLAMPED) {
            // min and max give their second operand where one is NaN.
            const Vec limit = broadcast(gate.limit);
            g = min(limit, g);
            u = max(broadcast(-gate.limit), min(limit, u));
            g = g / (broadcast(1.0f) + exp(broadcast(0.0f) - broadcast(gate.alpha) * g)) * (u + broadcast(1.0f));
        } else {
            g = ct::activate<Activation == CT_MOE_SILU ? CT_SILU : CT_GELU_TANH>(g) * u;
        }
        store_lanes(static_cast<T*>(out) + i, g, n);
    });
}

template <typename Out, typename Y, typename Shared>
void combine_row(const CombineRow& row, int64_t cols) {
    const auto* y = reinterpret_cast<const Y*>(row.y);
    for_lanes(cols, [&](int64_t i, int64_t n) {
        Vec sum = broadcast(0.0f);
        for (int32_t slot = 0; slot < row.top_k; ++slot) {
            if (static_cast<uint32_t>(row.ids[slot]) >= static_cast<uint32_t>(row.num_experts)) continue;
            if (row.present && row.present[row.ids[slot]] == 0) continue;
            sum = fma(broadcast(row.weights[slot]), load_lanes(y + slot * row.y_stride + i, n), sum);
        }
        if (row.shared) {
            sum = fma(broadcast(row.shared_factor), load_lanes(static_cast<const Shared*>(row.shared) + i, n), sum);
        }
        store_lanes(static_cast<Out*>(row.out) + i, sum, n);
    });
}

#define CT_MOE_ACTIVATIONS(T) \
    {activate_row<T, CT_MOE_SILU>, activate_row<T, CT_MOE_GELU_TANH>, activate_row<T, CT_MOE_SILU_CLAMPED>}
#define CT_MOE_COMBINES(Out, Y) {combine_row<Out, Y, float>, combine_row<Out, Y, bf16>}
#define CT_MOE_FUNCTIONS                                                           \
    {                                                                              \
        softmax, sigmoid, {CT_MOE_ACTIVATIONS(float), CT_MOE_ACTIVATIONS(bf16)}, { \
            {CT_MOE_COMBINES(float, float), CT_MOE_COMBINES(float, bf16)}, {       \
                CT_MOE_COMBINES(bf16, float), CT_MOE_COMBINES(bf16, bf16)          \
            }                                                                      \
        }                                                                          \
    }

}  // namespace
}  // namespace ct::moe
