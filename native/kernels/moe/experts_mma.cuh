// experts_mma.cuh: what the tensor-core kernels of the experts' products (experts_mma.cu, experts_codes.cu) share.
#pragma once

#include "kernels/linear/linear_mma.cuh"
#include "kernels/moe/experts.cuh"

namespace gpu::moe {
namespace {

using gemm::kRowBytes;
using gemm::kRowUnits;
using gemm::kUnit;

// As gemm::Staging, of rows that each have an address; null: zeros.
template <int ROWS, int THREADS>
struct RowStaging {
    static constexpr int kPasses = ROWS * kRowUnits / THREADS;
    static constexpr int kApart = THREADS / kRowUnits;
    const bf16* from[kPasses];  // the thread's unit of each of its rows, first column
    int cols;                   // that there are, from the thread's unit on
    int row, unit;

    template <typename RowOf>
    __device__ __forceinline__ RowStaging(int64_t num_cols, int thread, const RowOf& row_of)
        : row(thread / kRowUnits), unit(thread % kRowUnits) {
        cols = static_cast<int>(num_cols) - unit * kUnit;
#pragma unroll
        for (int i = 0; i < kPasses; ++i) {
            const bf16* at = row_of(row + i * kApart);
            from[i] = at ? at + unit * kUnit : nullptr;
        }
    }

    __device__ __forceinline__ void copy(unsigned char* to, int64_t k) const {
#pragma unroll
        for (int i = 0; i < kPasses; ++i) {
            const int r = row + i * kApart;
            const bool valid = from[i] && k < cols;
            copy_async16_or_zero(to + r * kRowBytes + (unit ^ (r % 8)) * 16, valid ? from[i] + k : nullptr, valid);
        }
    }
};

// Row `row` of the tile's x; null: there is none.
template <bool GATED>
__device__ __forceinline__ const bf16* x_address(const Product& p, const Place& place, int row) {
    if (row >= place.rows) return nullptr;
    return static_cast<const bf16*>(p.x) + x_row<GATED>(p, place, row) * p.x_stride;
}

}  // namespace
}  // namespace gpu::moe
