// experts_fma.cu: the experts' products with float32 products and sums, of any formats and alignment: the strict mode
// (float32 activations). The order of sums is linear_fma.cu's; kept codes are taken as the float32 that they stand for.
//
// A block of 128 threads computes 16 rows at a time of a tile times 32 columns, four rows a thread; 64 columns of x and W
// are staged in shared memory as float32. Of 5 loads from shared memory come 4 FMAs (8 of 6 with two matrices): bound by
// shared memory, predicted 0.3 of the FMA units' rate, and 0.3 of copy bandwidth for one token, whose staging nothing
// overlaps. It serves checks rather than production. 25 KB of shared memory a block: 8 of them reside.
// Never run on a GPU.
#include "kernels/moe/experts.cuh"

namespace gpu::moe {
namespace {

constexpr int kThreads = 128;
constexpr int kRows = 16;
constexpr int kCols = kWarp;
constexpr int kThreadRows = kRows * kCols / kThreads;
constexpr int kStep = static_cast<int>(gemm::kStepK);

struct FmaShared {
    float x[kRows][kStep + 1];
    float w[2][kCols][kStep + 1];  // 65 floats a row: lanes that read their rows' same k meet no bank twice
};

__device__ __forceinline__ float element(const void* matrix, int64_t at, int32_t dtype) {
    return dtype == CT_F32 ? static_cast<const float*>(matrix)[at] : to_float(static_cast<const bf16*>(matrix)[at]);
}

template <bool GATED>
struct FmaTile {
    const Product& p;
    const Place& place;
    FmaShared& s;
    int row0;  // of the tile

    __device__ __forceinline__ float weight(const void* matrix, int row, int64_t k, ct::ExpertFormat stored) const {
        if (ct::linear::GpuCodes::is(stored.format)) {
            return ct::linear::gpu_code_value(p.codes(stored), matrix, place.col0 + row, k);
        }
        return element(matrix, (place.col0 + row) * p.w_stride + k, stored.format);
    }

    // W's padding makes all of its rows and columns valid; beyond K and the tile's rows x counts as zero.
    __device__ __forceinline__ void stage(int64_t k) const {
        const ct::ExpertMatrices& m = p.experts[place.expert];
        for (int i = static_cast<int>(threadIdx.x); i < kRows * kStep; i += kThreads) {
            const int row = i / kStep;
            const int64_t col = k + i % kStep;
            const bool valid = row0 + row < place.rows && col < p.k;
            s.x[row][i % kStep] =
                valid ? element(p.x, x_row<GATED>(p, place, row0 + row) * p.x_stride + col, p.x_dtype) : 0.0f;
        }
        for (int i = static_cast<int>(threadIdx.x); i < kCols * kStep; i += kThreads) {
            s.w[0][i / kStep][i % kStep] = weight(GATED ? m.gate : m.down, i / kStep, k + i % kStep, p.w);
            if constexpr (GATED) s.w[1][i / kStep][i % kStep] = weight(m.up, i / kStep, k + i % kStep, p.up);
        }
    }

    __device__ __forceinline__ void run() const {
        float sums[2][kThreadRows] = {};
        float totals[2][kThreadRows] = {};
        const int row = warp() * kThreadRows;
        const int64_t end = ceil_div(p.k, int64_t{kStep}) * kStep;
        int64_t range_end = p.ranges.length;
        for (int64_t k = 0; k < end; k += kStep) {
            __syncthreads();  // nobody reads the step before any more
            stage(k);
            __syncthreads();
            for (int i = 0; i < kStep; ++i) {
#pragma unroll
                for (int r = 0; r < kThreadRows; ++r) {
                    const float x = s.x[row + r][i];
                    sums[0][r] = fma(x, s.w[0][lane()][i], sums[0][r]);
                    if constexpr (GATED) sums[1][r] = fma(x, s.w[1][lane()][i], sums[1][r]);
                }
            }
            if (k + kStep != range_end && k + kStep != end) continue;
            range_end += p.ranges.length;
#pragma unroll
            for (int r = 0; r < kThreadRows; ++r) {
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    totals[m][r] += sums[m][r];
                    sums[m][r] = 0;
                }
            }
        }
        const int64_t col = place.col0 + lane();
#pragma unroll
        for (int r = 0; r < kThreadRows; ++r) {
            if (row0 + row + r < place.rows && col < p.n) {
                store<GATED>(p, place, row0 + row + r, col, totals[0][r], totals[1][r]);
            }
        }
    }
};

template <bool GATED>
__global__ void __launch_bounds__(kThreads, 8) experts_fma(Product p) {
    wait_for_previous();
    launch_next();
    const Place place(p, kCols);
    for (int row0 = 0; row0 < place.rows; row0 += kRows) {
        FmaTile<GATED>{p, place, shared<FmaShared>(), row0}.run();
    }
}

}  // namespace

int32_t launch_first_fma(const LaunchContext& context, const ct::MoeExpertsArgs& args) {
    const Product p = first_product(args, gemm::kFmaRanges);
    const LaunchShape shape = shape_of(p, args.p.num_tokens, kCols, kThreads, sizeof(FmaShared));
    return GPU_LAUNCH(context, shape, experts_fma<true>, p);
}

int32_t launch_second_fma(const LaunchContext& context, const ct::MoeExpertsArgs& args) {
    const Product p = second_product(args, gemm::kFmaRanges);
    const LaunchShape shape = shape_of(p, args.p.num_tokens, kCols, kThreads, sizeof(FmaShared));
    return GPU_LAUNCH(context, shape, experts_fma<false>, p);
}

}  // namespace gpu::moe
