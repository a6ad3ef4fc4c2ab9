// attention.cpp: ct_paged_attention: the checks of its arguments, and the choice of a kernel.
#include <climits>
#include <cmath>

#include "kernels/attention/attention_run.h"

namespace {

using namespace ct::attention;

int32_t check_params(const char* function, const ct_attention_params& p) {
    const auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return ct::fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    if (p.num_tokens < 0 || p.num_tokens > INT32_MAX) return refuse("num_tokens", p.num_tokens, "in [0, 2^31)");
    if (p.num_seqs < 0 || p.num_seqs >= INT32_MAX) return refuse("num_seqs", p.num_seqs, "in [0, 2^31 - 1)");
    if (p.max_blocks < 0 || p.max_blocks > INT32_MAX) return refuse("max_blocks", p.max_blocks, "in [0, 2^31)");
    if (p.num_blocks < 0 || p.num_blocks > INT32_MAX) return refuse("num_blocks", p.num_blocks, "in [0, 2^31)");
    if (p.num_kv_heads < 1) return refuse("num_kv_heads", p.num_kv_heads, "at least 1");
    if (p.num_q_heads < 1 || p.num_q_heads % p.num_kv_heads != 0) {
        return refuse("num_q_heads", p.num_q_heads, "a multiple of num_kv_heads");
    }
    if (p.head_dim < 16 || p.head_dim > kMaxHeadDim || p.head_dim % 16 != 0) {
        return refuse("head_dim", p.head_dim, "a multiple of 16 from 16 to 256");
    }
    if (p.window < 0) return refuse("window", p.window, "0 or positive");
    if (!std::isfinite(p.scale)) {
        return ct::fail(CT_INVALID, "%s: scale=%g must be finite", function, static_cast<double>(p.scale));
    }
    if (!std::isfinite(p.soft_cap) || p.soft_cap < 0) {
        return ct::fail(CT_INVALID, "%s: soft_cap=%g must be finite and not negative", function,
                        static_cast<double>(p.soft_cap));
    }
    return CT_OK;
}

Kernel choose_kernel(const ct_stream* stream, const ct_attention_params& p) {
    switch (ct::device_of(stream)->isa) {
        case CT_ISA_AVX512:
            return kernel_avx512(p.dtype, p.kv_dtype);
        case CT_ISA_AVX2:
            return kernel_avx2(p.dtype, p.kv_dtype);
        default:
            return kernel_scalar(p.dtype, p.kv_dtype);
    }
}

}  // namespace

int32_t ct_paged_attention(ct_buffer* out, const ct_buffer* q, const ct_buffer* k_cache, const ct_buffer* v_cache,
                           const ct_buffer* block_table, const ct_buffer* cu_seqlens_q, const ct_buffer* seqlens_kv,
                           const ct_buffer* sinks, const ct_attention_params* params, ct_stream* stream) {
    ct_attention_params p;
    CT_REQUIRE(stream != nullptr, "stream is null");
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(check_params(__func__, p));
    CT_TRY(ct::check_activation_dtype(__func__, "dtype", p.dtype));
    CT_TRY(ct::check_activation_dtype(__func__, "kv_dtype", p.kv_dtype));

    const int64_t row = int64_t{p.num_q_heads} * p.head_dim;
    const int64_t block = int64_t{p.num_kv_heads} * CT_KV_BLOCK_SIZE * p.head_dim;
    const int64_t element = ct::dtype_bytes(p.dtype), kv_element = ct::dtype_bytes(p.kv_dtype);
    CT_TRY(ct::check_matrix(__func__, "out", out, stream, p.num_tokens, row, p.out_stride, element));
    CT_TRY(ct::check_matrix(__func__, "q", q, stream, p.num_tokens, row, p.q_stride, element));
    CT_TRY(ct::check_matrix(__func__, "k_cache", k_cache, stream, p.num_blocks, block, p.block_stride, kv_element));
    CT_TRY(ct::check_matrix(__func__, "v_cache", v_cache, stream, p.num_blocks, block, p.block_stride, kv_element));
    // Both factors are below 2^31.
    CT_TRY(ct::check_buffer(__func__, "block_table", block_table, stream, p.num_seqs * p.max_blocks, 4));
    CT_TRY(ct::check_buffer(__func__, "cu_seqlens_q", cu_seqlens_q, stream, p.num_seqs + 1, 4));
    CT_TRY(ct::check_buffer(__func__, "seqlens_kv", seqlens_kv, stream, p.num_seqs, 4));
    if (sinks != nullptr) {
        CT_TRY(ct::check_buffer(__func__, "sinks", sinks, stream, p.num_q_heads, 4));
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
