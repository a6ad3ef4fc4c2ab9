// experts_codes.cu: the experts' products with bf16 x and W's codes kept (MXFP4, INT4 by groups, F8_E4M3 by blocks) on the
// tensor cores. W lies in the order of the fragments (gpu_codes.h), so a tile of 16 rows and 64 columns is one or two
// 16-byte copies a lane, without a conflict of banks, and is decoded in registers; x is staged as in experts_mma.cu.
//
// Order of sums, in both kernels: a sub-block's products by mma from zero, k in order; c = c + scale * sum in float32, the
// sub-blocks of a range (linear_gpu.h) in order; the ranges in order.
//
// Bytes, of an expert's 3 H I weights: 0.53 each (MXFP4), 0.54 (INT4 in groups of 128; 0.66 in groups of 32), 1.03
// (F8_E4M3 in blocks of 128). gpt-oss-20b (E 32, k 4, H = I = 2880), MXFP4: T = 1: 53 MB, 12 us of an H200's 4.3 TB/s;
// 32 and more: 423 MB, 98 us.
// Operations: beside 6 T k H I, to decode a lane's 32 codes 48 instructions (INT4), 76 (MXFP4), 72 (F8_E4M3).
//
//   experts_codes_rows   up to 8 or 16 rows a tile: experts_mma_rows with W's tiles as the operand with 16 rows: two of them
//                        a warp (of gate and of up), a range of k each. A multiprocessor of an H200 has to take 18.6 bytes a
//                        cycle: 0.036 of a warp's tile of 4 bits, which costs about 120 (MXFP4) or 90 (INT4) of its 4
//                        instructions a cycle: MXFP4 is bound by instructions at 0.9 of copy bandwidth, INT4 is not, and
//                        F8_E4M3 has half as many tiles. Stages of 1.2 KB of codes beside 1 or 2 KB of x: at 6 stages 20 KB
//                        a range, 160 KB a block of 8 ranges, one block a multiprocessor, 53 KB of codes in flight where
//                        26 KB are needed; with 99 KB of shared memory three stages serve. Predicted, of copy bandwidth:
//                        0.45 for T = 1 (latency of two launches), 0.65 (MXFP4) to 0.80 from T = 8 on.
//   experts_codes_tiles  64 rows a tile, four warps that each decode 16 rows of W for all 64 rows of x: of 64 columns 32
//                        mma, 16 ldmatrix, 48 to 76 instructions of decoding, 32 (64 with two sub-blocks) to scale. About
//                        0.4 of mma.sync's rate, bound by instructions; 63 to 76 KB of shared memory and 157 to 195
//                        registers a thread: two blocks a multiprocessor. Predicted 0.25 of the tensor rate for T = 4096;
//                        0.6 of copy bandwidth at T = 128.
// Never run on a GPU.
#include "kernels/moe/experts_codes.cuh"

namespace gpu::moe {
namespace {

using gemm::kMmaSteps;
using gemm::kMostRanges;
using gemm::kStepK;

// Tile `tile` of a block's columns; of the first product the first half are gate's, the second up's.
template <bool GATED, int TILES>
__device__ __forceinline__ const unsigned char* tile_of(const Product& p, const Place& place, int tile, int64_t& row) {
    constexpr int kOf = GATED ? TILES / 2 : TILES;
    const ct::ExpertMatrices& m = p.experts[place.expert];
    row = place.col0 + tile % kOf * kTileRows;
    return static_cast<const unsigned char*>(!GATED ? m.down : tile < kOf ? m.gate : m.up);
}

// ---- few rows ------------------------------------------------------------------------------------------------------

constexpr int kRowsTiles = 2;

template <typename F, int XT, int STAGES>
struct CodesRowsShared {
    static constexpr int kCols = kRowsTiles * kTileRows;
    static constexpr int kRows = XT * 8;
    struct Warp {
        alignas(128) unsigned char x[STAGES][kRows * kRowBytes];
        CodeTile<F> w[STAGES][kRowsTiles];
        // After the last step: the range's sums [kRows][kCols].
        __device__ __forceinline__ float* sums() { return reinterpret_cast<float*>(x[0]); }
    };
    static_assert(sizeof(float) * kCols <= kRowBytes, "the sums fit into a stage of x");
    Warp warps[1];  // one a range
};

// Rows of W down and rows of x across.
template <typename F, int XT>
struct CodesRowsSums {
    float c[XT][kRowsTiles][4];

    __device__ __forceinline__ void multiply(const unsigned char* x, const CodeTile<F> (&w)[kRowsTiles]) {
        const gemm::Fragment x_fragment = XT == 2 ? gemm::second_operand() : gemm::Fragment(lane() % 8, lane() / 8 % 2);
        Vec16 units[kRowsTiles][F::kUnits];
#pragma unroll
        for (int j = 0; j < kRowsTiles; ++j) w[j].load(units[j]);
#pragma unroll
        for (int sub = 0; sub < F::kSubs; ++sub) {
            float sums[XT][kRowsTiles][4] = {};
            Zeros zeros[kRowsTiles];
#pragma unroll
            for (int j = 0; j < kRowsTiles; ++j) zeros[j] = w[j].zeros(sub);
#pragma unroll
            for (int i = 0; i < kMmaSteps / F::kSubs; ++i) {
                const int mma = sub * (kMmaSteps / F::kSubs) + i;
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
                for (int j = 0; j < kRowsTiles; ++j) {
                    uint32_t a[4];
                    F::decode(a, units[j], mma, zeros[j]);
#pragma unroll
                    for (int t = 0; t < XT; ++t) mma_bf16(sums[t][j], a, b[t]);
                }
            }
#pragma unroll
            for (int j = 0; j < kRowsTiles; ++j) {
                const float scales[2] = {w[j].scale(sub, lane() / 4), w[j].scale(sub, lane() / 4 + 8)};
#pragma unroll
                for (int t = 0; t < XT; ++t) {
#pragma unroll
                    for (int e = 0; e < 4; ++e) c[t][j][e] = fma(scales[e / 2], sums[t][j][e], c[t][j][e]);
                }
            }
        }
    }

    __device__ __forceinline__ void store(float* to) const {
#pragma unroll
        for (int t = 0; t < XT; ++t) {
#pragma unroll
            for (int j = 0; j < kRowsTiles; ++j) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const int row = t * 8 + lane() % 4 * 2 + e % 2;
                    const int col = j * kTileRows + lane() / 4 + e / 2 * 8;
                    to[row * kRowsTiles * kTileRows + col] = c[t][j][e];
                }
            }
        }
    }
};

template <typename F, bool GATED, int XT, int STAGES>
__global__ void __launch_bounds__(kMostRanges* kWarp, 1) experts_codes_rows(Product p) {
    using Shared = CodesRowsShared<F, XT, STAGES>;
    constexpr int kOutCols = GATED ? Shared::kCols / 2 : Shared::kCols;
    wait_for_previous();
    launch_next();
    const Place place(p, kOutCols);
    if (place.rows == 0) return;
    auto* warps = shared<Shared>().warps;
    auto& s = warps[warp()];
    const int64_t begin = warp() * p.ranges.length;
    const int64_t left = p.k - begin < p.ranges.length ? p.k - begin : p.ranges.length;
    const int64_t steps = ceil_div(left, kStepK);
    const int64_t first = begin / kStepK;
    const CodeStaging<F, kRowsTiles> w(
        p.codes(p.w), [&](int tile, int64_t& row) { return tile_of<GATED, kRowsTiles>(p, place, tile, row); });
    const RowStaging<Shared::kRows, kWarp> x(p.k, lane(), [&](int row) { return x_address<GATED>(p, place, row); });
    for (int i = 0; i < STAGES - 1; ++i) {
        if (i < steps) {
            w.copy(s.w[i], first + i);
            x.copy(s.x[i], begin + i * kStepK);
        }
        copy_async_commit();
    }

    CodesRowsSums<F, XT> sums = {};
    int slot = 0;
    for (int64_t step = 0; step < steps; ++step) {
        copy_async_wait<STAGES - 2>();
        sync_warp();  // the slot's copies are everybody's, and nobody reads the slot before it any more
        const int64_t ahead = step + STAGES - 1;
        if (ahead < steps) {
            const int free_slot = slot == 0 ? STAGES - 1 : slot - 1;
            w.copy(s.w[free_slot], first + ahead);
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
    for (int i = static_cast<int>(threadIdx.x); i < Shared::kRows * kOutCols; i += p.ranges.count * kWarp) {
        const int row = i / kOutCols;
        const int col = i % kOutCols;
        if (row >= place.rows || place.col0 + col >= p.n) continue;
        store<GATED>(p, place, row, place.col0 + col, total(row, col), GATED ? total(row, kOutCols + col) : 0.0f);
    }
}

// ---- tiles ---------------------------------------------------------------------------------------------------------

constexpr int kWarps = 4;  // with a tile of W each
constexpr int kThreads = kWarps * kWarp;
constexpr int kCols = kWarps * kTileRows;
constexpr int kRows = 64;
constexpr int kStages = 6;

template <typename F>
struct CodesTilesShared {
    alignas(1024) unsigned char x[kStages][kRows * kRowBytes];
    CodeTile<F> w[kStages][kWarps][1];
};
struct CodesTileSums {
    float at[kRows][kCols + 4];
};

// A warp's 64 rows of x down and 16 of W across.
template <typename F>
struct CodesTile {
    static constexpr int kM = kRows / 16;
    float c[kM][2][4] = {};  // of the range
    float totals[kM][2][4] = {};

    __device__ __forceinline__ void multiply(const unsigned char* x, const CodeTile<F>& w) {
        const gemm::Fragment x_fragment = gemm::first_operand();
        Vec16 units[F::kUnits];
        w.load(units);
#pragma unroll
        for (int sub = 0; sub < F::kSubs; ++sub) {
            float sums[kM][2][4] = {};
            const Zeros zeros = w.zeros(sub);
#pragma unroll
            for (int i = 0; i < kMmaSteps / F::kSubs; ++i) {
                const int mma = sub * (kMmaSteps / F::kSubs) + i;
                uint32_t rows[4];
                F::decode(rows, units, mma, zeros);
                const uint32_t b[2][2] = {{rows[0], rows[2]}, {rows[1], rows[3]}};
#pragma unroll
                for (int m = 0; m < kM; ++m) {
                    uint32_t a[4];
                    load_matrix_x4(a, x_fragment.at(x, m * 16, mma));
                    mma_bf16(sums[m][0], a, b[0]);
                    mma_bf16(sums[m][1], a, b[1]);
                }
            }
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const int row = j * 8 + lane() % 4 * 2;
                const float scales[2] = {w.scale(sub, row), w.scale(sub, row + 1)};
#pragma unroll
                for (int m = 0; m < kM; ++m) {
#pragma unroll
                    for (int e = 0; e < 4; ++e) c[m][j][e] = fma(scales[e % 2], sums[m][j][e], c[m][j][e]);
                }
            }
        }
    }

    __device__ __forceinline__ void end_range() {
#pragma unroll
        for (int m = 0; m < kM; ++m) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    totals[m][j][e] += c[m][j][e];
                    c[m][j][e] = 0;
                }
            }
        }
    }

    __device__ __forceinline__ void store(CodesTileSums& to) const {
#pragma unroll
        for (int m = 0; m < kM; ++m) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const int row = m * 16 + e / 2 * 8 + lane() / 4;
                    to.at[row][warp() * kTileRows + j * 8 + lane() % 4 * 2 + e % 2] = totals[m][j][e];
                }
            }
        }
    }
};

template <typename F, bool GATED>
__global__ void __launch_bounds__(kThreads, 2) experts_codes_tiles(Product p) {
    using Shared = CodesTilesShared<F>;
    static_assert(sizeof(CodesTileSums) <= sizeof(Shared::x), "the sums take the place of the stages of x");
    constexpr int kOutCols = GATED ? kCols / 2 : kCols;
    wait_for_previous();
    launch_next();
    const Place place(p, kOutCols);
    if (place.rows == 0) return;
    const auto thread = static_cast<int>(threadIdx.x);
    const CodeStaging<F, 1> w(p.codes(p.w),
                              [&](int, int64_t& row) { return tile_of<GATED, kWarps>(p, place, warp(), row); });
    const RowStaging<kRows, kThreads> x(p.k, thread, [&](int row) { return x_address<GATED>(p, place, row); });
    auto& s = shared<Shared>();
    const auto steps = static_cast<int>(ceil_div(p.k, kStepK));
    const auto range_steps = static_cast<int>(p.ranges.length / kStepK);
    for (int i = 0; i < kStages - 1; ++i) {
        if (i < steps) {
            w.copy(s.w[i][warp()], i);
            x.copy(s.x[i], i * kStepK);
        }
        copy_async_commit();
    }
    CodesTile<F> tile;
    int slot = 0;
    int range_end = range_steps;
    for (int step = 0; step < steps; ++step) {
        copy_async_wait<kStages - 2>();
        __syncthreads();  // the slot is everybody's, and nobody reads the one before it any more
        const int ahead = step + kStages - 1;
        if (ahead < steps) {
            const int free_slot = slot == 0 ? kStages - 1 : slot - 1;
            x.copy(s.x[free_slot], ahead * kStepK);
            w.copy(s.w[free_slot][warp()], ahead);
        }
        copy_async_commit();
        tile.multiply(s.x[slot], s.w[slot][warp()][0]);
        if (step + 1 == range_end || step + 1 == steps) {
            tile.end_range();
            range_end += range_steps;
        }
        slot = slot + 1 == kStages ? 0 : slot + 1;
    }

    copy_async_wait<0>();
    __syncthreads();  // the sums take the place of the stages
    auto& sums = reinterpret_cast<CodesTileSums&>(s.x);
    tile.store(sums);
    __syncthreads();
    for (int i = thread; i < place.rows * kOutCols; i += kThreads) {
        const int row = i / kOutCols;
        const int col = i % kOutCols;
        if (place.col0 + col >= p.n) continue;
        moe::store<GATED>(p, place, row, place.col0 + col, sums.at[row][col],
                          GATED ? sums.at[row][kOutCols + col] : 0.0f);
    }
}

// ---- launchers -----------------------------------------------------------------------------------------------------

template <typename F, bool GATED, int XT, int STAGES>
int32_t launch_rows(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    using Shared = CodesRowsShared<F, XT, STAGES>;
    const int64_t bytes = p.ranges.count * static_cast<int64_t>(sizeof(typename Shared::Warp));
    const LaunchShape shape =
        shape_of(p, num_tokens, GATED ? Shared::kCols / 2 : Shared::kCols, p.ranges.count * kWarp, bytes);
    return GPU_LAUNCH(context, shape, experts_codes_rows<F, GATED, XT, STAGES>, p);
}

template <typename F, bool GATED, int XT>
int32_t launch_rows(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    using Deep = typename CodesRowsShared<F, XT, 6>::Warp;
    const bool fits = p.ranges.count * static_cast<int64_t>(sizeof(Deep)) <= context.limits->max_shared_bytes;
    return fits ? launch_rows<F, GATED, XT, 6>(context, p, num_tokens)
                : launch_rows<F, GATED, XT, 3>(context, p, num_tokens);
}

template <typename F, bool GATED>
int32_t launch_format(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    if (p.height == 8) return launch_rows<F, GATED, 1>(context, p, num_tokens);
    if (p.height == 16) return launch_rows<F, GATED, 2>(context, p, num_tokens);
    const LaunchShape shape = shape_of(p, num_tokens, GATED ? kCols / 2 : kCols, kThreads, sizeof(CodesTilesShared<F>));
    return GPU_LAUNCH(context, shape, experts_codes_tiles<F, GATED>, p);
}

template <bool GATED>
int32_t launch(const LaunchContext& context, const Product& p, int64_t num_tokens) {
    switch (p.w.format) {
        case CT_FORMAT_MXFP4:
            return launch_format<Mxfp4, GATED>(context, p, num_tokens);
        case CT_FORMAT_INT4:
            return p.w.group_shift > 5 ? launch_format<Int4<1>, GATED>(context, p, num_tokens)
                                       : launch_format<Int4<2>, GATED>(context, p, num_tokens);
        default:
            return launch_format<E4m3, GATED>(context, p, num_tokens);
    }
}

}  // namespace

int32_t launch_first_codes(const LaunchContext& context, const ct::MoeExpertsArgs& args) {
    return launch<true>(context, first_product(args, gemm::wanted_ranges(args.inner, args.hidden)), args.p.num_tokens);
}

int32_t launch_second_codes(const LaunchContext& context, const ct::MoeExpertsArgs& args) {
    return launch<false>(context, second_product(args, gemm::wanted_ranges(args.hidden, args.inner)),
                         args.p.num_tokens);
}

}  // namespace gpu::moe
