// attention.cu: which kernel serves a call of ct_paged_attention.
#include "gpu/operations.h"
#include "kernels/attention/attention_gpu.h"
#include "kernels/attention/attention_plan.h"

namespace gpu {
namespace {

// What the plan's parameters do not tell: scale may differ between layers, and addresses come with the call.
bool fits_tensor_cores(const ct::AttentionArgs& args) {
    const auto is_aligned = [](const void* address, uintptr_t unit) {
        return reinterpret_cast<uintptr_t>(address) % unit == 0;
    };
    return attention::is_for_tensor_cores(args.p) && args.p.scale * args.p.k_scale > attention::kLeastScale &&
           is_aligned(args.q, 4) && is_aligned(args.out, 4) && is_aligned(args.plan, 16) &&
           is_aligned(args.k_cache, 16) && is_aligned(args.v_cache, 16);
}

}  // namespace

int32_t paged_attention(const LaunchContext& context, const ct::AttentionArgs& args) {
    if (!fits_tensor_cores(args)) return attention_fma(context, args);
    const int32_t status = attention_decode(context, args);  // also the rows of no sequence
    if (status != CT_OK || attention::is_decode_only(args.p)) return status;
    return attention_prefill(context, args);  // the place of a wgmma sibling for sm_90a
}

}  // namespace gpu
