// latent_testing.h: what every device is asked about ct_latent_kv_write: the plain loops in double.
#pragma once

#include "kernels/rope/rope_testing.h"

namespace testing {

struct LatentCase {
    int32_t heads, nope_dim, latent_dim, rope_dim, style;
    int64_t pad = 2, block_pad = 16;
    int32_t block_size = 16;
    float k_scale = 0;

    int64_t key() const { return latent_dim + rope_dim; }
    int64_t query() const { return nope_dim + rope_dim; }
};

template <typename T>
std::vector<double> doubles(const T* from, int64_t count) {
    std::vector<double> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(value(from[i]));
    return values;
}

template <typename T, typename K>
void latentsAsPlainLoops(Device& d, const LatentCase& c) {
    Random random(static_cast<uint64_t>(c.heads * 1000 + c.latent_dim + c.rope_dim));
    const int64_t queries_stride = c.heads * c.query() + c.pad, kv_stride = c.key() + c.pad;
    const int64_t q_stride = c.heads * c.key() + c.pad, block_stride = c.block_size * c.key() + c.block_pad;
    const int64_t slots_in_all = kBlocks * c.block_size;
    Array<T> queries(d, kTokens * queries_stride), kv(d, kTokens * kv_stride), q(d, kTokens * q_stride);
    Array<K> cache(d, kBlocks * block_stride);
    Array<float> cos_sin(d, kPositions * c.rope_dim), norm(d, c.latent_dim);
    fill(queries, random);
    fill(kv, random);
    fill(cos_sin, random);
    fill(norm, random);
    q.poison();
    cache.poison();
    Array<int32_t> positions(d, {0, 49, 7, 50, -1, 3, 12});
    Array<int64_t> slots(d, {0, slots_in_all - 1, -1, 5, 6, INT64_MAX, c.block_size + 2});
    ct_latent_params p{sizeof p,  kTokens,      kPositions, slots_in_all, q_stride,     queries_stride,
                       kv_stride, block_stride, c.heads,    c.nope_dim,   c.latent_dim, c.rope_dim,
                       c.style,   kDtype<T>,    kStored<K>, 1e-6f,        c.block_size, c.k_scale};
    CHECK_OK(ct_latent_kv_write(q.buffer, cache.buffer, queries.buffer, kv.buffer, positions.buffer, slots.buffer,
                                cos_sin.buffer, norm.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    const RopeCase rotated{1, 1, c.rope_dim, c.rope_dim, c.style, false, false};
    const RopeCase normed{1, 1, c.latent_dim, 0, c.style, true, false};
    std::vector<char> written(static_cast<size_t>(cache.size)), of_q(static_cast<size_t>(q.size));
    for (int64_t t = 0; t < kTokens; ++t) {
        const bool known = positions.at[t] >= 0 && positions.at[t] < kPositions;
        const float* angles = known ? cos_sin.at + positions.at[t] * c.rope_dim : nullptr;
        for (int64_t h = 0; h < c.heads; ++h) {
            const T* from = queries.at + t * queries_stride + h * c.query() + c.nope_dim;
            const std::vector<double> x = simple_rope(doubles(from, c.rope_dim), nullptr, angles, rotated, p.eps);
            const int64_t at = t * q_stride + h * c.key() + c.latent_dim;
            for (int64_t i = 0; i < c.rope_dim; ++i) {
                const double expected = known ? x[static_cast<size_t>(i)] : std::nan("");
                CHECK_CLOSE(value(q.at[at + i]), expected, rope_tolerance<T>(expected));
                of_q[static_cast<size_t>(at + i)] = 1;
            }
        }
        if (!known || slots.at[t] < 0 || slots.at[t] >= slots_in_all) continue;
        const T* from = kv.at + t * kv_stride;
        std::vector<double> key = simple_rope(doubles(from, c.latent_dim), norm.at, nullptr, normed, p.eps);
        for (double x : simple_rope(doubles(from + c.latent_dim, c.rope_dim), nullptr, angles, rotated, p.eps)) {
            key.push_back(x);
        }
        const int64_t at = slots.at[t] / c.block_size * block_stride + slots.at[t] % c.block_size * c.key();
        for (int64_t i = 0; i < c.key(); ++i) {
            checkStored(cache.at[at + i], key[static_cast<size_t>(i)], c.k_scale);
            written[static_cast<size_t>(at + i)] = 1;
        }
    }
    bool clean = true;
    for (int64_t i = 0; i < cache.size; ++i) {
        clean = clean && (written[static_cast<size_t>(i)] || untouched(cache.at[i]));
    }
    for (int64_t i = 0; i < q.size; ++i) clean = clean && (of_q[static_cast<size_t>(i)] || untouched(q.at[i]));
    CHECK(clean);
}

template <typename T>
void latentsOfEveryCache(Device& d, LatentCase c) {
    latentsAsPlainLoops<T, float>(d, c);
    latentsAsPlainLoops<T, ct::bf16>(d, c);
    latentsAsPlainLoops<T, ct::f16>(d, c);
    c.k_scale = 0.25f;
    latentsAsPlainLoops<T, ct::e4m3>(d, c);
}

// A token's bits are its own, whatever tokens are beside it and however the rows lie.
template <typename T, typename K>
void latentsDependOnNothingElse(Device& d) {
    constexpr int64_t kMany = 9, kHeads = 3, kNope = 32, kLatent = 80, kRope = 48, kKey = kLatent + kRope;
    Random random(9);
    std::vector<T> tokens(kMany * (kHeads * (kNope + kRope) + kKey));
    for (T& v : tokens) v = ct::from_float<T>(random.normal());
    std::vector<std::pair<std::vector<T>, std::vector<K>>> results;
    for (int64_t count : {kMany, int64_t{1}, int64_t{3}}) {
        for (int64_t pad : {0, 3}) {
            Random numbers(4);
            const int64_t queries_cols = kHeads * (kNope + kRope), cols = queries_cols + kKey;
            Array<T> queries(d, count * (queries_cols + pad)), kv(d, count * (kKey + pad)), q(d, count * kHeads * kKey);
            Array<K> cache(d, 16 * kKey);
            Array<float> cos_sin(d, 20 * kRope), norm(d, kLatent);
            fill(cos_sin, numbers);
            fill(norm, numbers);
            std::memset(static_cast<void*>(q.at), 0, static_cast<size_t>(q.size) * sizeof(T));
            Array<int32_t> positions(d, count);
            Array<int64_t> slots(d, count);
            for (int64_t t = 0; t < count; ++t) {
                positions.at[t] = static_cast<int32_t>(t);
                slots.at[t] = t;
                std::copy_n(tokens.data() + t * cols, queries_cols, queries.at + t * (queries_cols + pad));
                std::copy_n(tokens.data() + t * cols + queries_cols, kKey, kv.at + t * (kKey + pad));
            }
            ct_latent_params p{sizeof p,   count,  20,    16,      kHeads * kKey, queries_cols + pad, kKey + pad,
                               16 * kKey,  kHeads, kNope, kLatent, kRope,         CT_ROPE_NEIGHBOURS, kDtype<T>,
                               kStored<K>, 1e-6f,  0,     0};
            CHECK_OK(ct_latent_kv_write(q.buffer, cache.buffer, queries.buffer, kv.buffer, positions.buffer,
                                        slots.buffer, cos_sin.buffer, norm.buffer, &p, d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
            results.push_back({{q.at, q.at + q.size}, {cache.at, cache.at + count * kKey}});
            const auto& [all_q, all_cache] = results.front();
            const auto& [some_q, some_cache] = results.back();
            CHECK(std::memcmp(some_q.data(), all_q.data(), some_q.size() * sizeof(T)) == 0);
            CHECK(std::memcmp(some_cache.data(), all_cache.data(), some_cache.size() * sizeof(K)) == 0);
        }
    }
}

}  // namespace testing
