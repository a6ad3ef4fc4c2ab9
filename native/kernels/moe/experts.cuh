// experts.cuh: what the two families of kernels for the experts' products share. experts.cu tells the whole story.
#pragma once

#include "kernels/activation/activation.cuh"
#include "kernels/linear/gpu_codes.h"
#include "kernels/linear/linear_gpu.h"
#include "kernels/moe/moe_gpu.h"

namespace gpu::moe {

// One of the two products, for all experts. The first has two matrices, gate and up, and gathers rows of x; the second has
// down, and scatters rows of y.
struct Product {
    void* y;
    const void* x;
    const int32_t* plan;
    const ct::ExpertMatrices* experts;
    const float* bias;     // nullable, as up_bias
    const float* up_bias;  // of the first product
    int64_t num_slots, n, k, x_stride, w_stride, y_stride;
    gemm::Ranges ranges;
    int32_t num_experts, top_k, height, activation;
    int32_t y_dtype, x_dtype;
    ct::ExpertFormat w, up;  // of the second product w alone
    float alpha, limit;

    // Of matrices whose codes are kept.
    __device__ __forceinline__ ct::linear::GpuCodes codes(ct::ExpertFormat stored) const {
        return {n, k, stored.format, stored.group_shift};
    }
};

inline Product first_product(const ct::MoeExpertsArgs& a, int32_t wanted_ranges) {
    return {a.workspace,
            a.x,
            a.plan,
            a.experts,
            a.gate_bias,
            a.up_bias,
            a.p.num_tokens * a.p.top_k,
            a.inner,
            a.hidden,
            a.p.x_stride,
            a.hidden_stride,
            a.inner,
            gemm::cut(a.hidden, wanted_ranges),
            a.num_experts,
            a.p.top_k,
            tile_height(a.p.num_tokens, a.p.top_k, a.num_experts),
            a.p.activation,
            a.p.x_dtype,
            a.p.x_dtype,
            a.gate,
            a.up,
            a.p.alpha,
            a.p.limit};
}

inline Product second_product(const ct::MoeExpertsArgs& a, int32_t wanted_ranges) {
    Product p = first_product(a, 1);
    p.y = a.y;
    p.x = a.workspace;
    p.bias = a.down_bias;
    p.up_bias = nullptr;
    p.n = a.hidden;
    p.k = a.inner;
    p.x_stride = a.inner;
    p.w_stride = a.inner_stride;
    p.y_stride = a.p.y_stride;
    p.ranges = gemm::cut(a.inner, wanted_ranges);
    p.y_dtype = a.p.y_dtype;
    p.w = a.down;
    return p;
}

inline LaunchShape shape_of(const Product& p, int64_t num_tokens, int64_t cols, int32_t threads, int64_t shared_bytes) {
    LaunchShape shape;
    shape.blocks_x = most_tiles(num_tokens, p.top_k, p.num_experts) * ((p.n + cols - 1) / cols);
    shape.threads = threads;
    shape.shared_bytes = shared_bytes;
    return shape;
}

// A block's tile of the plan: rows [first, first + rows) of one expert. rows is 0 where there is nothing to do: beyond the
// last tile, or the expert is not on this device. COLS columns of y a block; those of one tile follow each other, so that
// the blocks that run at the same time share rows of x.
struct Place {
    PlanView plan;
    int64_t col0;
    int32_t expert, first, rows;

    __device__ __forceinline__ Place(const Product& p, int cols) : plan(p.plan, p.num_experts, p.num_slots), rows(0) {
        const int64_t across = ceil_div(p.n, int64_t{cols});
        const int64_t tile = blockIdx.x / across;
        col0 = blockIdx.x % across * cols;
        if (tile >= *plan.num_tiles) return;
        expert = plan.tiles[tile].expert;
        first = plan.tiles[tile].first;
        const int32_t left = plan.offsets[expert + 1] - first;
        if (p.experts[expert].gate) rows = left < p.height ? left : p.height;
    }
    __device__ __forceinline__ int32_t slot(int row) const { return plan.slots[first + row]; }
};

// The row of x that row `row` of the tile takes.
template <bool GATED>
__device__ __forceinline__ int64_t x_row(const Product& p, const Place& place, int row) {
    if constexpr (GATED) return place.slot(row) / p.top_k;
    return place.first + row;
}

__device__ __forceinline__ float gated(const Product& p, float gate, float up) {
    if (p.activation == CT_MOE_SILU) return activate<CT_SILU>(gate) * up;
    if (p.activation == CT_MOE_GELU_TANH) return activate<CT_GELU_TANH>(gate) * up;
    // A comparison with NaN is false: NaN stays.
    const float g = gate > p.limit ? p.limit : gate;
    const float u = up > p.limit ? p.limit : up < -p.limit ? -p.limit : up;
    return g / (1.0f + exp(-(p.alpha * g))) * (u + 1.0f);
}

__device__ __forceinline__ float with_bias(float sum, const float* bias, const Product& p, const Place& place,
                                           int64_t col) {
    return sum + (bias ? bias[place.expert * p.n + col] : 0.0f);
}

// Column col of row `row` of the tile: sums of gate and up, or of down (second is nothing then).
template <bool GATED>
__device__ __forceinline__ void store(const Product& p, const Place& place, int row, int64_t col, float sum,
                                      float second) {
    float value = with_bias(sum, p.bias, p, place, col);
    if constexpr (GATED) value = gated(p, value, with_bias(second, p.up_bias, p, place, col));
    const int64_t y_row = GATED ? place.first + row : place.slot(row);
    const int64_t at = y_row * p.y_stride + col;
    if (p.y_dtype == CT_F32) {
        static_cast<float*>(p.y)[at] = value;
    } else {
        static_cast<bf16*>(p.y)[at] = from_float<bf16>(value);
    }
}

// experts_mma.cu: each product where ct_linear takes the tensor cores for it; experts_codes.cu: the same where the codes
// of W are kept; experts_fma.cu: all else.
int32_t launch_first_mma(const LaunchContext& context, const ct::MoeExpertsArgs& args);
int32_t launch_second_mma(const LaunchContext& context, const ct::MoeExpertsArgs& args);
int32_t launch_first_codes(const LaunchContext& context, const ct::MoeExpertsArgs& args);
int32_t launch_second_codes(const LaunchContext& context, const ct::MoeExpertsArgs& args);
int32_t launch_first_fma(const LaunchContext& context, const ct::MoeExpertsArgs& args);
int32_t launch_second_fma(const LaunchContext& context, const ct::MoeExpertsArgs& args);

}  // namespace gpu::moe
