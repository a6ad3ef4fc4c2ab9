// operations.cu: the table of a backend's operations.
#include "gpu/operations.h"

namespace gpu {

extern const ct::Operations kOperations;
const ct::Operations kOperations = {
    .embedding = embedding,
    .gather_rows = gather_rows,
    .feed_tokens = feed_tokens,
    .sum_rows = sum_rows,
    .norm = norm,
    .rope_kv_write = rope_kv_write,
    .latent_kv_write = latent_kv_write,
    .attention_plan_bytes = attention_plan_bytes,
    .attention_plan = attention_plan,
    .paged_attention = paged_attention,
    .linear = linear,
    .linear_heads = linear_heads,
    .activation_mul = activation_mul,
    .soft_cap = soft_cap,
    .copy_blocks = copy_blocks,
    .argmax = argmax,
    .sample_workspace_bytes = sample_workspace_bytes,
    .sample = sample,
    .verify_workspace_bytes = verify_workspace_bytes,
    .verify = verify,
    .kv_move = kv_move,
    .moe_route = moe_route,
    .moe_plan_bytes = moe_plan_bytes,
    .moe_plan = moe_plan,
    .moe_experts = moe_experts,
    .moe_combine = moe_combine,
};

}  // namespace gpu
