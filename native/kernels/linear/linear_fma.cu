// linear_fma.cu: y = x W^T + bias with float32 products and sums, one fused multiply-add for each product: the strict
// mode (float32 activations), and every shape that the tensor cores do not take. x, W and y of any dtype; x and y of
// any stride and alignment.
//
// Two kernels with one order of sums (linear_gpu.h: Ranges), so that a row's bits do not depend on how many rows there
// are:
//   linear_fma_tiles  64 x 64 of y in a block of 128 threads, 8 x 4 sums in each. Of 12 16-byte loads from shared memory
//                     come 128 FMAs a thread: bound by the FMA units. Floor: 2 M N K / (the GPU's float32 rate).
//                     Predicted 0.6 of it.
//   linear_fma_rows   few rows: a block computes 32 columns, each warp one range of k, each lane one column. W goes
//                     once through shared memory, 12 KB in flight a warp. Floor: W's bytes / copy bandwidth. Predicted
//                     0.5 for one row where N >= 4096; below that the length of a range's chain counts (4 cycles an
//                     FMA).
// Not yet run on a GPU.
#include "kernels/linear/linear_gpu.h"

namespace gpu::gemm {

namespace {

constexpr int kMostRanges = kFmaRanges;

// ---- loads ---------------------------------------------------------------------------------------------------------

// Elements of T in 16 bytes.
template <typename T>
inline constexpr int kChunk = 16 / static_cast<int>(sizeof(T));

__device__ __forceinline__ uint32_t word_of(const float* at, int64_t i, int64_t valid) {
    return i < valid ? float_bits(at[i]) : 0;
}
__device__ __forceinline__ uint32_t word_of(const bf16* at, int64_t i, int64_t valid) {
    const uint32_t low = 2 * i < valid ? at[2 * i].bits : 0;
    const uint32_t high = 2 * i + 1 < valid ? at[2 * i + 1].bits : 0;
    return low | high << 16;
}

// 16 bytes of a row of which `valid` elements are left (it may be 0 or negative); zeros after those.
template <typename T>
__device__ __forceinline__ Vec16 load_chunk(const T* at, int64_t valid, bool wide) {
    if (wide && valid >= kChunk<T>) return load16(at);
    return {word_of(at, 0, valid), word_of(at, 1, valid), word_of(at, 2, valid), word_of(at, 3, valid)};
}

__device__ __forceinline__ void expand(float (&out)[4], const Vec16& v, float*) {
    out[0] = bits_float(v.x);
    out[1] = bits_float(v.y);
    out[2] = bits_float(v.z);
    out[3] = bits_float(v.w);
}
__device__ __forceinline__ void expand(float (&out)[8], const Vec16& v, bf16*) {
    unpack_bf16(v.x, out[0], out[1]);
    unpack_bf16(v.y, out[2], out[3]);
    unpack_bf16(v.z, out[4], out[5]);
    unpack_bf16(v.w, out[6], out[7]);
}

__device__ __forceinline__ Vec16 pack(const float* v) {
    return {float_bits(v[0]), float_bits(v[1]), float_bits(v[2]), float_bits(v[3])};
}

// ---- tiles ---------------------------------------------------------------------------------------------------------

constexpr int kTile = 64;
constexpr int kTileK = 32;
constexpr int kTileThreads = 128;
constexpr int kThreadRows = 8;  // a thread's rows are 8 apart, its columns 16
constexpr int kThreadCols = 4;

struct TileShared {
    // A row is 9 16-byte units: eight lanes that read eight rows at the same k meet no bank twice.
    float x[2][kTile][kTileK + 4];
    float w[2][kTile][kTileK + 4];
};

// A thread's share of 64 rows of 32 columns on their way from memory to shared memory.
template <typename T>
struct Share {
    static constexpr int kChunks = kTileK / kChunk<T>;  // of a row
    static constexpr int kPasses = kTile * kChunks / kTileThreads;
    Vec16 chunks[kPasses];

    __device__ __forceinline__ void load(const T* first, int64_t stride, int64_t rows, int64_t k, int64_t cols,
                                         bool wide) {
        const int64_t col = k + static_cast<int>(threadIdx.x) % kChunks * kChunk<T>;
#pragma unroll
        for (int i = 0; i < kPasses; ++i) {
            const int64_t row = static_cast<int>(threadIdx.x) / kChunks + i * (kTileThreads / kChunks);
            chunks[i] = load_chunk(first + row * stride + col, row < rows ? cols - col : 0, wide);
        }
    }

    __device__ __forceinline__ void store(float (&to)[kTile][kTileK + 4]) const {
        const int col = static_cast<int>(threadIdx.x) % kChunks * kChunk<T>;
#pragma unroll
        for (int i = 0; i < kPasses; ++i) {
            const int row = static_cast<int>(threadIdx.x) / kChunks + i * (kTileThreads / kChunks);
            float values[kChunk<T>];
            expand(values, chunks[i], static_cast<T*>(nullptr));
#pragma unroll
            for (int j = 0; j < kChunk<T>; j += 4) store16(&to[row][col + j], pack(values + j));
        }
    }
};

__device__ __forceinline__ void multiply_tile(float (&sums)[kThreadRows][kThreadCols],
                                              const float (&x)[kTile][kTileK + 4], const float (&w)[kTile][kTileK + 4],
                                              int row, int col) {
#pragma unroll 2
    for (int k = 0; k < kTileK; k += 4) {
        float a[kThreadRows][4];
        float b[kThreadCols][4];
#pragma unroll
        for (int i = 0; i < kThreadRows; ++i) expand(a[i], load16(&x[row + 8 * i][k]), static_cast<float*>(nullptr));
#pragma unroll
        for (int j = 0; j < kThreadCols; ++j) expand(b[j], load16(&w[col + 16 * j][k]), static_cast<float*>(nullptr));
#pragma unroll
        for (int l = 0; l < 4; ++l) {
#pragma unroll
            for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
                for (int j = 0; j < kThreadCols; ++j) sums[i][j] = fma(a[i][l], b[j][l], sums[i][j]);
            }
        }
    }
}

template <typename X, typename W, bool HEADS>
__global__ void __launch_bounds__(kTileThreads, 2) linear_fma_tiles(ArgumentsOf<HEADS> p) {
    auto& s = shared<TileShared>();
    const TilePlace place = tile_place(blockIdx.x, ceil_div(p.a.rows, int64_t{kTile}), ceil_div(p.a.n, int64_t{kTile}));
    const int64_t row0 = place.row * kTile;
    const int64_t col0 = place.col * kTile;
    const Matrices m = matrices<HEADS>(p);
    const auto* x = static_cast<const X*>(m.x) + row0 * p.a.x_stride;
    const auto* w = static_cast<const W*>(m.w) + col0 * p.a.w_stride;
    const int64_t w_rows = HEADS ? m.w_rows - col0 : kTile;
    const int64_t rows = p.a.rows - row0;
    wait_for_previous();

    Share<X> x_share;
    Share<W> w_share;
    x_share.load(x, p.a.x_stride, rows, 0, p.a.k, p.wide_x);
    w_share.load(w, p.a.w_stride, w_rows, 0, p.a.w_stride, true);
    x_share.store(s.x[0]);
    w_share.store(s.w[0]);
    __syncthreads();

    const int row = static_cast<int>(threadIdx.x) / 16;
    const int col = static_cast<int>(threadIdx.x) % 16;
    float sums[kThreadRows][kThreadCols] = {};
    float totals[kThreadRows][kThreadCols] = {};
    const int64_t end = ceil_div(p.a.k, kStepK) * kStepK;
    int64_t range_end = p.ranges.length;
    int buffer = 0;
    for (int64_t k = 0; k < end; k += kTileK) {
        const bool more = k + kTileK < end;
        if (more) {
            x_share.load(x, p.a.x_stride, rows, k + kTileK, p.a.k, p.wide_x);
            w_share.load(w, p.a.w_stride, w_rows, k + kTileK, p.a.w_stride, true);
        }
        multiply_tile(sums, s.x[buffer], s.w[buffer], row, col);
        if (!more || k + kTileK == range_end) {
            range_end += p.ranges.length;
#pragma unroll
            for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
                for (int j = 0; j < kThreadCols; ++j) {
                    totals[i][j] += sums[i][j];
                    sums[i][j] = 0;
                }
            }
        }
        if (more) {
            buffer ^= 1;  // everybody read it before the last barrier
            x_share.store(s.x[buffer]);
            w_share.store(s.w[buffer]);
            __syncthreads();
        }
    }
    launch_next();
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
        for (int j = 0; j < kThreadCols; ++j) {
            const int64_t y_row = row0 + row + 8 * i;
            const int64_t y_col = col0 + col + 16 * j;
            if (y_row < p.a.rows && y_col < p.a.n) store<HEADS>(p, y_row, y_col, totals[i][j]);
        }
    }
}

// ---- few rows ------------------------------------------------------------------------------------------------------

constexpr int kFewRows = 8;  // up to here linear_fma_rows computes them, kRowsAtOnce a block
constexpr int kRowsAtOnce = 4;
constexpr int kStages = 4;
constexpr int kRunBytes = 128;  // of each of the 32 rows of W in a stage

template <typename W, int ROWS>
struct RowsShared {
    static constexpr int kRun = kRunBytes / static_cast<int>(sizeof(W));  // k's of a stage
    struct Warp {
        // 16-byte unit u of row r is at u ^ (r % 8): lanes that read their rows' same unit meet no bank twice.
        alignas(16) unsigned char w[kStages][kWarp][kRunBytes];
        alignas(16) float x[2][ROWS][kRun];
        float sums[ROWS][kWarp];
    };
    Warp warps[kMostRanges];
};

// One range of k for 32 columns.
template <typename X, typename W, int ROWS, bool HEADS>
struct RowsRange {
    using Shared = RowsShared<W, ROWS>;
    static constexpr int kRun = Shared::kRun;
    static constexpr int kUnits = kRunBytes / 16;
    const Arguments& p;
    const Matrices& m;
    typename Shared::Warp& s;
    int64_t row0, col0, begin;
    float x_next[ROWS][kRun / kWarp];

    __device__ __forceinline__ void copy_w(int64_t step) {
        auto& to = s.w[step % kStages];
        const auto* w = static_cast<const W*>(m.w) + col0 * p.a.w_stride + begin + step * kRun;
#pragma unroll
        for (int i = 0; i < kUnits; ++i) {
            const int row = lane() / kUnits + i * (kWarp / kUnits);
            const int unit = lane() % kUnits;
            auto* place = &to[row][(unit ^ (row % 8)) * 16];
            const W* from = w + row * p.a.w_stride + unit * kChunk<W>;
            if constexpr (HEADS) {
                copy_async16_or_zero(place, from, col0 + row < m.w_rows);
            } else {
                copy_async16(place, from);
            }
        }
    }

    __device__ __forceinline__ void load_x(int64_t step) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const auto* x = static_cast<const X*>(m.x) + (row0 + r) * p.a.x_stride;
#pragma unroll
            for (int i = 0; i < kRun / kWarp; ++i) {
                const int64_t k = begin + step * kRun + i * kWarp + lane();
                x_next[r][i] = row0 + r < p.a.rows && k < p.a.k ? to_float(x[k]) : 0.0f;
            }
        }
    }

    __device__ __forceinline__ void store_x(int64_t step) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
#pragma unroll
            for (int i = 0; i < kRun / kWarp; ++i) s.x[step % 2][r][i * kWarp + lane()] = x_next[r][i];
        }
    }

    __device__ __forceinline__ void multiply(float (&sums)[ROWS], int64_t step) {
        const auto& w_row = s.w[step % kStages][lane()];
#pragma unroll 2
        for (int unit = 0; unit < kUnits; ++unit) {
            float w[kChunk<W>];
            expand(w, load16(&w_row[(unit ^ (lane() % 8)) * 16]), static_cast<W*>(nullptr));
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
#pragma unroll
                for (int j = 0; j < kChunk<W>; j += 4) {
                    float x[4];
                    expand(x, load16(&s.x[step % 2][r][unit * kChunk<W> + j]), static_cast<float*>(nullptr));
#pragma unroll
                    for (int l = 0; l < 4; ++l) sums[r] = fma(x[l], w[j + l], sums[r]);
                }
            }
        }
    }
};

template <typename X, typename W, int ROWS, bool HEADS>
__global__ void __launch_bounds__(kMostRanges* kWarp) linear_fma_rows(ArgumentsOf<HEADS> p) {
    using Shared = RowsShared<W, ROWS>;
    auto& s = shared<Shared>();
    const Matrices m = matrices<HEADS>(p);
    RowsRange<X, W, ROWS, HEADS> range{
        p, m, s.warps[warp()], int64_t{blockIdx.y} * ROWS, int64_t{blockIdx.x} * kWarp, range_begin(p, warp()), {}};
    const int64_t steps = range_steps(p, warp()) * (kStepK / Shared::kRun);
    for (int i = 0; i < kStages - 1; ++i) {  // W is there since it was loaded: no need to wait for the kernel before
        if (i < steps) range.copy_w(i);
        copy_async_commit();
    }
    wait_for_previous();
    range.load_x(0);

    float sums[ROWS] = {};
    for (int64_t step = 0; step < steps; ++step) {
        range.store_x(step);
        copy_async_wait<kStages - 2>();
        sync_warp();  // the stage is everybody's, and nobody reads the one before any more
        if (step + 1 < steps) range.load_x(step + 1);
        if (step + kStages - 1 < steps) range.copy_w(step + kStages - 1);
        copy_async_commit();
        range.multiply(sums, step);
    }
    launch_next();
#pragma unroll
    for (int r = 0; r < ROWS; ++r) range.s.sums[r][lane()] = sums[r];
    __syncthreads();
    for (int r = warp(); r < ROWS; r += p.ranges.count) {
        float total = 0;
        for (int i = 0; i < p.ranges.count; ++i) total += s.warps[i].sums[r][lane()];
        const int64_t row = range.row0 + r;
        const int64_t col = range.col0 + lane();
        if (row < p.a.rows && col < p.a.n) store<HEADS>(p, row, col, total);
    }
}

// ---- launchers -----------------------------------------------------------------------------------------------------

template <typename X, typename W, int ROWS, bool HEADS>
int32_t launch_rows(const LaunchContext& context, const HeadArguments& p) {
    LaunchShape shape;
    shape.blocks_x = ceil_div(p.a.n, int64_t{kWarp});
    shape.blocks_y = static_cast<int32_t>(ceil_div(p.a.rows, int64_t{ROWS}));
    shape.blocks_z = p.num_heads;
    shape.threads = p.ranges.count * kWarp;
    shape.shared_bytes = sizeof(RowsShared<W, ROWS>);
    return GPU_LAUNCH(context, shape, linear_fma_rows<X, W, ROWS, HEADS>, static_cast<const ArgumentsOf<HEADS>&>(p));
}

template <typename X, typename W, bool HEADS>
int32_t launch_dtypes(const LaunchContext& context, const HeadArguments& p) {
    if (p.a.rows == 1) return launch_rows<X, W, 1, HEADS>(context, p);
    if (p.a.rows <= kFewRows) return launch_rows<X, W, kRowsAtOnce, HEADS>(context, p);
    LaunchShape shape;
    shape.blocks_x = ceil_div(p.a.rows, int64_t{kTile}) * ceil_div(p.a.n, int64_t{kTile});
    shape.blocks_z = p.num_heads;
    shape.threads = kTileThreads;
    shape.shared_bytes = sizeof(TileShared);
    return GPU_LAUNCH(context, shape, linear_fma_tiles<X, W, HEADS>, static_cast<const ArgumentsOf<HEADS>&>(p));
}

template <bool HEADS>
int32_t launch(const LaunchContext& context, const ct::LinearHeadsArgs& args) {
    const HeadArguments p = arguments(args, cut(args.a.k, kMostRanges));
    if (p.a.x_dtype == CT_F32) {
        return p.a.w_dtype == CT_F32 ? launch_dtypes<float, float, HEADS>(context, p)
                                     : launch_dtypes<float, bf16, HEADS>(context, p);
    }
    return p.a.w_dtype == CT_F32 ? launch_dtypes<bf16, float, HEADS>(context, p)
                                 : launch_dtypes<bf16, bf16, HEADS>(context, p);
}

}  // namespace

int32_t launch_fma(const LaunchContext& context, const ct::LinearArgs& args) {
    return launch<false>(context, one_head(args));
}

int32_t launch_fma(const LaunchContext& context, const ct::LinearHeadsArgs& args) {
    return launch<true>(context, args);
}

}  // namespace gpu::gemm
