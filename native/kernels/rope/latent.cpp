// latent.cpp: ct_latent_kv_write, in the parts of ct_rope_kv_write.
#include <algorithm>
#include <limits>

#include "core/kv_params.h"
#include "kernels/rope/rope.h"

namespace ct {
namespace {

constexpr int64_t kPieceHeads = 16;  // heads that one thread takes at a time; every head is on its own

template <typename T, typename K>
struct Latent {
    LatentArgs a;
    RopeHead<T, T> write_q;
    RopeHead<K, T> write_kv;

    HeadWork rotation(const float* angles, float scale) const {
        return {nullptr, angles, a.p.rope_dim, a.p.rope_dim, a.p.style, a.p.eps, scale};
    }

    // angles: null where the token's position is not in the table.
    void head(int64_t token, int64_t h, const float* angles) const {
        const ct_latent_params& p = a.p;
        T* y = static_cast<T*>(a.q) + token * p.q_stride + h * (p.latent_dim + p.rope_dim) + p.latent_dim;
        const T* x =
            static_cast<const T*>(a.queries) + token * p.queries_stride + h * (p.nope_dim + p.rope_dim) + p.nope_dim;
        if (angles) {
            write_q(y, x, rotation(angles, 1));
        } else {
            std::fill_n(y, p.rope_dim, from_float<T>(std::numeric_limits<float>::quiet_NaN()));
        }
    }

    void key(int64_t token, const float* angles) const {
        const ct_latent_params& p = a.p;
        const int64_t slot = a.slot_mapping[token];
        if (!angles || slot < 0 || slot >= p.num_slots) return;
        const T* x = static_cast<const T*>(a.kv) + token * p.kv_stride;
        K* y = static_cast<K*>(a.k_cache) + slot / p.block_size * p.block_stride +
               slot % p.block_size * (p.latent_dim + p.rope_dim);
        write_kv(y, x, {a.kv_norm, nullptr, p.latent_dim, 0, p.style, p.eps, p.k_scale});
        write_kv(y + p.latent_dim, x + p.latent_dim, rotation(angles, p.k_scale));
    }

    void operator()(Team& team) const {
        const ct_latent_params& p = a.p;
        const int64_t pieces = (p.num_heads + kPieceHeads - 1) / kPieceHeads;
        team.run(p.num_tokens * pieces, [&](int64_t part, int) {
            const int64_t token = part / pieces, first = part % pieces * kPieceHeads;
            const int64_t position = a.positions[token];
            const bool known = position >= 0 && position < p.num_positions;
            const float* angles = known ? a.cos_sin + position * p.rope_dim : nullptr;
            if (first == 0) key(token, angles);
            for (int64_t h = first; h < std::min<int64_t>(first + kPieceHeads, p.num_heads); ++h) {
                head(token, h, angles);
            }
        });
    }
};

int32_t check_latent(const char* function, const ct_latent_params& p) {
    const auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    const auto is_dim = [](int32_t dim, int32_t least, int64_t most) {
        return dim >= least && dim <= most && dim % 16 == 0;
    };
    if (p.num_tokens < 0) return refuse("num_tokens", p.num_tokens, ">= 0");
    if (p.num_heads < 1) return refuse("num_heads", p.num_heads, ">= 1");
    if (!is_dim(p.nope_dim, 0, INT32_MAX / 2)) return refuse("nope_dim", p.nope_dim, "a multiple of 16");
    if (!is_dim(p.latent_dim, 16, kMaxLatentDim)) {
        return refuse("latent_dim", p.latent_dim, "16 to 512, a multiple of 16");
    }
    if (!is_dim(p.rope_dim, 16, kMaxHeadDim)) return refuse("rope_dim", p.rope_dim, "16 to 256, a multiple of 16");
    if (p.style != CT_ROPE_HALVES && p.style != CT_ROPE_NEIGHBOURS) return refuse("style", p.style, "1 or 2");
    if (p.num_positions < 0) return refuse("num_positions", p.num_positions, ">= 0");
    if (p.num_slots < 0 || p.num_slots % p.block_size != 0) {
        return refuse("num_slots", p.num_slots, ">= 0, a multiple of block_size");
    }
    if (!(p.eps >= 0)) return fail(CT_INVALID, "%s: eps=%g must be >= 0", function, static_cast<double>(p.eps));
    return check_activation_dtype(function, "dtype", p.dtype);
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_latent_kv_write(ct_buffer* q, ct_buffer* k_cache, const ct_buffer* queries, const ct_buffer* kv,
                                      const ct_buffer* positions, const ct_buffer* slot_mapping,
                                      const ct_buffer* cos_sin, const ct_buffer* kv_norm,
                                      const ct_latent_params* params, ct_stream* stream) {
    ct_latent_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::settle_kv_params(__func__, ct::device_of(stream), &p));
    CT_TRY(ct::check_latent(__func__, p));
    const int64_t bytes = ct::dtype_bytes(p.dtype), kv_bytes = ct::dtype_bytes(p.kv_dtype);
    const int64_t key = int64_t{p.latent_dim} + p.rope_dim, blocks = p.num_slots / p.block_size;
    const int64_t query = int64_t{p.nope_dim} + p.rope_dim;
    CT_TRY(ct::check_matrix(__func__, "q", q, stream, p.num_tokens, p.num_heads * key, p.q_stride, bytes));
    CT_TRY(
        ct::check_matrix(__func__, "k_cache", k_cache, stream, blocks, key * p.block_size, p.block_stride, kv_bytes));
    CT_TRY(ct::check_matrix(__func__, "queries", queries, stream, p.num_tokens, p.num_heads * query, p.queries_stride,
                            bytes));
    CT_TRY(ct::check_matrix(__func__, "kv", kv, stream, p.num_tokens, key, p.kv_stride, bytes));
    CT_TRY(ct::check_buffer(__func__, "positions", positions, stream, p.num_tokens, 4));
    CT_TRY(ct::check_buffer(__func__, "slot_mapping", slot_mapping, stream, p.num_tokens, 8));
    CT_TRY(ct::check_matrix(__func__, "cos_sin", cos_sin, stream, p.num_positions, p.rope_dim, p.rope_dim, 4));
    CT_TRY(ct::check_buffer(__func__, "kv_norm", kv_norm, stream, p.latent_dim, 4));
    const ct::LatentArgs args{q->data,
                              k_cache->data,
                              queries->data,
                              kv->data,
                              ct::data<int32_t>(positions),
                              ct::data<int64_t>(slot_mapping),
                              ct::data<float>(cos_sin),
                              ct::data<float>(kv_norm),
                              p};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::latent_kv_write, args);
    return ct::with_dtype(p.dtype, [&]<typename T>(T*) {
        return ct::with_any_dtype(p.kv_dtype, [&]<typename K>(K*) {
            const ct::RopeHeads& heads = ct::variant(stream, ct::kRopeScalar, ct::kRopeAvx2, ct::kRopeAvx512);
            return ct::enqueue(stream, ct::Latent<T, K>{args, heads.of<T, T>(), heads.of<K, T>()});
        });
    });
}
