// experts_mma.cu: the experts' products with bf16 x and W on the tensor cores, in the parts and in the order of sums of
// linear_mma.cu. What is the experts' own: a row of x, and a row of W, has an address of its own; of the first product a
// tile's columns are half gate's, half up's, so that both sums of a column are in the same block.
//
//   experts_mma_rows   up to 8 or 16 rows a tile: W is the operand with 16 rows. A warp computes 32 rows of W (16 of gate, 16
//                      of up) over one range of k; W comes once for each tile, without barriers. For T = 1 of Qwen3-30B-A3B
//                      the first product has 384 blocks of 8 warps, 4 KB in flight a warp and stage: with 4 stages (160
//                      KB) one block a multiprocessor of an H200 keeps 12.7 MB in flight where 3.4 MB are needed; with
//                      99 KB of shared memory two stages serve. The second has 512 blocks of 2 warps. Predicted 0.70 of
//                      copy bandwidth for T = 1 (two launches' latency are a fifth of 17 us), 0.85 from T = 8 on.
//   experts_mma_tiles  64 rows a tile, 64 columns (32 of gate and 32 of up) a block of four warps, six stages; W is read
//                      from memory once and by further tiles of the expert from the L2 cache. 96 KB of shared memory: two
//                      blocks a multiprocessor of an H200. Bound by ldmatrix (a warp of 32 x 32 reads 2 KB for 32 kFLOP) at
//                      about 0.35 of the tensor rate; predicted 0.30 of it for T = 4096, 0.80 of copy bandwidth at T = 128.
// Never run on a GPU.
#include "kernels/moe/experts_mma.cuh"

namespace gpu::moe {
namespace {

using gemm::kMostRanges;
using gemm::kStepK;

// Addresses of the rows of a tile of W and of x. COLS rows of W: the first half gate's, the second up's, or all down's.
template <bool GATED, int COLS>
struct Rows {
    const Product& p;
    const Place& place;
    static constexpr int kOutCols = GATED ? COLS / 2 : COLS;

    __device__ __forceinline__ const bf16* w(int row) const {
        const ct::ExpertMatrices& m = p.experts[place.expert];
        const void* matrix = !GATED ? m.down : row < kOutCols ? m.gate : m.up;
        return static_cast<const bf16*>(matrix) + (place.col0 + row % kOutCols) * p.w_stride;
    }
    __device__ __forceinline__ const bf16* x(int row) const { return x_address<GATED>(p, place, row); }
};

// ---- few rows ------------------------------------------------------------------------------------------------------

constexpr int kRowsWTiles = 2;  // times 16 rows of W

template <bool GATED, int XT, int STAGES>
__global__ void __launch_bounds__(kMostRanges* kWarp) experts_mma_rows(Product p) {
    using Shared = gemm::RowsShared<XT, kRowsWTiles, STAGES>;
    using TileRows = Rows<GATED, Shared::kCols>;
    wait_for_previous();
    launch_next();
    const Place place(p, TileRows::kOutCols);
    if (place.rows == 0) return;
    auto* warps = shared<Shared>().warps;
    auto& s = warps[warp()];
    const int64_t begin = warp() * p.ranges.length;
    const int64_t left = p.k - begin < p.ranges.length ? p.k - begin : p.ranges.length;
    const int64_t steps = ceil_div(left, kStepK);
    const TileRows rows = {p, place};
    const RowStaging<Shared::kCols, kWarp> w(p.w_stride, lane(), [&](int row) { return rows.w(row); });
    const RowStaging<Shared::kRows, kWarp> x(p.k, lane(), [&](int row) { return rows.x(row); });
    for (int i = 0; i < STAGES - 1; ++i) {
        if (i < steps) {
            w.copy(s.w[i], begin + i * kStepK);
            x.copy(s.x[i], begin + i * kStepK);
        }
        copy_async_commit();
    }

    gemm::RowsSums<XT, kRowsWTiles> sums = {};
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
    const auto total = [&](int row, int col) {
        float sum = 0;
        for (int range = 0; range < p.ranges.count; ++range) sum += warps[range].sums()[row * Shared::kCols + col];
        return sum;
    };
    for (int i = static_cast<int>(threadIdx.x); i < Shared::kRows * TileRows::kOutCols; i += p.ranges.count * kWarp) {
        const int row = i / TileRows::kOutCols;
        const int col = i % TileRows::kOutCols;
        if (row >= place.rows || place.col0 + col >= p.n) continue;
        store<GATED>(p, place, row, place.col0 + col, total(row, col),
                     GATED ? total(row, TileRows::kOutCols + col) : 0.0f);
    }
}

// ---- tiles ---------------------------------------------------------------------------------------------------------

using T = gemm::SmallTile;

struct TileSums {
    float at[T::kRows][T::kCols + 4];
};
static_assert(sizeof(TileSums) <= sizeof(T::Shared), "the sums take the place of the stages");

__device__ __forceinline__ void multiply(gemm::WarpTile<T>& tile, T::Shared& s,
                                         const RowStaging<T::kRows, T::kThreads>& x,
                                         const RowStaging<T::kCols, T::kThreads>& w, int steps, int range_steps) {
    for (int i = 0; i < T::kStages - 1; ++i) {
        if (i < steps) {
            w.copy(s.w[i], i * kStepK);
            x.copy(s.x[i], i * kStepK);
        }
        copy_async_commit();
    }
    int slot = 0;
    int range_end = range_steps;
    for (int step = 0; step < steps; ++step) {
        copy_async_wait<T::kStages - 2>();
        __syncthreads();  // the slot is everybody's, and nobody reads the one before it any more
        const int ahead = step + T::kStages - 1;
        if (ahead < steps) {
            const int free_slot = slot == 0 ? T::kStages - 1 : slot - 1;
            x.copy(s.x[free_slot], ahead * kStepK);
            w.copy(s.w[free_slot], ahead * kStepK);
        }
        copy_async_commit();
        tile.load(s.x[slot], s.w[slot], 0);
#pragma unroll
        for (int mma = 0; mma < gemm::kMmaSteps; ++mma) {
            // The fragments of the next mma are read during this one.
            if (mma + 1 < gemm::kMmaSteps) tile.load(s.x[slot], s.w[slot], mma + 1);
            tile.multiply(mma);
        }
        if (step + 1 == range_end || step + 1 == steps) {
            tile.end_range();
            range_end += range_steps;
        }
        slot = slot + 1 == T::kStages ? 0 : slot + 1;
    }
}

template <bool GATED>
__global__ void __launch_bounds__(T::kThreads) experts_mma_tiles(Product p) {
    using TileRows = Rows<GATED, T::kCols>;
    wait_for_previous();
    launch_next();
    const Place place(p, TileRows::kOutCols);
    if (place.rows == 0) return;
    const TileRows rows = {p, place};
    const auto thread = static_cast<int>(threadIdx.x);
    const RowStaging<T::kRows, T::kThreads> x(p.k, thread, [&](int row) { return rows.x(row); });
    const RowStaging<T::kCols, T::kThreads> w(p.w_stride, thread, [&](int row) { return rows.w(row); });
    auto& s = shared<T::Shared>();
    gemm::WarpTile<T> tile;
    multiply(tile, s, x, w, static_cast<int>(ceil_div(p.k, kStepK)), static_cast<int>(p.ranges.length / kStepK));

    copy_async_wait<0>();
    __syncthreads();  // the sums take the place of the stages
    auto& sums = reinterpret_cast<TileSums&>(s);
#pragma unroll
    for (int i = 0; i < gemm::WarpTile<T>::kM; ++i) {
#pragma unroll
        for (int j = 0; j < gemm::WarpTile<T>::kN; ++j) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int row = tile.row0 + i * 16 + e / 2 * 8 + lane() / 4;
                sums.at[row][tile.col0 + j * 8 + lane() % 4 * 2 + e % 2] = tile.total(i, j, e);
            }
        }
    }
    __syncthreads();
    for (int i = thread; i < place.rows * TileRows::kOutCols; i += T::kThreads) {
        const int row = i / TileRows::kOutCols;
        const int col = i % TileRows::kOutCols;
        if (place.col0 + col >= p.n) continue;
        store<GATED>(p, place, row, place.col0 + col, sums.at[row][col],
                     GATED ? sums.at[row][TileRows::kOutCols + col] : 0.0f);
    }
}

// ---- launchers -----------------------------------------------------------------------------------------------------

template <bool GATED, int XT, int STAGES>
int32_t launch_rows(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    using Shared = gemm::RowsShared<XT, kRowsWTiles, STAGES>;
    const LaunchShape shape = shape_of(p, num_tokens, Rows<GATED, Shared::kCols>::kOutCols, p.ranges.count * kWarp,
                                       p.ranges.count * static_cast<int64_t>(sizeof(Shared)));
    return GPU_LAUNCH(context, shape, experts_mma_rows<GATED, XT, STAGES>, p);
}

template <bool GATED, int XT>
int32_t launch_rows(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    using Deep = gemm::RowsShared<XT, kRowsWTiles, 4>;
    const bool fits = p.ranges.count * static_cast<int64_t>(sizeof(Deep)) <= context.limits->max_shared_bytes;
    return fits ? launch_rows<GATED, XT, 4>(context, p, num_tokens) : launch_rows<GATED, XT, 2>(context, p, num_tokens);
}

template <bool GATED>
int32_t launch(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    if (p.height == 8) return launch_rows<GATED, 1>(context, p, num_tokens);
    if (p.height == 16) return launch_rows<GATED, 2>(context, p, num_tokens);
    const LaunchShape shape = shape_of(p, num_tokens, Rows<GATED, T::kCols>::kOutCols, T::kThreads, sizeof(T::Shared));
    return GPU_LAUNCH(context, shape, experts_mma_tiles<GATED>, p);
}

}  // namespace

int32_t launch_first_mma(const LaunchContext& context, const ct::MoeExpertsArgs& args) {
    return launch<true>(context, first_product(args, gemm::wanted_ranges(args.inner, args.hidden)), args.p.num_tokens);
}

int32_t launch_second_mma(const LaunchContext& context, const ct::MoeExpertsArgs& args) {
    return launch<false>(context, second_product(args, gemm::wanted_ranges(args.hidden, args.inner)),
                         args.p.num_tokens);
}

}  // namespace gpu::moe
