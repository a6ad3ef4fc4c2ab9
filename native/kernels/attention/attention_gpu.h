// attention_gpu.h: the kernels behind gpu::paged_attention (attention.cu chooses), each a host part that launches.
#pragma once

#include "core/backend.h"

namespace gpu {

// Plain float32 products and sums (attention_fma.cu): every shape and every pair of types; needs no plan.
int32_t attention_fma(const ct::LaunchContext& context, const ct::AttentionArgs& args);

// Tensor cores, sequences with few rows: what attention::is_for_tensor_cores says, with a plan (attention_decode.cu).
int32_t attention_decode(const ct::LaunchContext& context, const ct::AttentionArgs& args);

// The other sequences of the same calls and plans (attention_prefill.cu).
int32_t attention_prefill(const ct::LaunchContext& context, const ct::AttentionArgs& args);

}  // namespace gpu
