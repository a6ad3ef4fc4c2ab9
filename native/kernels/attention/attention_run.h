// attention_run.h: one call of ct_paged_attention as it waits in a stream.
#pragma once

#include "core/core.h"
#include "kernels/attention/attention.h"

namespace ct::attention {

struct Call {
    void* out;
    const void* q;
    const unsigned char* k_cache;
    const unsigned char* v_cache;
    const int32_t* block_table;
    const int32_t* cu_seqlens_q;
    const int32_t* seqlens_kv;
    const float* sinks;  // nullable
    ct_attention_params params;
    Kernel kernel;
};

// Runs the call with the team. Nothing in the three int32 arrays is trusted.
void run(const Call& call, Team& team);

}  // namespace ct::attention
