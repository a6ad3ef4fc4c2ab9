// linear_mma.cuh: the parts of the tensor-core kernels of y = x W^T, which linear_mma.cu and the experts' products
// (kernels/moe/experts_mma.cu) are made of. linear_mma.cu tells the whole story.
#pragma once

#include "kernels/linear/linear_gpu.h"

namespace gpu::gemm {
namespace {

// ---- staging -------------------------------------------------------------------------------------------------------

constexpr int kUnit = 8;  // bf16 of 16 bytes
constexpr int kRowUnits = static_cast<int>(kStepK) / kUnit;
constexpr int kRowBytes = kRowUnits * 16;
constexpr int kMmaK = 16;
constexpr int kMmaSteps = static_cast<int>(kStepK) / kMmaK;

// ROWS rows of 64 columns on their way to shared memory, by THREADS threads that each copy one unit of every
// THREADS / 8th row.
template <int ROWS, int THREADS>
struct Staging {
    static constexpr int kPasses = ROWS * kRowUnits / THREADS;
    static constexpr int kApart = THREADS / kRowUnits;  // a multiple of 4; the swizzle follows each row
    const bf16* from;                                   // the thread's unit of its first row, first column
    int stride;
    int rows;  // that there are, from the thread's first on; 0 or less: none
    int cols;  // that there are, from the thread's unit on
    int row, unit;

    __device__ __forceinline__ Staging(const void* matrix, int64_t first_row, int64_t row_stride, int64_t num_rows,
                                       int64_t num_cols, int thread)
        : stride(static_cast<int>(row_stride)), row(thread / kRowUnits), unit(thread % kRowUnits) {
        from = static_cast<const bf16*>(matrix) + (first_row + row) * row_stride + unit * kUnit;
        const int64_t left = num_rows - first_row - row;
        rows = static_cast<int>(left < ROWS ? left : ROWS);
        cols = static_cast<int>(num_cols) - unit * kUnit;
    }

    __device__ __forceinline__ void copy(unsigned char* to, int k) const {
#pragma unroll
        for (int i = 0; i < kPasses; ++i) {
            const int r = row + i * kApart;
            copy_async16_or_zero(to + r * kRowBytes + (unit ^ (r % 8)) * 16, from + (int64_t{i * kApart} * stride + k),
                                 i * kApart < rows && k < cols);
        }
    }
};

// A lane's address for ldmatrix: row `row` (8 more of which lie below each other), unit 0 or 1 of the mma's columns.
struct Fragment {
    int offset;

    __device__ __forceinline__ Fragment(int row, int unit) : offset(row * kRowBytes + (unit ^ (row % 8)) * 16) {}
    // Step `mma` of the 64 columns; rows_below a multiple of 8.
    __device__ __forceinline__ const unsigned char* at(const unsigned char* tile, int rows_below, int mma) const {
        return tile + rows_below * kRowBytes + (offset ^ (mma * 2 * 16));
    }
};
// 16 x 16 of the first operand.
__device__ __forceinline__ Fragment first_operand() { return {lane() % 16, lane() / 16}; }
// 8 columns of the second, or two times 8.
__device__ __forceinline__ Fragment second_operand() { return {lane() % 8 + lane() / 16 * 8, lane() / 8 % 2}; }

// ---- up to 16 rows -------------------------------------------------------------------------------------------------

constexpr int kRowsMost = 16;

// XT times 8 rows of x, WT times 16 rows of W.
template <int XT, int WT, int STAGES>
struct RowsShared {
    static constexpr int kCols = WT * 16;  // of y
    static constexpr int kRows = XT * 8;
    struct Warp {
        unsigned char w[STAGES][kCols * kRowBytes];
        unsigned char x[STAGES][kRows * kRowBytes];
        // After the last step: the range's sums [kRows][kCols].
        __device__ __forceinline__ float* sums() { return reinterpret_cast<float*>(w[0]); }
    };
    static_assert(sizeof(float) * kRows * kCols <= kCols * kRowBytes, "the sums fit into a stage of W");
    alignas(1024) Warp warps[1];  // one a range
};

template <int XT, int WT>
struct RowsSums {
    float d[XT][WT][4];

    __device__ __forceinline__ void multiply(const unsigned char* x, const unsigned char* w) {
        const Fragment w_fragment = first_operand();
        const Fragment x_fragment = XT == 2 ? second_operand() : Fragment(lane() % 8, lane() / 8 % 2);
#pragma unroll
        for (int mma = 0; mma < kMmaSteps; ++mma) {
            uint32_t b[XT][2];
            if constexpr (XT == 2) {
                uint32_t both[4];
                load_matrix_x4(both, x_fragment.at(x, 0, mma));
                b[0][0] = both[0];
                b[0][1] = both[1];
                b[1][0] = both[2];
                b[1][1] = both[3];
            } else {
                load_matrix_x2(b[0], x_fragment.at(x, 0, mma));
            }
#pragma unroll
            for (int j = 0; j < WT; ++j) {
                uint32_t a[4];
                load_matrix_x4(a, w_fragment.at(w, j * 16, mma));
#pragma unroll
                for (int i = 0; i < XT; ++i) mma_bf16(d[i][j], a, b[i]);
            }
        }
    }

    // As [XT * 8][WT * 16]; the mma has rows of W down and rows of x across.
    __device__ __forceinline__ void store(float* to) const {
        constexpr int kCols = WT * 16;
#pragma unroll
        for (int i = 0; i < XT; ++i) {
#pragma unroll
            for (int j = 0; j < WT; ++j) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const int row = i * 8 + lane() % 4 * 2 + e % 2;
                    const int col = j * 16 + lane() / 4 + e / 2 * 8;
                    to[row * kCols + col] = d[i][j][e];
                }
            }
        }
    }
};

constexpr int kMostRanges = 8;

// Enough ranges that the copies of linear_mma_rows keep an H200's memory busy, each of at least 256 columns.
int32_t wanted_ranges(int64_t n, int64_t k) {
    int32_t ranges = 1;
    while (ranges < kMostRanges && n * ranges < 5120 && k >= 512 * ranges) ranges *= 2;
    return ranges;
}

// ---- tiles ---------------------------------------------------------------------------------------------------------

// ROWS x COLS of y in a block of WARPS_M x WARPS_N warps. CUT: more than one range, so that sums have a total beside
// them.
template <int ROWS, int COLS, int WARPS_M, int WARPS_N, int STAGES, bool CUT>
struct Tile {
    static constexpr int kRows = ROWS, kCols = COLS, kWarpsM = WARPS_M, kStages = STAGES;
    static constexpr int kThreads = WARPS_M * WARPS_N * kWarp;
    static constexpr int kWarpRows = ROWS / WARPS_M, kWarpCols = COLS / WARPS_N;
    static constexpr bool kCut = CUT;
    struct Shared {
        alignas(1024) unsigned char x[STAGES][ROWS * kRowBytes];
        alignas(1024) unsigned char w[STAGES][COLS * kRowBytes];
    };
};
using LargeTile = Tile<128, 128, 2, 2, 3, false>;
using LargeCutTile = Tile<128, 128, 2, 4, 3, true>;
using SmallTile = Tile<64, 64, 2, 2, 6, true>;

// What a warp holds of its part of the tile.
template <typename T>
struct WarpTile {
    static constexpr int kM = T::kWarpRows / 16;
    static constexpr int kN = T::kWarpCols / 8;
    int row0, col0;  // of the warp in the tile
    float sums[kM][kN][4] = {};
    float totals[T::kCut ? kM : 1][T::kCut ? kN : 1][4] = {};
    uint32_t a[2][kM][4];  // of two mma steps in turn
    uint32_t b[2][kN][2];

    __device__ __forceinline__ WarpTile()
        : row0(warp() % T::kWarpsM * T::kWarpRows), col0(warp() / T::kWarpsM * T::kWarpCols) {}

    __device__ __forceinline__ void load(const unsigned char* x, const unsigned char* w, int mma) {
        const Fragment x_fragment = first_operand();
        const Fragment w_fragment = second_operand();
#pragma unroll
        for (int i = 0; i < kM; ++i) load_matrix_x4(a[mma % 2][i], x_fragment.at(x, row0 + i * 16, mma));
#pragma unroll
        for (int j = 0; j < kN; j += 2) {
            uint32_t both[4];
            load_matrix_x4(both, w_fragment.at(w, col0 + j * 8, mma));
            b[mma % 2][j][0] = both[0];
            b[mma % 2][j][1] = both[1];
            b[mma % 2][j + 1][0] = both[2];
            b[mma % 2][j + 1][1] = both[3];
        }
    }

    __device__ __forceinline__ void multiply(int mma) {
#pragma unroll
        for (int i = 0; i < kM; ++i) {
#pragma unroll
            for (int j = 0; j < kN; ++j) mma_bf16(sums[i][j], a[mma % 2][i], b[mma % 2][j]);
        }
    }

    __device__ __forceinline__ void end_range() {
        if constexpr (T::kCut) {
#pragma unroll
            for (int i = 0; i < kM; ++i) {
#pragma unroll
                for (int j = 0; j < kN; ++j) {
#pragma unroll
                    for (int e = 0; e < 4; ++e) {
                        totals[i][j][e] += sums[i][j][e];
                        sums[i][j][e] = 0;
                    }
                }
            }
        }
    }

    // 0 + the sum where there is one range, as the other kernels have it: the sum -0 becomes 0.
    __device__ __forceinline__ float total(int i, int j, int e) const {
        if constexpr (T::kCut) {
            return totals[i][j][e];
        } else {
            return 0.0f + sums[i][j][e];
        }
    }
};

}  // namespace
}  // namespace gpu::gemm
