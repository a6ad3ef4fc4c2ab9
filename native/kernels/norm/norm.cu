// norm.cu: ct_norm, one block a row. Not yet run on a GPU.
//
// Floor: a row reads and writes cols elements of dtype, and with a residual 4 bytes each way a column more. From 32 MB
// on at 0.85 of copy bandwidth; predicted for 8192 x 4096 bf16 with residual on an H200 (4.3 TB/s): 403 MB, 94 us at
// full rate, 110 us at 0.85. A row stays in registers between the sum and the product (16 or 32 floats a thread) up to
// 16384 columns; longer ones are read again. A decode step's rows are a launch, 2 to 3 us.
//
// LayerNorm sums twice, the deviations after the mean: another barrier, no more bytes.
//
// A sum's shape depends on cols and dtype only: a thread's runs in their order, the lanes by butterfly, the warps in
// their order.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kRun = 8;
constexpr int kMaxThreads = 512;

struct Norm {
    ct::NormArgs a;
    bool aligned;
};

struct NormShared {
    float of_values[kMaxThreads / kWarp];
    float of_squares[kMaxThreads / kWarp];
};

// The sum over the block, the same in every thread.
__device__ __forceinline__ float block_sum(float (&warp_sums)[kMaxThreads / kWarp], float value) {
    value = warp_sum(value);
    if (lane() == 0) warp_sums[warp()] = value;
    __syncthreads();
    float sum = 0;
    for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; ++w) sum += warp_sums[w];
    return sum;
}

// What is normed: x_scale * x, or the residual with that added to it.
template <typename T>
__device__ __forceinline__ void load_and_add(float (&v)[kRun], float* residual, const T* x, int64_t c, const Norm& n) {
    load_run(v, x + c, n.a.cols - c, n.aligned);
    for (int i = 0; i < kRun; ++i) v[i] *= n.a.x_scale;
    if (!residual) return;
    float r[kRun];
    load_run(r, residual + c, n.a.cols - c, n.aligned);
    for (int i = 0; i < kRun; ++i) v[i] += r[i];
    store_run(residual + c, v, n.a.cols - c, n.aligned);
}

// The same values once more.
template <typename T>
__device__ __forceinline__ void load_again(float (&v)[kRun], const float* residual, const T* x, int64_t c,
                                           const Norm& n) {
    if (residual) {
        load_run(v, residual + c, n.a.cols - c, n.aligned);
    } else {
        load_run(v, x + c, n.a.cols - c, n.aligned);
        for (int i = 0; i < kRun; ++i) v[i] *= n.a.x_scale;
    }
}

// kHeld runs of a thread stay in registers; 0: none does, and the row may be of any length.
template <typename T, int kHeld, int kKind>
__global__ void __launch_bounds__(kMaxThreads) norm_kernel(Norm n) {
    NormShared& s = shared<NormShared>();
    const int64_t stride = static_cast<int64_t>(blockDim.x) * kRun;
    const int64_t first = static_cast<int64_t>(threadIdx.x) * kRun;
    const auto cols = static_cast<float>(n.a.cols);
    wait_for_previous();
    launch_next();
    for (int64_t row = blockIdx.x; row < n.a.rows; row += gridDim.x) {
        const T* x = static_cast<const T*>(n.a.x) + row * n.a.x_stride;
        T* y = static_cast<T*>(n.a.y) + row * n.a.y_stride;
        float* residual = n.a.residual ? n.a.residual + row * n.a.residual_stride : nullptr;
        float held[kHeld > 0 ? kHeld : 1][kRun];
        // Every run of the thread, from registers or from memory.
        auto for_runs = [&](auto body) {
            if constexpr (kHeld > 0) {
                for (int h = 0; h < kHeld; ++h) body(held[h], first + h * stride);
            } else {
                for (int64_t c = first; c < n.a.cols; c += stride) {
                    load_again(held[0], residual, x, c, n);
                    body(held[0], c);
                }
            }
        };
        float values = 0;
        float squares = 0;
        auto take = [&](float (&v)[kRun], int64_t c) {
            load_and_add(v, residual, x, c, n);
            for (int i = 0; i < kRun; ++i) {
                if constexpr (kKind == CT_NORM_LAYER) values += v[i];
                if constexpr (kKind == CT_NORM_RMS) squares = fma(v[i], v[i], squares);
            }
        };
        if constexpr (kHeld > 0) {
            for (int h = 0; h < kHeld; ++h) take(held[h], first + h * stride);
        } else {
            for (int64_t c = first; c < n.a.cols; c += stride) take(held[0], c);
        }
        float mean = 0;
        if constexpr (kKind == CT_NORM_LAYER) {
            mean = block_sum(s.of_values, values) / cols;
            for_runs([&](float (&v)[kRun], int64_t c) {
                for (int i = 0; i < kRun; ++i) {
                    const float deviation = c + i < n.a.cols ? v[i] - mean : 0.0f;
                    squares = fma(deviation, deviation, squares);
                }
            });
        }
        float factor = 1;
        if constexpr (kKind != CT_NORM_NONE) factor = 1.0f / sqrt(block_sum(s.of_squares, squares) / cols + n.a.eps);
        for_runs([&](float (&v)[kRun], int64_t c) {
            if constexpr (kKind != CT_NORM_NONE) {
                float weight[kRun];
                load_run(weight, n.a.weight + c, n.a.cols - c, true);
                for (int i = 0; i < kRun; ++i) v[i] = (v[i] - mean) * factor * weight[i];
            }
            store_run(y + c, v, n.a.cols - c, n.aligned);
        });
        if constexpr (kKind != CT_NORM_NONE) __syncthreads();  // the next row's sums take the place of these
    }
}

template <typename T, int kKind>
int32_t launch_norm(const LaunchContext& context, const ct::NormArgs& args) {
    const int64_t runs = ceil_div(args.cols, kRun);
    const int64_t threads = ceil_div(ceil_div(runs, 2), kWarp) * kWarp;
    LaunchShape shape;
    shape.blocks_x = args.rows < kMaxGridBlocks ? args.rows : kMaxGridBlocks;
    shape.threads = threads < kMaxThreads ? static_cast<int32_t>(threads) : kMaxThreads;
    shape.shared_bytes = sizeof(NormShared);
    const bool aligned = rows_aligned(args.y, args.y_stride, sizeof(T)) &&
                         rows_aligned(args.x, args.x_stride, sizeof(T)) &&
                         (!args.residual || rows_aligned(args.residual, args.residual_stride, sizeof(float)));
    const Norm n{args, aligned};
    if (runs <= 2 * kMaxThreads) return GPU_LAUNCH(context, shape, norm_kernel<T, 2, kKind>, n);
    if (runs <= 4 * kMaxThreads) return GPU_LAUNCH(context, shape, norm_kernel<T, 4, kKind>, n);
    return GPU_LAUNCH(context, shape, norm_kernel<T, 0, kKind>, n);
}

template <typename T>
int32_t launch_kind(const LaunchContext& context, const ct::NormArgs& args) {
    switch (args.kind) {
        case CT_NORM_RMS:
            return launch_norm<T, CT_NORM_RMS>(context, args);
        case CT_NORM_LAYER:
            return launch_norm<T, CT_NORM_LAYER>(context, args);
        default:
            return launch_norm<T, CT_NORM_NONE>(context, args);
    }
}

}  // namespace

int32_t norm(const LaunchContext& context, const ct::NormArgs& args) {
    return args.dtype == CT_F32 ? launch_kind<float>(context, args) : launch_kind<bf16>(context, args);
}

}  // namespace gpu
