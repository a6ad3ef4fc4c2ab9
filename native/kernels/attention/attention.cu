// attention.cu: which kernel serves a call of ct_paged_attention.
#include "gpu/operations.h"
#include "kernels/attention/attention_gpu.h"

namespace gpu {

int32_t paged_attention(const LaunchContext& context, const ct::AttentionArgs& args) {
    return attention_fma(context, args);
}

}  // namespace gpu
