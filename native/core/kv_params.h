// kv_params.h: what ct_rope_params, ct_latent_params and ct_attention_params say about the cache, checked and with the
// defaults put in.
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
    const auto settle_scale = [&](float* scale) {
        if (*scale == 0) *scale = 1;
        if (!std::isfinite(*scale) || *scale < 0) {
            return fail(CT_INVALID, "%s: k_scale and v_scale must be positive and finite, not %g", function,
                        static_cast<double>(*scale));
        }
        if (*scale != 1 && p->kv_dtype != CT_F8_E4M3) {
            return fail(CT_INVALID, "%s: k_scale and v_scale are for CT_F8_E4M3, kv_dtype=%d", function,
                        static_cast<int>(p->kv_dtype));
        }
        return int32_t{CT_OK};
    };
    CT_TRY(settle_scale(&p->k_scale));
    if constexpr (requires { p->v_scale; }) CT_TRY(settle_scale(&p->v_scale));
    return CT_OK;
}

// Calls body(static_cast<K*>(nullptr)) with the type of any ct_dtype.
template <typename Body>
int32_t with_any_dtype(int32_t dtype, const Body& body) {
    switch (dtype) {
        case CT_F16:
            return body(static_cast<f16*>(nullptr));
        case CT_F8_E4M3:
            return body(static_cast<e4m3*>(nullptr));
        default:
            return with_dtype(dtype, body);
    }
}

}  // namespace ct
