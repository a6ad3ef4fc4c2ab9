// rope_testing.h: what every device is asked about ct_rope_kv_write: the plain loops in double.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

struct RopeCase {
    int32_t q_heads, kv_heads, head_dim, rotary_dim, style;
    bool norm, in_place;
    int64_t pad = 2, block_pad = 16;  // elements between the tokens and between the blocks
    int32_t block_size = 16;
    float k_scale = 0, v_scale = 0;
};

inline constexpr int64_t kTokens = 7, kPositions = 50, kBlocks = 4;

template <typename K>
inline constexpr int32_t kStored = std::is_same_v<K, ct::f16>    ? CT_F16
                                   : std::is_same_v<K, ct::e4m3> ? CT_F8_E4M3
                                                                 : kDtype<K>;

// The difference of two products of a few units may be small where their errors are not.
template <typename T>
double rope_tolerance(double expected) {
    return tolerance<T>(expected) * 3 + 1e-6;
}

// In the cache: the number over the scale, rounded (e4m3: saturated).
template <typename K>
void checkStored(K got, double expected, float scale) {
    if constexpr (std::is_same_v<K, ct::f16>) {
        CHECK_CLOSE(value(got), expected, 0.001 * (std::fabs(expected) + 1e-2));
    } else if constexpr (std::is_same_v<K, ct::e4m3>) {
        double stored = std::clamp(expected / static_cast<double>(scale == 0 ? 1.0f : scale), -448.0, 448.0);
        CHECK_CLOSE(value(got), stored, 0.0625 * 1.001 * std::fabs(stored) + 0x1p-10 * 1.001);
    } else {
        CHECK_CLOSE(value(got), expected, rope_tolerance<K>(expected));
    }
}

inline std::vector<double> simple_rope(std::vector<double> x, const float* norm, const float* angles, const RopeCase& c,
                                       float eps) {
    if (norm) {
        double squares = 0;
        for (double v : x) squares += v * v;
        double rms = std::sqrt(squares / c.head_dim + static_cast<double>(eps));
        for (size_t i = 0; i < x.size(); ++i) x[i] = x[i] / rms * static_cast<double>(norm[i]);
    }
    std::vector<double> y = x;
    for (int32_t i = 0; angles && i < c.rotary_dim / 2; ++i) {
        size_t a = static_cast<size_t>(c.style == CT_ROPE_HALVES ? i : 2 * i);
        size_t b = static_cast<size_t>(c.style == CT_ROPE_HALVES ? i + c.rotary_dim / 2 : 2 * i + 1);
        double cosine = static_cast<double>(angles[i]), sine = static_cast<double>(angles[c.rotary_dim / 2 + i]);
        y[a] = x[a] * cosine - x[b] * sine;
        y[b] = x[b] * cosine + x[a] * sine;
    }
    return y;
}

template <typename T, typename K>
void ropesAsPlainLoops(Device& d, const RopeCase& c) {
    Random random(static_cast<uint64_t>(c.head_dim + c.style));
    int64_t dim = c.head_dim, q_cols = c.q_heads * dim, cols = q_cols + 2 * c.kv_heads * dim;
    int64_t stride = cols + c.pad, block_size = c.block_size, slots_in_all = kBlocks * block_size;
    int64_t page = c.kv_heads * block_size * dim, block_stride = page + c.block_pad;
    Array<T> qkv(d, kTokens * stride), q(d, kTokens * stride);
    Array<K> k_cache(d, kBlocks * block_stride), v_cache(d, kBlocks * block_stride);
    Array<float> cos_sin(d, kPositions * c.head_dim), q_norm(d, dim), k_norm(d, dim);
    fill(qkv, random);
    fill(cos_sin, random);
    fill(q_norm, random);
    fill(k_norm, random);
    q.poison();
    k_cache.poison();
    v_cache.poison();
    Array<int32_t> positions(d, {0, 49, 7, 50, -1, 3, 12});
    Array<int64_t> slots(d, {0, slots_in_all - 1, -1, 5, 6, INT64_MAX, block_size + 2});
    std::vector<T> before(qkv.at, qkv.at + qkv.size);
    ct_rope_params p{sizeof p,     kTokens,    kPositions, slots_in_all, stride,       stride,
                     block_stride, c.q_heads,  c.kv_heads, c.head_dim,   c.rotary_dim, c.style,
                     kDtype<T>,    kStored<K>, 1e-6f,      c.block_size, c.k_scale,    c.v_scale};
    Array<T>& out = c.in_place ? qkv : q;
    CHECK_OK(ct_rope_kv_write(out.buffer, k_cache.buffer, v_cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
                              c.style ? cos_sin.buffer : nullptr, c.norm ? q_norm.buffer : nullptr,
                              c.norm ? k_norm.buffer : nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<char> written(static_cast<size_t>(k_cache.size));
    for (int64_t t = 0; t < kTokens; ++t) {
        bool known = c.style == CT_ROPE_NONE || (positions.at[t] >= 0 && positions.at[t] < kPositions);
        const float* angles = c.style && known ? cos_sin.at + positions.at[t] * c.rotary_dim : nullptr;
        bool writes = known && slots.at[t] >= 0 && slots.at[t] < slots_in_all;
        for (int64_t h = 0; h < c.q_heads + 2 * c.kv_heads; ++h) {
            std::vector<double> x;
            for (int64_t i = 0; i < dim; ++i) x.push_back(value(before[static_cast<size_t>(t * stride + h * dim + i)]));
            if (h < c.q_heads) {
                x = simple_rope(x, c.norm ? q_norm.at : nullptr, angles, c, p.eps);
                for (int64_t i = 0; i < dim; ++i) {
                    double expected = known ? x[static_cast<size_t>(i)] : std::nan("");
                    CHECK_CLOSE(value(out.at[t * stride + h * dim + i]), expected, rope_tolerance<T>(expected));
                }
                continue;
            }
            bool key = h < c.q_heads + c.kv_heads;
            if (key) x = simple_rope(x, c.norm ? k_norm.at : nullptr, angles, c, p.eps);
            if (!writes) continue;
            int64_t head = (h - c.q_heads) % c.kv_heads;
            int64_t at = slots.at[t] / block_size * block_stride + (head * block_size + slots.at[t] % block_size) * dim;
            for (int64_t i = 0; i < dim; ++i) {
                checkStored((key ? k_cache : v_cache).at[at + i], x[static_cast<size_t>(i)],
                            key ? c.k_scale : c.v_scale);
                written[static_cast<size_t>(at + i)] = 1;
            }
        }
    }
    bool clean = true;
    for (int64_t i = 0; i < k_cache.size; ++i) {
        if (written[static_cast<size_t>(i)]) continue;
        clean = clean && untouched(k_cache.at[i]) && untouched(v_cache.at[i]);
    }
    CHECK(clean);
}

}  // namespace testing
