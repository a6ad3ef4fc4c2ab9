// combine.cu: ct_moe_combine: a thread has 8 columns of a token and adds its slots in order. Not yet run on a GPU.
//
// Floor: num_tokens * cols * (top_k of y + 1 of out [+ 1 of shared]) elements / copy bandwidth. For Qwen3-30B-A3B (k 8,
// 2048 columns, y float32, out bf16) 70 KB a token: T = 4096 285 MB, 66 us of an H200's 4.3 TB/s; predicted 0.85 of it,
// a tenth of the products' time. T = 1: one block, the time of a launch.
#include <type_traits>

#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kRun = 8;

struct Combine {
    ct::MoeCombineArgs a;
    int64_t tiles;
    bool aligned_out, aligned_y, aligned_shared;
};

template <typename Out, typename Y, typename Shared>
__global__ void combine_kernel(Combine c) {
    wait_for_previous();
    launch_next();
    const ct_moe_combine_params& p = c.a.p;
    for (int64_t part = blockIdx.x; part < p.num_tokens * c.tiles; part += gridDim.x) {
        const int64_t token = part / c.tiles;
        const int64_t col = (part % c.tiles * blockDim.x + threadIdx.x) * kRun;
        const auto* y = static_cast<const Y*>(c.a.y) + token * p.top_k * p.y_stride + col;
        float sum[kRun] = {};
        for (int32_t j = 0; j < p.top_k; ++j) {
            const int32_t id = c.a.ids[token * p.top_k + j];
            if (id < 0 || id >= p.num_experts || (c.a.present && c.a.present[id] == 0)) continue;
            const float weight = c.a.weights[token * p.top_k + j];
            float v[kRun];
            load_run(v, y + j * p.y_stride, p.cols - col, c.aligned_y);
            for (int i = 0; i < kRun; ++i) sum[i] = fma(weight, v[i], sum[i]);
        }
        if (c.a.shared) {
            const float factor = c.a.shared_gate ? 1.0f / (1.0f + exp(-c.a.shared_gate[token])) : 1.0f;
            float v[kRun];
            load_run(v, static_cast<const Shared*>(c.a.shared) + token * p.shared_stride + col, p.cols - col,
                     c.aligned_shared);
            for (int i = 0; i < kRun; ++i) sum[i] = fma(factor, v[i], sum[i]);
        }
        store_run(static_cast<Out*>(c.a.out) + token * p.out_stride + col, sum, p.cols - col, c.aligned_out);
    }
}

template <typename Out, typename Y>
int32_t launch_combine(const LaunchContext& context, const LaunchShape& shape, const Combine& c) {
    return c.a.p.shared_dtype == CT_F32 ? GPU_LAUNCH(context, shape, combine_kernel<Out, Y, float>, c)
                                        : GPU_LAUNCH(context, shape, combine_kernel<Out, Y, bf16>, c);
}

template <typename Out>
int32_t launch_combine(const LaunchContext& context, const LaunchShape& shape, const Combine& c) {
    return c.a.p.y_dtype == CT_F32 ? launch_combine<Out, float>(context, shape, c)
                                   : launch_combine<Out, bf16>(context, shape, c);
}

}  // namespace

int32_t moe_combine(const LaunchContext& context, const ct::MoeCombineArgs& args) {
    const ct_moe_combine_params& p = args.p;
    const TileGrid grid(ceil_div(p.cols, kRun), 1);
    const Combine c = {args, grid.tiles, rows_aligned(args.out, p.out_stride, ct::dtype_bytes(p.out_dtype)),
                       rows_aligned(args.y, p.y_stride, ct::dtype_bytes(p.y_dtype)),
                       args.shared && rows_aligned(args.shared, p.shared_stride, ct::dtype_bytes(p.shared_dtype))};
    const LaunchShape shape = grid.shape(p.num_tokens);
    return p.out_dtype == CT_F32 ? launch_combine<float>(context, shape, c) : launch_combine<bf16>(context, shape, c);
}

}  // namespace gpu
