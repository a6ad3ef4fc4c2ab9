// kv_params.h: what ct_rope_params and ct_attention_params say about the cache, checked and with the defaults put in.
#pragma once

#include <cmath>

#include "core/backend.h"

namespace ct {

template <typename Params>
int32_t settle_kv_params(const char* function, const ct_device* device, Params* p) {
    if (p->block_size == 0) p->block_size = CT_KV_BLOCK_SIZE;
    if (p->block_size != 16 && p->block_size != 32 && p->block_size != 64) {
        return fail(CT_INVALID, "%s: block_size=%d must be 16, 32 or 64", function, static_cast<int>(p->block_size));
    }
    if (p->block_size != CT_KV_BLOCK_SIZE) {
        CT_TRY(refuse_on_cpu(function, device, "block_size", p->block_size, "16"));
    }
    if (p->kv_dtype < CT_F32 || p->kv_dtype > CT_F8_E4M3) {
        return fail(CT_INVALID, "%s: kv_dtype=%d is not a ct_dtype", function, static_cast<int>(p->kv_dtype));
    }
    for (float* scale : {&p->k_scale, &p->v_scale}) {
        if (*scale == 0) *scale = 1;
        if (!std::isfinite(*scale) || *scale < 0) {
            return fail(CT_INVALID, "%s: k_scale and v_scale must be positive and finite, not %g", function,
                        static_cast<double>(*scale));
        }
        if (*scale != 1 && p->kv_dtype != CT_F8_E4M3) {
            return fail(CT_INVALID, "%s: k_scale and v_scale are for CT_F8_E4M3, kv_dtype=%d", function,
                        static_cast<int>(p->kv_dtype));
        }
    }
    return CT_OK;
}

}  // namespace ct
