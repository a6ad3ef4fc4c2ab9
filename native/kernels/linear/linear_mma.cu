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
#include "kernels/linear/linear_mma.cuh"

namespace gpu::gemm {

namespace {

// ---- up to 16 rows -------------------------------------------------------------------------------------------------

template <int XT, int WT, int STAGES, bool HEADS>
__global__ void __launch_bounds__(kMostRanges* kWarp) linear_mma_rows(ArgumentsOf<HEADS> p) {
    using Shared = RowsShared<XT, WT, STAGES>;
    auto* warps = shared<Shared>().warps;
    auto& s = warps[warp()];
    const int64_t col0 = int64_t{blockIdx.x} * Shared::kCols;
    const int64_t begin = range_begin(p, warp());
    const int64_t steps = range_steps(p, warp());
    const Matrices m = matrices<HEADS>(p);
    // W's padding makes all of its columns valid.
    const int64_t w_rows = HEADS ? m.w_rows : col0 + Shared::kCols;
    const Staging<Shared::kCols, kWarp> w(m.w, col0, p.a.w_stride, w_rows, p.a.w_stride, lane());
    const Staging<Shared::kRows, kWarp> x(m.x, 0, p.a.x_stride, p.a.rows, p.a.k, lane());

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
        store<HEADS>(p, row, col, total);
    }
}

// ---- tiles ---------------------------------------------------------------------------------------------------------

struct alignas(8) [[gnu::may_alias]] FloatPair {
    float low, high;
};
struct alignas(4) [[gnu::may_alias]] Bf16Pair {
    uint32_t bits;
};

// Columns col (even) and col + 1.
template <bool HEADS>
__device__ __forceinline__ void store_pair(const ArgumentsOf<HEADS>& p, int64_t row, int64_t col, float low,
                                           float high) {
    if (!p.wide_y || col + 1 >= p.a.n) {
        if (col < p.a.n) store<HEADS>(p, row, col, low);
        if (col + 1 < p.a.n) store<HEADS>(p, row, col + 1, high);
        return;
    }
    const int64_t at = row * p.a.y_stride + col;
    low += bias_of(p, col);
    high += bias_of(p, col + 1);
    if (p.a.y_dtype == CT_F32) {
        *reinterpret_cast<FloatPair*>(static_cast<float*>(results<HEADS>(p)) + at) = {low, high};
    } else {
        *reinterpret_cast<Bf16Pair*>(static_cast<bf16*>(results<HEADS>(p)) + at) = {pack_bf16(low, high)};
    }
}

template <typename T, bool HEADS>
__global__ void __launch_bounds__(T::kThreads) linear_mma_tiles(ArgumentsOf<HEADS> p) {
    auto& s = shared<typename T::Shared>();
    const TilePlace place =
        tile_place(blockIdx.x, ceil_div(p.a.rows, int64_t{T::kRows}), ceil_div(p.a.n, int64_t{T::kCols}));
    const int64_t row0 = place.row * T::kRows;
    const int64_t col0 = place.col * T::kCols;
    const int thread = static_cast<int>(threadIdx.x);
    const Matrices m = matrices<HEADS>(p);
    const Staging<T::kRows, T::kThreads> x(m.x, row0, p.a.x_stride, p.a.rows, p.a.k, thread);
    const Staging<T::kCols, T::kThreads> w(m.w, col0, p.a.w_stride, m.w_rows, p.a.w_stride, thread);
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
                store_pair<HEADS>(p, row, col, tile.total(i, j, half * 2), tile.total(i, j, half * 2 + 1));
            }
        }
    }
}

// ---- launchers -----------------------------------------------------------------------------------------------------

template <int XT, int WT, int STAGES, bool HEADS>
int32_t launch_rows(const LaunchContext& context, const HeadArguments& p) {
    using Shared = RowsShared<XT, WT, STAGES>;
    LaunchShape shape;
    shape.blocks_x = ceil_div(p.a.n, int64_t{Shared::kCols});
    shape.blocks_z = p.num_heads;
    shape.threads = p.ranges.count * kWarp;
    shape.shared_bytes = p.ranges.count * static_cast<int64_t>(sizeof(Shared));
    return GPU_LAUNCH(context, shape, linear_mma_rows<XT, WT, STAGES, HEADS>,
                      static_cast<const ArgumentsOf<HEADS>&>(p));
}

// Wide tiles of W need less of x; narrow ones give more blocks where N is small.
template <int XT, bool HEADS>
int32_t launch_rows(const LaunchContext& context, const HeadArguments& p) {
    if (p.ranges.count <= 2) return launch_rows<XT, 2, 8, HEADS>(context, p);  // 96 KB at most
    const int64_t deep_bytes = p.ranges.count * static_cast<int64_t>(sizeof(RowsShared<XT, 1, 6>));
    return deep_bytes <= context.limits->max_shared_bytes ? launch_rows<XT, 1, 6, HEADS>(context, p)
                                                          : launch_rows<XT, 1, 3, HEADS>(context, p);
}

template <typename T>
int64_t tiles(const Arguments& p) {
    return ceil_div(p.a.rows, int64_t{T::kRows}) * ceil_div(p.a.n, int64_t{T::kCols});
}

template <typename T, bool HEADS>
int32_t launch_tiles(const LaunchContext& context, const HeadArguments& p) {
    LaunchShape shape;
    shape.blocks_x = tiles<T>(p);
    shape.blocks_z = p.num_heads;
    shape.threads = T::kThreads;
    shape.shared_bytes = sizeof(typename T::Shared);
    return GPU_LAUNCH(context, shape, linear_mma_tiles<T, HEADS>, static_cast<const ArgumentsOf<HEADS>&>(p));
}

template <bool HEADS>
int32_t launch(const LaunchContext& context, const ct::LinearHeadsArgs& args) {
    const HeadArguments p = arguments(args, cut(args.a.k, wanted_ranges(args.a.n, args.a.k)));
    if (p.a.rows <= 8) return launch_rows<1, HEADS>(context, p);
    if (p.a.rows <= kRowsMost) return launch_rows<2, HEADS>(context, p);
    // A multiprocessor does about 0.6 as much on small tiles, so large ones may leave some of them idle.
    const int64_t large = tiles<LargeTile>(p) * p.num_heads;
    if (3 * large < 2 * context.limits->num_sms) return launch_tiles<SmallTile, HEADS>(context, p);
    return p.ranges.count == 1 ? launch_tiles<LargeTile, HEADS>(context, p)
                               : launch_tiles<LargeCutTile, HEADS>(context, p);
}

}  // namespace

bool fits_mma(const ct::LinearArgs& a) {
    return a.x_dtype == CT_BF16 && a.w_dtype == CT_BF16 && a.k % kUnit == 0 && a.w_stride <= INT32_MAX &&
           a.x_stride <= INT32_MAX && aligned(a.x, a.x_stride * 2, 16);
}

bool fits_mma(const ct::LinearHeadsArgs& h) { return fits_mma(h.a) && h.x_head_stride * 2 % 16 == 0; }

int32_t launch_mma(const LaunchContext& context, const ct::LinearArgs& args) {
    return launch<false>(context, one_head(args));
}

int32_t launch_mma(const LaunchContext& context, const ct::LinearHeadsArgs& args) {
    return launch<true>(context, args);
}

}  // namespace gpu::gemm
