// sum_rows.cu: ct_sum_rows. Not yet run on a GPU.
//
// Floor: a segment reads rows * cols elements once. Predicted for one segment of 2048 x 4096 bf16 on an H200: 17 MB,
// 4 us of traffic; a thread adds its column's rows in order with kAhead loads in flight, 2048 / 8 rounds of some 600 ns,
// so latency rules: about 150 us, against some 20 ms that the prefill of those tokens takes. Narrow blocks spread the
// columns over the multiprocessors.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kThreads = 64;
constexpr int kAhead = 8;  // rows loaded before the first of them is added

template <typename T>
__global__ void sum_rows_kernel(ct::SumRowsArgs a) {
    wait_for_previous();
    launch_next();
    const int64_t tiles = (a.cols + kThreads - 1) / kThreads;
    for (int64_t part = blockIdx.x; part < a.num_segments * tiles; part += gridDim.x) {
        const int32_t* segment = a.segments + part / tiles * 4;
        const int64_t c = part % tiles * kThreads + threadIdx.x;
        const int64_t first = segment[0];
        const int64_t end = segment[1];
        const int64_t n = segment[2];
        if (n < 0 || n >= a.num_sums || c >= a.cols) continue;
        float* at = a.sums + n * a.cols + c;
        if (first < 0 || end > a.x_rows || first > end) {
            *at = nan();
            continue;
        }
        const T* x = static_cast<const T*>(a.x) + c;
        float sum = segment[3] != 0 ? 0.0f : *at;
        for (int64_t row = first; row < end; row += kAhead) {
            float v[kAhead];
            for (int i = 0; i < kAhead; ++i) v[i] = row + i < end ? to_float(x[(row + i) * a.x_stride]) : 0.0f;
            for (int i = 0; i < kAhead; ++i) {
                if (row + i < end) sum += v[i];
            }
        }
        *at = sum;
    }
}

}  // namespace

int32_t sum_rows(const LaunchContext& context, const ct::SumRowsArgs& args) {
    LaunchShape shape;
    shape.threads = kThreads;
    const int64_t tiles = ceil_div(args.cols, kThreads);
    if (__builtin_mul_overflow(args.num_segments, tiles, &shape.blocks_x) || shape.blocks_x > kMaxGridBlocks) {
        shape.blocks_x = kMaxGridBlocks;
    }
    return args.dtype == CT_F32 ? GPU_LAUNCH(context, shape, sum_rows_kernel<float>, args)
                                : GPU_LAUNCH(context, shape, sum_rows_kernel<bf16>, args);
}

}  // namespace gpu
