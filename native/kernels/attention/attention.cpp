// attention.cpp: ct_paged_attention and its plan: the checks of their arguments, and the choice of a kernel.
#include <algorithm>
#include <climits>
#include <cmath>

#include "core/kv_params.h"
#include "kernels/attention/attention_run.h"

namespace {

using namespace ct::attention;

constexpr int32_t kMaxHeadDim = 256;

// The widest where the values lie in the keys; the one wider head whose values do not.
constexpr int32_t kLatentDim = 576;
constexpr int32_t kLatentDimV = 512;

// Places of keys are int32 in every kernel, also those of a piece of work that begins behind the last key.
constexpr int64_t kMostKeys = (int64_t{1} << 31) - 4096;

int32_t check_head_dims(const char* function, const ct_attention_params& p) {
    const auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return ct::fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    const auto is_dim = [](int32_t dim, int32_t most) { return dim >= 16 && dim <= most && dim % 16 == 0; };
    if (p.values_in_keys != 0 && p.values_in_keys != 1) return refuse("values_in_keys", p.values_in_keys, "0 or 1");
    if (p.values_in_keys) {
        if (!is_dim(p.head_dim, kLatentDim)) {
            return refuse("head_dim", p.head_dim, "a multiple of 16 from 16 to 576 with values_in_keys");
        }
        if (!is_dim(p.head_dim_v, std::min(p.head_dim, kLatentDimV))) {
            return refuse("head_dim_v", p.head_dim_v, "a multiple of 16 from 16 to head_dim and 512");
        }
        return CT_OK;
    }
    const bool is_latent = p.head_dim == kLatentDim;
    if (!is_latent && !is_dim(p.head_dim, kMaxHeadDim)) {
        return refuse("head_dim", p.head_dim, "a multiple of 16 from 16 to 256, or 576");
    }
    if (p.head_dim_v != (is_latent ? kLatentDimV : p.head_dim)) {
        return refuse("head_dim_v", p.head_dim_v, "head_dim, or 512 with head_dim 576");
    }
    return CT_OK;
}

// The lengths that a plan is sized by.
int32_t check_sizes(const char* function, const ct_attention_params& p) {
    const auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return ct::fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    if (p.num_tokens < 0 || p.num_tokens > INT32_MAX) return refuse("num_tokens", p.num_tokens, "in [0, 2^31)");
    if (p.num_seqs < 0 || p.num_seqs >= INT32_MAX) return refuse("num_seqs", p.num_seqs, "in [0, 2^31 - 1)");
    if (p.max_blocks < 0 || p.max_blocks > INT32_MAX) return refuse("max_blocks", p.max_blocks, "in [0, 2^31)");
    if (p.max_blocks * p.block_size > kMostKeys) {
        return refuse("max_blocks", p.max_blocks, "at most (2^31 - 4096) / block_size");
    }
    if (p.num_blocks < 0 || p.num_blocks > INT32_MAX) return refuse("num_blocks", p.num_blocks, "in [0, 2^31)");
    if (p.max_q_len < 0) return refuse("max_q_len", p.max_q_len, "0 or positive");
    if (p.balanced != 0 && p.balanced != 1) return refuse("balanced", p.balanced, "0 or 1");
    if (p.num_kv_heads < 1) return refuse("num_kv_heads", p.num_kv_heads, "at least 1");
    if (p.num_q_heads < 1 || p.num_q_heads % p.num_kv_heads != 0) {
        return refuse("num_q_heads", p.num_q_heads, "a multiple of num_kv_heads");
    }
    return CT_OK;
}

int32_t check_scores(const char* function, const ct_attention_params& p) {
    if (p.window < 0) {
        return ct::fail(CT_INVALID, "%s: window=%d must be 0 or positive", function, static_cast<int>(p.window));
    }
    if (!std::isfinite(p.scale)) {
        return ct::fail(CT_INVALID, "%s: scale=%g must be finite", function, static_cast<double>(p.scale));
    }
    if (!std::isfinite(p.soft_cap) || p.soft_cap < 0) {
        return ct::fail(CT_INVALID, "%s: soft_cap=%g must be finite and not negative", function,
                        static_cast<double>(p.soft_cap));
    }
    return CT_OK;
}

// Reads the caller's structure, puts the defaults in and checks everything but the buffers.
int32_t settle_params(const char* function, const ct_device* device, const ct_attention_params* given,
                      ct_attention_params* p) {
    CT_TRY(ct::read_params(function, p, sizeof *p, given));
    CT_TRY(ct::settle_kv_params(function, device, p));
    if (p->head_dim_v == 0) p->head_dim_v = p->head_dim;
    CT_TRY(check_sizes(function, *p));
    CT_TRY(check_head_dims(function, *p));
    CT_TRY(check_scores(function, *p));
    return ct::check_activation_dtype(function, "dtype", p->dtype);
}

int32_t plan_bytes(const ct_device* device, const ct_attention_params& p, int64_t* bytes) {
    *bytes = 0;
    if (!device->backend || !device->backend->operations->attention_plan_bytes) return CT_OK;
    return device->backend->operations->attention_plan_bytes(*device->limits, p, bytes);
}

Kernel choose_kernel(const ct_stream* stream, const ct_attention_params& p) {
    const ct_device* device = ct::device_of(stream);
    switch (device->isa) {
        case CT_ISA_AVX512:
            return device->halves_bf16 ? kernel_avx512_float(p.dtype, p.kv_dtype) : kernel_avx512(p.dtype, p.kv_dtype);
        case CT_ISA_AVX2:
            return kernel_avx2(p.dtype, p.kv_dtype);
        default:
            return kernel_scalar(p.dtype, p.kv_dtype);
    }
}

}  // namespace

int32_t ct_attention_plan_bytes(int64_t* bytes, const ct_device* device, const ct_attention_params* params) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(device, "device is null");
    ct_attention_params p;
    CT_TRY(settle_params(__func__, device, params, &p));
    CT_TRY(plan_bytes(device, p, bytes));
    return ct::ok();
}

int32_t ct_attention_plan(ct_buffer* plan, const ct_buffer* cu_seqlens_q, const ct_buffer* seqlens_kv,
                          const ct_attention_params* params, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    ct_attention_params p;
    CT_TRY(settle_params(__func__, ct::device_of(stream), params, &p));
    CT_TRY(ct::check_buffer(__func__, "cu_seqlens_q", cu_seqlens_q, stream, p.num_seqs + 1, 4));
    CT_TRY(ct::check_buffer(__func__, "seqlens_kv", seqlens_kv, stream, p.num_seqs, 4));
    int64_t needed = 0;
    CT_TRY(plan_bytes(ct::device_of(stream), p, &needed));
    if (needed == 0) return ct::ok();
    CT_TRY(ct::check_buffer(__func__, "plan", plan, stream, needed, 1));
    ct::AttentionArgs args{};
    args.cu_seqlens_q = ct::data<int32_t>(cu_seqlens_q);
    args.seqlens_kv = ct::data<int32_t>(seqlens_kv);
    args.plan = plan->data;
    args.plan_bytes = plan->bytes;
    args.p = p;
    return ct::launch(__func__, stream, &ct::Operations::attention_plan, args);
}

int32_t ct_paged_attention(ct_buffer* out, ct_buffer* lse, const ct_buffer* q, const ct_buffer* k_cache,
                           const ct_buffer* v_cache, const ct_buffer* block_table, const ct_buffer* cu_seqlens_q,
                           const ct_buffer* seqlens_kv, const ct_buffer* sinks, const ct_buffer* tree_mask,
                           ct_buffer* plan, const ct_attention_params* params, ct_stream* stream) {
    ct_attention_params p;
    CT_REQUIRE(stream != nullptr, "stream is null");
    CT_TRY(settle_params(__func__, ct::device_of(stream), params, &p));

    const int64_t block = int64_t{p.num_kv_heads} * p.block_size * p.head_dim;
    const int64_t block_v = int64_t{p.num_kv_heads} * p.block_size * p.head_dim_v;
    const int64_t heads = p.num_q_heads;
    const int64_t element = ct::dtype_bytes(p.dtype), kv_element = ct::dtype_bytes(p.kv_dtype);
    CT_TRY(ct::check_matrix(__func__, "out", out, stream, p.num_tokens, heads * p.head_dim_v, p.out_stride, element));
    CT_TRY(ct::check_matrix(__func__, "q", q, stream, p.num_tokens, heads * p.head_dim, p.q_stride, element));
    CT_TRY(ct::check_matrix(__func__, "k_cache", k_cache, stream, p.num_blocks, block, p.block_stride, kv_element));
    if (p.values_in_keys) {
        CT_REQUIRE(!v_cache, "v_cache must be null with values_in_keys");
    } else {
        CT_TRY(
            ct::check_matrix(__func__, "v_cache", v_cache, stream, p.num_blocks, block_v, p.block_stride, kv_element));
    }
    // Both factors are below 2^31.
    CT_TRY(ct::check_buffer(__func__, "block_table", block_table, stream, p.num_seqs * p.max_blocks, 4));
    CT_TRY(ct::check_buffer(__func__, "cu_seqlens_q", cu_seqlens_q, stream, p.num_seqs + 1, 4));
    CT_TRY(ct::check_buffer(__func__, "seqlens_kv", seqlens_kv, stream, p.num_seqs, 4));
    if (sinks) CT_TRY(ct::check_buffer(__func__, "sinks", sinks, stream, heads, 4));
    if (lse) {
        CT_TRY(ct::refuse_on_cpu(__func__, ct::device_of(stream), "lse", 1, "null only"));
        CT_TRY(ct::check_matrix(__func__, "lse", lse, stream, p.num_tokens, heads, heads, 4));
    }
    if (tree_mask) {
        CT_TRY(ct::refuse_on_cpu(__func__, ct::device_of(stream), "tree_mask", 1, "null only"));
        CT_TRY(ct::check_buffer(__func__, "tree_mask", tree_mask, stream, p.num_tokens, 8));
    }
    if (ct::has_backend(stream)) {
        int64_t needed = 0;
        CT_TRY(plan_bytes(ct::device_of(stream), p, &needed));
        if (needed > 0) CT_TRY(ct::check_buffer(__func__, "plan", plan, stream, needed, 1));
        return ct::launch(__func__, stream, &ct::Operations::paged_attention,
                          {out->data, ct::data<float>(lse), q->data, k_cache->data, ct::data<void>(v_cache),
                           ct::data<int32_t>(block_table), ct::data<int32_t>(cu_seqlens_q),
                           ct::data<int32_t>(seqlens_kv), ct::data<float>(sinks), ct::data<uint64_t>(tree_mask),
                           needed > 0 ? plan->data : nullptr, needed > 0 ? plan->bytes : 0, p});
    }

    const Call call{ct::data<void>(out),
                    ct::data<void>(q),
                    ct::data<unsigned char>(k_cache),
                    ct::data<unsigned char>(v_cache),
                    ct::data<int32_t>(block_table),
                    ct::data<int32_t>(cu_seqlens_q),
                    ct::data<int32_t>(seqlens_kv),
                    ct::data<float>(sinks),
                    p,
                    choose_kernel(stream, p)};
    CT_TRY(ct::enqueue(stream, [call](ct::Team& team) { run(call, team); }));
    return ct::ok();
}
