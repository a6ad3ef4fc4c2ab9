// linear_mma.cu: y = x W^T + bias with bf16 x and W on the tensor cores (mma.m16n8k16), sums in float32. Rows of x begin
// at multiples of 16 bytes and K % 8 == 0; linear_fma.cu takes the rest.
//
// Both kernels stage 64 columns of x and W (rows of 128 bytes) in shared memory by asynchronous copies, several steps
// ahead. 16-byte unit u of row r lies at unit u ^ (r % 8): ldmatrix reads eight rows without meeting a bank twice.
// Nothing of x beyond its rows and K is read; zeros take its place.
//
// The order of sums (linear_gpu.h: Ranges) is the same in both: a range is one chain of mma steps of 16 columns from
// zero, and ranges are added in order in float32. A product does not change when its factors change places, so that
// the kernel that swaps x and W agrees with the one that does not (linear_gpu_test asks every device whether it does).
//
//   linear_mma_rows   up to 16 rows. W is the operand with 16 rows, x the one with 8 columns: one or two of them. A warp
//                     computes 16 or 32 columns of y over one range of k by itself, without barriers; the ranges are the
//                     warps of a block, which add up at the end. The copies of W begin before the kernel before ends.
//                     Floor: W's bytes / copy bandwidth. x comes from the L2 cache again for each block (16 rows of x
//                     and 32 columns: half of W's bytes more). An H200 needs 3.4 MB in flight (4.3 TB/s, 0.8 us); a
//                     block has 28 KB a range, all blocks together at least 4.5 MB for N >= 2560. A warp's chain: four
//                     dependent mma a step of 4 KB, about 190 cycles; 160 warps then read 5.9 TB/s. Predicted 0.88 of
//                     copy bandwidth above 50 MB up to 8 rows, 0.85 up to 16.
//   linear_mma_tiles  more rows. Floor: 2 M N K / tensor rate. Per 16 columns a warp of 64 x 64 reads 4 KB of shared
//                     memory for 131 kFLOP, which at an SM's 128 bytes and 2600 FLOP a cycle (mma.sync on Hopper, about
//                     0.65 of wgmma) is two thirds of the mma's time, the copies in another third. Predicted 0.55 of
//                     cuBLASLt where K is one range (N >= 5120, or K < 512). Where it is cut every sum needs a second
//                     register: warps of 64 x 32 read 1.5 times as much a product; predicted 0.45. Tiles of 64 x 64
//                     serve grids that would leave multiprocessors idle; they read W once for each 64 rows. From 17 to
//                     64 rows a grid has N / 64 blocks, too few for N = 4096: predicted 0.45 of copy bandwidth there.
// Not yet run on a GPU.
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

template <int XT, int WT, int STAGES>
__global__ void __launch_bounds__(kMostRanges* kWarp) linear_mma_rows(Arguments p) {
    using Shared = RowsShared<XT, WT, STAGES>;
    auto* warps = shared<Shared>().warps;
    auto& s = warps[warp()];
    const int64_t col0 = int64_t{blockIdx.x} * Shared::kCols;
    const int64_t begin = range_begin(p, warp());
    const int64_t steps = range_steps(p, warp());
    // W's padding makes all of its rows and columns valid.
    const Staging<Shared::kCols, kWarp> w(p.a.w, col0, p.a.w_stride, col0 + Shared::kCols, p.a.w_stride, lane());
    const Staging<Shared::kRows, kWarp> x(p.a.x, 0, p.a.x_stride, p.a.rows, p.a.k, lane());

    for (int i = 0; i < STAGES - 1 && i < steps; ++i) w.copy(s.w[i], begin + i * kStepK);
    wait_for_previous();
    for (int i = 0; i < STAGES - 1; ++i) {
        if (i < steps) x.copy(s.x[i], begin + i * kStepK);
        copy_async_commit();  // the first brings all of W's with it
    }
    launch_next();

    RowsSums<XT, WT> sums = {};
    int slot = 0;
    for (int64_t step = 0; step < steps; ++step) {
        copy_async_wait<STAGES - 2>();
        sync_warp();  // the slot's copies are everybody's, and nobody reads the slot before it any more
        const int64_t ahead = step + STAGES - 1;
        if (ahead < steps) {
            const int free_slot = slot == 0 ? STAGES - 1 : slot - 1;
            w.copy(s.w[free_slot], begin + ahead * kStepK);
            x.copy(s.x[free_slot], begin + ahead * kStepK);
        }
        copy_async_commit();
        sums.multiply(s.x[slot], s.w[slot]);
        slot = slot + 1 == STAGES ? 0 : slot + 1;
    }
    sync_warp();
    sums.store(s.sums());
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < Shared::kRows * Shared::kCols; i += p.ranges.count * kWarp) {
        const int64_t row = i / Shared::kCols;
        const int64_t col = col0 + i % Shared::kCols;
        if (row >= p.a.rows || col >= p.a.n) continue;
        float total = 0;
        for (int range = 0; range < p.ranges.count; ++range) total += warps[range].sums()[i];
        store(p, row, col, total);
    }
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

struct alignas(8) [[gnu::may_alias]] FloatPair {
    float low, high;
};
struct alignas(4) [[gnu::may_alias]] Bf16Pair {
    uint32_t bits;
};

// Columns col (even) and col + 1.
__device__ __forceinline__ void store_pair(const Arguments& p, int64_t row, int64_t col, float low, float high) {
    if (!p.wide_y || col + 1 >= p.a.n) {
        if (col < p.a.n) store(p, row, col, low);
        if (col + 1 < p.a.n) store(p, row, col + 1, high);
        return;
    }
    const int64_t at = row * p.a.y_stride + col;
    low += bias_of(p, col);
    high += bias_of(p, col + 1);
    if (p.a.y_dtype == CT_F32) {
        *reinterpret_cast<FloatPair*>(static_cast<float*>(p.a.y) + at) = {low, high};
    } else {
        *reinterpret_cast<Bf16Pair*>(static_cast<bf16*>(p.a.y) + at) = {pack_bf16(low, high)};
    }
}

template <typename T>
__global__ void __launch_bounds__(T::kThreads) linear_mma_tiles(Arguments p) {
    auto& s = shared<typename T::Shared>();
    const TilePlace place =
        tile_place(blockIdx.x, ceil_div(p.a.rows, int64_t{T::kRows}), ceil_div(p.a.n, int64_t{T::kCols}));
    const int64_t row0 = place.row * T::kRows;
    const int64_t col0 = place.col * T::kCols;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t w_rows = ceil_div(p.a.n, ct::kWeightsPadding) * ct::kWeightsPadding;
    const Staging<T::kRows, T::kThreads> x(p.a.x, row0, p.a.x_stride, p.a.rows, p.a.k, thread);
    const Staging<T::kCols, T::kThreads> w(p.a.w, col0, p.a.w_stride, w_rows, p.a.w_stride, thread);
    const auto steps = static_cast<int>(ceil_div(p.a.k, kStepK));
    const auto range_steps = static_cast<int>(p.ranges.length / kStepK);

    for (int i = 0; i < T::kStages - 1 && i < steps; ++i) w.copy(s.w[i], i * kStepK);
    wait_for_previous();
    for (int i = 0; i < T::kStages - 1; ++i) {
        if (i < steps) x.copy(s.x[i], i * kStepK);
        copy_async_commit();  // the first brings all of W's with it
    }
    launch_next();
    copy_async_wait<T::kStages - 2>();
    __syncthreads();

    WarpTile<T> tile;
    tile.load(s.x[0], s.w[0], 0);
    int slot = 0;
    int range_end = range_steps;
    for (int step = 0; step < steps; ++step) {
        const int next = slot + 1 == T::kStages ? 0 : slot + 1;
#pragma unroll
        for (int mma = 0; mma < kMmaSteps; ++mma) {
            // The fragments of the next mma are read during this one.
            if (mma + 1 < kMmaSteps) {
                tile.load(s.x[slot], s.w[slot], mma + 1);
            } else if (step + 1 < steps) {
                copy_async_wait<T::kStages - 2>();
                __syncthreads();  // the next slot is everybody's, and nobody reads this one any more
                tile.load(s.x[next], s.w[next], 0);
            }
            if (mma == 0) {
                const int ahead = step + T::kStages - 1;
                if (ahead < steps) {
                    const int free_slot = slot == 0 ? T::kStages - 1 : slot - 1;
                    x.copy(s.x[free_slot], ahead * kStepK);
                    w.copy(s.w[free_slot], ahead * kStepK);
                }
                copy_async_commit();
            }
            tile.multiply(mma);
        }
        if (T::kCut && (step + 1 == range_end || step + 1 == steps)) {
            tile.end_range();
            range_end += range_steps;
        }
        slot = next;
    }

#pragma unroll
    for (int i = 0; i < WarpTile<T>::kM; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int64_t row = row0 + tile.row0 + i * 16 + half * 8 + lane() / 4;
            if (row >= p.a.rows) continue;
#pragma unroll
            for (int j = 0; j < WarpTile<T>::kN; ++j) {
                const int64_t col = col0 + tile.col0 + j * 8 + lane() % 4 * 2;
                store_pair(p, row, col, tile.total(i, j, half * 2), tile.total(i, j, half * 2 + 1));
            }
        }
    }
}

// ---- launchers -----------------------------------------------------------------------------------------------------

// Enough ranges that the copies of linear_mma_rows keep an H200's memory busy, each of at least 256 columns.
int32_t wanted_ranges(int64_t n, int64_t k) {
    int32_t ranges = 1;
    while (ranges < kMostRanges && n * ranges < 5120 && k >= 512 * ranges) ranges *= 2;
    return ranges;
}

template <int XT, int WT, int STAGES>
int32_t launch_rows(const LaunchContext& context, const Arguments& p) {
    using Shared = RowsShared<XT, WT, STAGES>;
    LaunchShape shape;
    shape.blocks_x = ceil_div(p.a.n, int64_t{Shared::kCols});
    shape.threads = p.ranges.count * kWarp;
    shape.shared_bytes = p.ranges.count * static_cast<int64_t>(sizeof(Shared));
    return GPU_LAUNCH(context, shape, linear_mma_rows<XT, WT, STAGES>, p);
}

// Wide tiles of W need less of x; narrow ones give more blocks where N is small.
template <int XT>
int32_t launch_rows(const LaunchContext& context, const Arguments& p) {
    if (p.ranges.count <= 2) return launch_rows<XT, 2, 8>(context, p);  // 96 KB at most
    const int64_t deep_bytes = p.ranges.count * static_cast<int64_t>(sizeof(RowsShared<XT, 1, 6>));
    return deep_bytes <= context.limits->max_shared_bytes ? launch_rows<XT, 1, 6>(context, p)
                                                          : launch_rows<XT, 1, 3>(context, p);
}

template <typename T>
int64_t tiles(const Arguments& p) {
    return ceil_div(p.a.rows, int64_t{T::kRows}) * ceil_div(p.a.n, int64_t{T::kCols});
}

template <typename T>
int32_t launch_tiles(const LaunchContext& context, const Arguments& p) {
    LaunchShape shape;
    shape.blocks_x = tiles<T>(p);
    shape.threads = T::kThreads;
    shape.shared_bytes = sizeof(typename T::Shared);
    return GPU_LAUNCH(context, shape, linear_mma_tiles<T>, p);
}

}  // namespace

bool fits_mma(const ct::LinearArgs& a) {
    return a.x_dtype == CT_BF16 && a.w_dtype == CT_BF16 && a.k % kUnit == 0 && a.w_stride <= INT32_MAX &&
           a.x_stride <= INT32_MAX && aligned(a.x, a.x_stride * 2, 16);
}

int32_t launch_mma(const LaunchContext& context, const ct::LinearArgs& args) {
    const Arguments p = arguments(args, cut(args.k, wanted_ranges(args.n, args.k)));
    if (args.rows <= 8) return launch_rows<1>(context, p);
    if (args.rows <= kRowsMost) return launch_rows<2>(context, p);
    // A multiprocessor does about 0.6 as much on small tiles, so large ones may leave some of them idle.
    if (3 * tiles<LargeTile>(p) < 2 * context.limits->num_sms) return launch_tiles<SmallTile>(context, p);
    return p.ranges.count == 1 ? launch_tiles<LargeTile>(context, p) : launch_tiles<LargeCutTile>(context, p);
}

}  // namespace gpu::gemm
