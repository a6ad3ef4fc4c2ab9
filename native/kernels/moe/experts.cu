// experts.cu: ct_moe_experts on GPUs: two products, each one launch for all experts.
//
//   first   gathers rows of x by the plan's slots while it stages them, multiplies with gate and up, and stores the
//           activation's result, expert by expert, into the workspace
//   second  multiplies that with down and stores each row at its slot of y; ct_moe_combine adds the slots
//
// The order of every sum is ct_linear's for the same matrix (linear_gpu.h: Ranges), so a row's bits depend neither on its
// tile nor on its neighbours, and with one expert the products are ct_linear's. The family is chosen as ct_linear chooses:
//   bf16 x and W, rows at multiples of 16 bytes, K % 8 == 0   experts_mma.cu
//   the same with W's codes kept (gpu_codes.h)                experts_codes.cu
//   all else                                                  experts_fma.cu
//
// Bytes, at best: 3 H I elements of each chosen expert, T H of x, T k I twice, T k H of y. Operations: 6 T k H I. Qwen3-30B-A3B
// (E 128, k 8, H 2048, I 768), bf16: T = 1: 75 MB, 17.6 us of an H200's 4.3 TB/s; 8: 487 MB, 113 us; 32: 1.06 GB, 245 us;
// 4096: 309 GFLOP, 391 us of 790 TFLOP/s. A wgmma + TMA sibling for many tokens has its place beside experts_mma.cu.
// Never run on a GPU.
#include "gpu/operations.h"
#include "kernels/moe/experts.cuh"

namespace {

using Launch = int32_t (*)(const gpu::LaunchContext&, const ct::MoeExpertsArgs&);

// A product's family: fits is what linear.cu's fits_mma asks of x and of the strides.
Launch choose(bool fits, ct::ExpertFormat w, ct::ExpertFormat up, Launch mma, Launch codes, Launch fma) {
    if (!fits || w.format != up.format || w.group_shift != up.group_shift) return fma;
    return w.format == CT_BF16 ? mma : ct::linear::GpuCodes::is(w.format) ? codes : fma;
}

bool fits_mma(const void* x, int64_t x_stride, int64_t k, int64_t w_stride, int32_t x_dtype) {
    return x_dtype == CT_BF16 && k % 8 == 0 && w_stride <= INT32_MAX && x_stride <= INT32_MAX &&
           gpu::gemm::aligned(x, x_stride * 2, 16);
}

}  // namespace

int32_t gpu::moe_experts(const LaunchContext& context, const ct::MoeExpertsArgs& a) {
    const bool fits_first = fits_mma(a.x, a.p.x_stride, a.hidden, a.hidden_stride, a.p.x_dtype);
    const bool fits_second = fits_mma(a.workspace, a.inner, a.inner, a.inner_stride, a.p.x_dtype);
    CT_TRY(choose(fits_first, a.gate, a.up, moe::launch_first_mma, moe::launch_first_codes, moe::launch_first_fma)(
        context, a));
    return choose(fits_second, a.down, a.down, moe::launch_second_mma, moe::launch_second_codes,
                  moe::launch_second_fma)(context, a);
}
