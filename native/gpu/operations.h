// operations.h: the host parts of the kernels, one function an operation, each in kernels/FAMILY/*.cu. A new operation
// is declared here, put into the table of operations.cu, and given its arguments in core/backend.h.
#pragma once

#include "core/backend.h"

namespace gpu {

using ct::DeviceLimits;
using ct::LaunchContext;

int32_t embedding(const LaunchContext& context, const ct::EmbeddingArgs& args);
int32_t gather_rows(const LaunchContext& context, const ct::GatherRowsArgs& args);
int32_t feed_tokens(const LaunchContext& context, const ct::FeedTokensArgs& args);
int32_t sum_rows(const LaunchContext& context, const ct::SumRowsArgs& args);
int32_t norm(const LaunchContext& context, const ct::NormArgs& args);
int32_t rope_kv_write(const LaunchContext& context, const ct::RopeArgs& args);
int32_t latent_kv_write(const LaunchContext& context, const ct::LatentArgs& args);
int32_t attention_plan_bytes(const DeviceLimits& limits, const ct_attention_params& params, int64_t* bytes);
int32_t attention_plan(const LaunchContext& context, const ct::AttentionArgs& args);
int32_t paged_attention(const LaunchContext& context, const ct::AttentionArgs& args);
int32_t linear(const LaunchContext& context, const ct::LinearArgs& args);
int32_t linear_heads(const LaunchContext& context, const ct::LinearHeadsArgs& args);
int32_t activation_mul(const LaunchContext& context, const ct::ActivationArgs& args);
int32_t soft_cap(const LaunchContext& context, const ct::SoftCapArgs& args);
int32_t copy_blocks(const LaunchContext& context, const ct::CopyBlocksArgs& args);
int32_t argmax(const LaunchContext& context, const ct::ArgmaxArgs& args);
int32_t sample_workspace_bytes(const DeviceLimits& limits, const ct_sample_params& params, int64_t* bytes);
int32_t sample(const LaunchContext& context, const ct::SampleArgs& args);
int32_t verify_workspace_bytes(const DeviceLimits& limits, const ct_verify_params& params, int64_t* bytes);
int32_t verify(const LaunchContext& context, const ct::VerifyArgs& args);
int32_t kv_move(const LaunchContext& context, const ct::KvMoveArgs& args);
int32_t moe_route(const LaunchContext& context, const ct::MoeRouteArgs& args);
int32_t moe_plan_bytes(const DeviceLimits& limits, const ct::MoePlanArgs& args, int64_t* bytes);
int32_t moe_plan(const LaunchContext& context, const ct::MoePlanArgs& args);
int32_t moe_experts(const LaunchContext& context, const ct::MoeExpertsArgs& args);
int32_t moe_combine(const LaunchContext& context, const ct::MoeCombineArgs& args);

extern const ct::Operations kOperations;

}  // namespace gpu
