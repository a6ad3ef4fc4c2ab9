// rope.cpp: ct_rope_kv_write.
#include "kernels/rope/rope.h"

#include <algorithm>
#include <limits>

#include "core/kv_params.h"

namespace ct {
namespace {

constexpr int64_t kPieceHeads = 8;  // heads that one thread takes at a time; every head is on its own

template <typename T, typename K>
struct Rope {
    T* q;
    K* k_cache;
    K* v_cache;
    const T* qkv;
    const int32_t* positions;
    const int64_t* slots;
    const float* cos_sin;  // null: no rotation
    const float* q_norm;
    const float* k_norm;
    RopeHead<T, T> write_q;
    RopeHead<K, T> write_kv;
    int64_t num_tokens, num_positions, num_slots, q_stride, qkv_stride, block_stride;
    int32_t num_q_heads, num_kv_heads, head_dim, rotary_dim, style;
    float eps, k_scale, v_scale;

    int64_t num_heads() const { return int64_t{num_q_heads} + 2 * int64_t{num_kv_heads}; }

    void head(int64_t token, int64_t h) const {
        const T* x = qkv + token * qkv_stride + h * head_dim;
        bool known = !cos_sin || (positions[token] >= 0 && positions[token] < num_positions);
        const float* angles = cos_sin && known ? cos_sin + int64_t{positions[token]} * rotary_dim : nullptr;
        if (h < num_q_heads) {
            T* y = q + token * q_stride + h * head_dim;
            if (known) {
                write_q(y, x, {q_norm, angles, head_dim, rotary_dim, style, eps, 1});
            } else {
                std::fill_n(y, head_dim, from_float<T>(std::numeric_limits<float>::quiet_NaN()));
            }
            return;
        }
        int64_t slot = slots[token];
        if (!known || slot < 0 || slot >= num_slots) return;
        bool is_key = h < num_q_heads + num_kv_heads;
        int64_t kv_head = h - num_q_heads - (is_key ? 0 : num_kv_heads);
        int64_t at =
            slot / CT_KV_BLOCK_SIZE * block_stride + (kv_head * CT_KV_BLOCK_SIZE + slot % CT_KV_BLOCK_SIZE) * head_dim;
        if (is_key) {
            write_kv(k_cache + at, x, {k_norm, angles, head_dim, rotary_dim, style, eps, k_scale});
        } else {
            write_kv(v_cache + at, x, {nullptr, nullptr, head_dim, 0, style, eps, v_scale});
        }
    }

    void operator()(Team& team) const {
        int64_t pieces = (num_heads() + kPieceHeads - 1) / kPieceHeads;
        team.run(num_tokens * pieces, [this, pieces](int64_t part, int) {
            int64_t first = part % pieces * kPieceHeads;
            int64_t end = std::min(first + kPieceHeads, num_heads());
            for (int64_t h = first; h < end; ++h) head(part / pieces, h);
        });
    }
};

int32_t check_params(const char* function, const ct_rope_params& p) {
    auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    if (p.num_tokens < 0) return refuse("num_tokens", p.num_tokens, ">= 0");
    if (p.num_q_heads < 1) return refuse("num_q_heads", p.num_q_heads, ">= 1");
    if (p.num_kv_heads < 1) return refuse("num_kv_heads", p.num_kv_heads, ">= 1");
    if (p.head_dim < 16 || p.head_dim > kMaxHeadDim || p.head_dim % 16 != 0) {
        return refuse("head_dim", p.head_dim, "16 to 256, a multiple of 16");
    }
    if (p.style < CT_ROPE_NONE || p.style > CT_ROPE_NEIGHBOURS) return refuse("style", p.style, "0, 1 or 2");
    if (p.style != CT_ROPE_NONE) {
        if (p.rotary_dim < 2 || p.rotary_dim > p.head_dim || p.rotary_dim % 2 != 0) {
            return refuse("rotary_dim", p.rotary_dim, "even, from 2 to head_dim");
        }
        if (p.num_positions < 0) return refuse("num_positions", p.num_positions, ">= 0");
    }
    if (p.num_slots < 0 || p.num_slots % p.block_size != 0) {
        return refuse("num_slots", p.num_slots, ">= 0, a multiple of block_size");
    }
    if (!(p.eps >= 0)) return fail(CT_INVALID, "%s: eps=%g must be >= 0", function, static_cast<double>(p.eps));
    return check_activation_dtype(function, "dtype", p.dtype);
}

template <typename T, typename K>
int32_t enqueue_rope(ct_buffer* q, ct_buffer* k_cache, ct_buffer* v_cache, const ct_buffer* qkv,
                     const ct_buffer* positions, const ct_buffer* slots, const ct_buffer* cos_sin,
                     const ct_buffer* q_norm, const ct_buffer* k_norm, const ct_rope_params& p, ct_stream* stream) {
    const RopeHeads& heads = variant(stream, kRopeScalar, kRopeAvx2, kRopeAvx512);
    return enqueue(stream, Rope<T, K>{data<T>(q),
                                      data<K>(k_cache),
                                      data<K>(v_cache),
                                      data<T>(qkv),
                                      data<int32_t>(positions),
                                      data<int64_t>(slots),
                                      p.style == CT_ROPE_NONE ? nullptr : data<float>(cos_sin),
                                      data<float>(q_norm),
                                      data<float>(k_norm),
                                      heads.of<T, T>(),
                                      heads.of<K, T>(),
                                      p.num_tokens,
                                      p.num_positions,
                                      p.num_slots,
                                      p.q_stride,
                                      p.qkv_stride,
                                      p.block_stride,
                                      p.num_q_heads,
                                      p.num_kv_heads,
                                      p.head_dim,
                                      p.rotary_dim,
                                      p.style,
                                      p.eps,
                                      p.k_scale,
                                      p.v_scale});
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_rope_kv_write(ct_buffer* q, ct_buffer* k_cache, ct_buffer* v_cache, const ct_buffer* qkv,
                                    const ct_buffer* positions, const ct_buffer* slot_mapping, const ct_buffer* cos_sin,
                                    const ct_buffer* q_norm, const ct_buffer* k_norm, const ct_rope_params* params,
                                    ct_stream* stream) {
    ct_rope_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::settle_kv_params(__func__, ct::device_of(stream), &p));
    CT_TRY(ct::check_params(__func__, p));
    int64_t bytes = ct::dtype_bytes(p.dtype);
    int64_t kv_bytes = ct::dtype_bytes(p.kv_dtype);
    int64_t q_cols = int64_t{p.num_q_heads} * p.head_dim;
    int64_t kv_cols = int64_t{p.num_kv_heads} * p.head_dim;
    int64_t blocks = p.num_slots / p.block_size;
    int64_t page = kv_cols * p.block_size;
    CT_TRY(ct::check_matrix(__func__, "q", q, stream, p.num_tokens, q_cols, p.q_stride, bytes));
    CT_TRY(ct::check_matrix(__func__, "qkv", qkv, stream, p.num_tokens, q_cols + 2 * kv_cols, p.qkv_stride, bytes));
    CT_TRY(ct::check_matrix(__func__, "k_cache", k_cache, stream, blocks, page, p.block_stride, kv_bytes));
    CT_TRY(ct::check_matrix(__func__, "v_cache", v_cache, stream, blocks, page, p.block_stride, kv_bytes));
    CT_TRY(ct::check_buffer(__func__, "positions", positions, stream, p.num_tokens, 4));
    CT_TRY(ct::check_buffer(__func__, "slot_mapping", slot_mapping, stream, p.num_tokens, 8));
    if (p.style != CT_ROPE_NONE) {
        CT_TRY(ct::check_matrix(__func__, "cos_sin", cos_sin, stream, p.num_positions, p.rotary_dim, p.rotary_dim, 4));
    }
    CT_REQUIRE(!q_norm == !k_norm, "q_norm and k_norm must both be given or both be null");
    if (q_norm) CT_TRY(ct::check_buffer(__func__, "q_norm", q_norm, stream, p.head_dim, 4));
    if (k_norm) CT_TRY(ct::check_buffer(__func__, "k_norm", k_norm, stream, p.head_dim, 4));
    CT_REQUIRE(q->data != qkv->data || p.q_stride == p.qkv_stride || p.num_tokens < 2,
               "q is qkv, so q_stride=%lld must be qkv_stride=%lld", static_cast<long long>(p.q_stride),
               static_cast<long long>(p.qkv_stride));
    if (ct::has_backend(stream)) {
        return ct::launch(
            __func__, stream, &ct::Operations::rope_kv_write,
            {q->data, k_cache->data, v_cache->data, qkv->data, ct::data<int32_t>(positions),
             ct::data<int64_t>(slot_mapping), p.style == CT_ROPE_NONE ? nullptr : ct::data<float>(cos_sin),
             ct::data<float>(q_norm), ct::data<float>(k_norm), p});
    }
    return ct::with_dtype(p.dtype, [&]<typename T>(T*) {
        return ct::with_any_dtype(p.kv_dtype, [&]<typename K>(K*) {
            return ct::enqueue_rope<T, K>(q, k_cache, v_cache, qkv, positions, slot_mapping, cos_sin, q_norm, k_norm, p,
                                          stream);
        });
    });
}
