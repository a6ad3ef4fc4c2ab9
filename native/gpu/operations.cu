// operations.cu: the table of a backend's operations. One that is not built yet is null: CT_UNSUPPORTED.
#include "gpu/operations.h"

namespace gpu {

extern const ct::Operations kOperations;
const ct::Operations kOperations = {
    nullptr,  // embedding
    nullptr,  // gather_rows
    nullptr,  // feed_tokens
    nullptr,  // rms_norm
    nullptr,  // rope_kv_write
    attention_plan_bytes,
    attention_plan,
    paged_attention,
    nullptr,  // linear
    nullptr,  // activation_mul
    nullptr,  // copy_blocks
    nullptr,  // argmax
    nullptr,  // sample_workspace_bytes
    nullptr,  // sample
};

}  // namespace gpu
