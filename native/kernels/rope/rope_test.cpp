// rope_test.cpp: ct_rope_kv_write against plain loops in double.
#include "tests/kernel_testing.h"

namespace {

using namespace testing;

struct Case {
    int32_t q_heads, kv_heads, head_dim, rotary_dim, style;
    bool norm, in_place;
};

constexpr int64_t kTokens = 7, kPositions = 50, kBlocks = 4;

std::vector<double> simple(std::vector<double> x, const float* norm, const float* angles, const Case& c, float eps) {
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
void matchesPlainLoops(Device& d, const Case& c) {
    Random random(static_cast<uint64_t>(c.head_dim + c.style));
    int64_t dim = c.head_dim, q_cols = c.q_heads * dim, cols = q_cols + 2 * c.kv_heads * dim;
    int64_t page = c.kv_heads * 16 * dim, block_stride = page + 16;
    Array<T> qkv(d, kTokens * (cols + 2)), q(d, kTokens * (cols + 2));
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
    Array<int64_t> slots(d, {0, 63, -1, 5, 6, INT64_MAX, 18});
    std::vector<T> before(qkv.at, qkv.at + qkv.size);
    ct_rope_params p{sizeof p,   kTokens,    kPositions,   kBlocks * 16, cols + 2,  cols + 2,  block_stride, c.q_heads,
                     c.kv_heads, c.head_dim, c.rotary_dim, c.style,      kDtype<T>, kDtype<K>, 1e-6f,        0,
                     0,          0};
    Array<T>& out = c.in_place ? qkv : q;
    CHECK_OK(ct_rope_kv_write(out.buffer, k_cache.buffer, v_cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
                              c.style ? cos_sin.buffer : nullptr, c.norm ? q_norm.buffer : nullptr,
                              c.norm ? k_norm.buffer : nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<char> written(static_cast<size_t>(k_cache.size));
    for (int64_t t = 0; t < kTokens; ++t) {
        bool known = c.style == CT_ROPE_NONE || (positions.at[t] >= 0 && positions.at[t] < kPositions);
        const float* angles = c.style && known ? cos_sin.at + positions.at[t] * c.rotary_dim : nullptr;
        bool writes = known && slots.at[t] >= 0 && slots.at[t] < kBlocks * 16;
        for (int64_t h = 0; h < c.q_heads + 2 * c.kv_heads; ++h) {
            std::vector<double> x;
            for (int64_t i = 0; i < dim; ++i)
                x.push_back(value(before[static_cast<size_t>(t * (cols + 2) + h * dim + i)]));
            if (h < c.q_heads) {
                x = simple(x, c.norm ? q_norm.at : nullptr, angles, c, p.eps);
                for (int64_t i = 0; i < dim; ++i) {
                    double expected = known ? x[static_cast<size_t>(i)] : std::nan("");
                    CHECK_CLOSE(value(out.at[t * (cols + 2) + h * dim + i]), expected, tolerance<T>(expected) * 3);
                }
                continue;
            }
            bool key = h < c.q_heads + c.kv_heads;
            if (key) x = simple(x, c.norm ? k_norm.at : nullptr, angles, c, p.eps);
            if (!writes) continue;
            int64_t head = (h - c.q_heads) % c.kv_heads;
            int64_t at = slots.at[t] / 16 * block_stride + (head * 16 + slots.at[t] % 16) * dim;
            for (int64_t i = 0; i < dim; ++i) {
                double expected = x[static_cast<size_t>(i)];
                CHECK_CLOSE(value((key ? k_cache : v_cache).at[at + i]), expected, tolerance<K>(expected) * 3);
                written[static_cast<size_t>(at + i)] = 1;
            }
        }
    }
    bool clean = true;
    for (int64_t i = 0; i < k_cache.size; ++i) {
        if (written[static_cast<size_t>(i)]) continue;
        clean = clean && std::isnan(value(k_cache.at[i])) && std::isnan(value(v_cache.at[i]));
    }
    CHECK(clean);
}

void refusesWrongArguments() {
    Device d;
    Array<float> qkv(d, 4 * 64), q(d, 4 * 32), cache(d, 16 * 16), angles(d, 10 * 16), norm(d, 16);
    Array<int32_t> positions(d, 4);
    Array<int64_t> slots(d, 4);
    ct_rope_params good{sizeof good, 4, 10, 16, 32, 64, 256, 2, 1, 16, 16, CT_ROPE_HALVES, CT_F32, CT_F32, 0, 0, 0, 0};
    auto call = [&](const ct_rope_params* p, ct_buffer* k_norm, ct_buffer* cos_sin) {
        return ct_rope_kv_write(q.buffer, cache.buffer, cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
                                cos_sin, norm.buffer, k_norm, p, d.stream);
    };
    auto refused = [&](auto change) {
        ct_rope_params p = good;
        change(p);
        CHECK_STATUS(call(&p, norm.buffer, angles.buffer), CT_INVALID);
        CHECK(ct_last_error()[0] != '\0');
    };
    CHECK_OK(call(&good, norm.buffer, angles.buffer));
    CHECK_STATUS(call(nullptr, norm.buffer, angles.buffer), CT_INVALID);
    CHECK_STATUS(call(&good, nullptr, angles.buffer), CT_INVALID);
    CHECK_STATUS(call(&good, norm.buffer, nullptr), CT_INVALID);
    refused([](auto& p) { p.struct_bytes = sizeof p + 8; });
    refused([](auto& p) { p.struct_bytes = 8; });
    refused([](auto& p) { p.num_tokens = 5; });
    refused([](auto& p) { p.num_tokens = INT64_MAX; });
    refused([](auto& p) { p.num_positions = 11; });
    refused([](auto& p) { p.num_slots = 17; });
    refused([](auto& p) { p.num_slots = INT64_MAX - 15; });
    refused([](auto& p) { p.q_stride = 31; });
    refused([](auto& p) { p.block_stride = 255; });
    refused([](auto& p) { p.num_q_heads = INT32_MAX; });
    refused([](auto& p) { p.num_kv_heads = 0; });
    refused([](auto& p) { p.head_dim = 24; });
    refused([](auto& p) { p.head_dim = 272; });
    refused([](auto& p) { p.rotary_dim = 15; });
    refused([](auto& p) { p.rotary_dim = 18; });
    refused([](auto& p) { p.style = 3; });
    refused([](auto& p) { p.dtype = CT_F16; });
    refused([](auto& p) { p.kv_dtype = -1; });
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int32_t style : {CT_ROPE_NONE, CT_ROPE_HALVES, CT_ROPE_NEIGHBOURS}) {
            for (int32_t dim : {16, 48, 128, 256}) {
                for (int option = 0; option < 4; ++option) {
                    Case c{5, 2, dim, option & 1 ? dim : dim / 2 - 2, style, (option & 1) != 0, (option & 2) != 0};
                    matchesPlainLoops<float, float>(d, c);
                    matchesPlainLoops<float, ct::bf16>(d, c);
                    matchesPlainLoops<ct::bf16, float>(d, c);
                    matchesPlainLoops<ct::bf16, ct::bf16>(d, c);
                }
            }
        }
    });
    refusesWrongArguments();
    return finish("rope");
}
