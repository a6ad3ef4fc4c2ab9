// linear_gpu.h: what the two families of GPU kernels for y = x W^T + bias share. linear.cu tells the whole story.
#pragma once

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
    ct::LinearArgs a;
    Ranges ranges;
    bool wide_x;  // every row of x begins at a multiple of 16 bytes
    bool wide_y;  // pairs of y's columns, the first of which is even, are aligned to their size
};

inline bool aligned(const void* at, int64_t row_bytes, int64_t alignment) {
    return reinterpret_cast<uintptr_t>(at) % alignment == 0 && row_bytes % alignment == 0;
}

inline Arguments arguments(const ct::LinearArgs& a, Ranges ranges) {
    const int64_t y_bytes = ct::dtype_bytes(a.y_dtype);
    return {a, ranges, aligned(a.x, a.x_stride * ct::dtype_bytes(a.x_dtype), 16),
            aligned(a.y, a.y_stride * y_bytes, 2 * y_bytes)};
}

__device__ __forceinline__ int64_t range_begin(const Arguments& p, int range) { return range * p.ranges.length; }

// Steps of kStepK columns; the last range's may end in zeros.
__device__ __forceinline__ int64_t range_steps(const Arguments& p, int range) {
    const int64_t begin = range_begin(p, range);
    const int64_t left = p.a.k - begin < p.ranges.length ? p.a.k - begin : p.ranges.length;
    return (left + kStepK - 1) / kStepK;
}

__device__ __forceinline__ float bias_of(const Arguments& p, int64_t col) { return p.a.bias ? p.a.bias[col] : 0.0f; }

__device__ __forceinline__ void store(const Arguments& p, int64_t row, int64_t col, float sum) {
    const int64_t at = row * p.a.y_stride + col;
    const float value = sum + bias_of(p, col);
    if (p.a.y_dtype == CT_F32) {
        static_cast<float*>(p.a.y)[at] = value;
    } else {
        static_cast<bf16*>(p.a.y)[at] = from_float<bf16>(value);
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

// linear_mma.cu: bf16 x and W, where fits_mma.
bool fits_mma(const ct::LinearArgs& args);
int32_t launch_mma(const LaunchContext& context, const ct::LinearArgs& args);

}  // namespace gpu::gemm
