// linear_gpu.h: what the two families of GPU kernels for y = x W^T + bias share. linear.cu tells the whole story.
#pragma once

#include <type_traits>

#include "gpu/gpu.h"

namespace gpu::gemm {

// K cut into contiguous ranges, all but the last of `length` columns, a multiple of kStepK. Each range is a sum of its
// own, from zero in order of k; the ranges' sums are added in order. A function of the matrix alone: whatever kernel
// computes a row, and with whatever neighbours, the order is the same.
struct Ranges {
    int64_t length;
    int32_t count;
};

// Columns of W are zero up to a multiple of this, and every kernel goes through all of those (x counts as zero there).
inline constexpr int64_t kStepK = ct::kWeightsPadding;

inline Ranges cut(int64_t k, int32_t wanted) {
    const int64_t length = ceil_div(ceil_div(k, int64_t{wanted}), kStepK) * kStepK;
    return {length, static_cast<int32_t>(ceil_div(k, length))};
}

// Ranges of linear_fma.cu's kernels; linear_mma.cuh tells those of the tensor cores'.
inline constexpr int kFmaRanges = 4;

struct Arguments {
    ct::LinearArgs a;  // of one head
    Ranges ranges;
    bool wide_x;  // every row of x begins at a multiple of 16 bytes
    bool wide_y;  // pairs of y's columns, the first of which is even, are aligned to their size
};

struct HeadArguments : Arguments {
    int64_t y_head_stride, x_head_stride;
    int32_t num_heads;
};

// What a kernel takes: heads have a struct of their own, for what ct_linear's does not need costs its kernels registers.
template <bool HEADS>
using ArgumentsOf = std::conditional_t<HEADS, HeadArguments, Arguments>;

inline bool aligned(const void* at, int64_t row_bytes, int64_t alignment) {
    return reinterpret_cast<uintptr_t>(at) % alignment == 0 && row_bytes % alignment == 0;
}

inline HeadArguments arguments(const ct::LinearHeadsArgs& h, Ranges ranges) {
    const ct::LinearArgs& a = h.a;
    const int64_t x_bytes = ct::dtype_bytes(a.x_dtype), y_bytes = ct::dtype_bytes(a.y_dtype);
    return {{a, ranges, aligned(a.x, a.x_stride * x_bytes, 16) && h.x_head_stride * x_bytes % 16 == 0,
             aligned(a.y, a.y_stride * y_bytes, 2 * y_bytes) && h.y_head_stride % 2 == 0},
            h.y_head_stride,
            h.x_head_stride,
            h.num_heads};
}

// ct_linear: one head.
inline ct::LinearHeadsArgs one_head(const ct::LinearArgs& a) { return {a, 0, 0, 1}; }

// What a block multiplies: with HEADS those of head blockIdx.z, else all there is.
struct Matrices {
    const void* x;
    const void* w;
    // Rows of w that there are, from the first on. Without HEADS its padding makes all rows of a tile valid.
    int64_t w_rows;
};

template <typename Byte>
__device__ __forceinline__ Byte* of_head(Byte* first, int64_t head_stride, int32_t dtype) {
    return first + blockIdx.z * head_stride * (dtype == CT_F32 ? 4 : 2);
}

template <bool HEADS>
__device__ __forceinline__ Matrices matrices(const ArgumentsOf<HEADS>& p) {
    if constexpr (HEADS) {
        return {of_head(static_cast<const unsigned char*>(p.a.x), p.x_head_stride, p.a.x_dtype),
                of_head(static_cast<const unsigned char*>(p.a.w), p.a.n * p.a.w_stride, p.a.w_dtype), p.a.n};
    } else {
        return {p.a.x, p.a.w, ceil_div(p.a.n, ct::kWeightsPadding) * ct::kWeightsPadding};
    }
}

// Where the block's y begins; asked for when the products are done, so that no register holds it until then.
template <bool HEADS>
__device__ __forceinline__ void* results(const ArgumentsOf<HEADS>& p) {
    if constexpr (HEADS) {
        return of_head(static_cast<unsigned char*>(p.a.y), p.y_head_stride, p.a.y_dtype);
    } else {
        return p.a.y;
    }
}

__device__ __forceinline__ int64_t range_begin(const Arguments& p, int range) { return range * p.ranges.length; }

// Steps of kStepK columns; the last range's may end in zeros.
__device__ __forceinline__ int64_t range_steps(const Arguments& p, int range) {
    const int64_t begin = range_begin(p, range);
    const int64_t left = p.a.k - begin < p.ranges.length ? p.a.k - begin : p.ranges.length;
    return (left + kStepK - 1) / kStepK;
}

__device__ __forceinline__ float bias_of(const Arguments& p, int64_t col) { return p.a.bias ? p.a.bias[col] : 0.0f; }

template <bool HEADS>
__device__ __forceinline__ void store(const ArgumentsOf<HEADS>& p, int64_t row, int64_t col, float sum) {
    const int64_t at = row * p.a.y_stride + col;
    const float value = sum + bias_of(p, col);
    if (p.a.y_dtype == CT_F32) {
        static_cast<float*>(results<HEADS>(p))[at] = value;
    } else {
        static_cast<bf16*>(results<HEADS>(p))[at] = from_float<bf16>(value);
    }
}

// Chooses a tile of y from a grid of one dimension: within 16 tiles of rows the rows come first, so that the blocks
// that run at the same time share both their x and their W in the L2 cache.
struct TilePlace {
    int64_t row, col;
};
__device__ __forceinline__ TilePlace tile_place(int64_t tile, int64_t tiles_m, int64_t tiles_n) {
    constexpr int64_t kGroup = 16;
    const int64_t group = tile / (kGroup * tiles_n);
    const int64_t first = group * kGroup;
    const int64_t height = tiles_m - first < kGroup ? tiles_m - first : kGroup;
    const int64_t within = tile - first * tiles_n;
    return {first + within % height, within / height};
}

// linear_fma.cu: any dtypes, any alignment.
int32_t launch_fma(const LaunchContext& context, const ct::LinearArgs& args);
int32_t launch_fma(const LaunchContext& context, const ct::LinearHeadsArgs& args);

// linear_mma.cu: bf16 x and W, where fits_mma.
bool fits_mma(const ct::LinearArgs& args);
bool fits_mma(const ct::LinearHeadsArgs& args);
int32_t launch_mma(const LaunchContext& context, const ct::LinearArgs& args);
int32_t launch_mma(const LaunchContext& context, const ct::LinearHeadsArgs& args);

}  // namespace gpu::gemm
