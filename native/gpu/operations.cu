// operations.cu: the table of a backend's operations. One that is not built yet is null: CT_UNSUPPORTED.
#include "gpu/operations.h"

namespace gpu {

extern const ct::Operations kOperations;
const ct::Operations kOperations = {
    embedding,      gather_rows, feed_tokens, rms_norm, rope_kv_write,
    nullptr,  // attention_plan_bytes
    nullptr,  // attention_plan
    nullptr,  // paged_attention
    nullptr,  // linear
    activation_mul, copy_blocks, argmax,
    sample_workspace_bytes,
    sample,
};

}  // namespace gpu
