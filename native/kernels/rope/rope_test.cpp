// rope_test.cpp: ct_rope_kv_write on the CPU, and what it refuses.
#include "kernels/rope/rope_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d;
    Array<float> qkv(d, 4 * 64), q(d, 4 * 32), k_cache(d, 16 * 16), v_cache(d, 16 * 16), angles(d, 10 * 16),
        norm(d, 16);
    Array<int32_t> positions(d, 4);
    Array<int64_t> slots(d, 4);
    for (int64_t t = 0; t < 4; ++t) slots.at[t] = t;
    ct_rope_params good{sizeof good, 4, 10, 16, 32, 64, 256, 2, 1, 16, 16, CT_ROPE_HALVES, CT_F32, CT_F32, 0, 0, 0, 0};
    auto call = [&](const ct_rope_params* p, ct_buffer* k_norm, ct_buffer* cos_sin) {
        return ct_rope_kv_write(q.buffer, k_cache.buffer, v_cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
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

// Around every edge of the stored types: halves between their numbers, the largest, subnormals, infinity, NaN.
std::vector<float> hardNumbers() {
    std::vector<float> numbers{0.0f, -0.0f, 1e-30f, 1e-40f, 1e30f, INFINITY, -INFINITY, kNan, -kNan};
    for (int code = 0; code < 127; ++code) {
        const float below = ct::to_float(ct::e4m3{static_cast<uint8_t>(code)});
        const float step = code < 126 ? ct::to_float(ct::e4m3{static_cast<uint8_t>(code + 1)}) - below : 32.0f;
        for (float part : {0.0f, 0.25f, 0.5f, 0.75f}) {
            const float x = below + part * step;
            for (float y : {x, std::nextafter(x, INFINITY), std::nextafter(x, -INFINITY)}) {
                numbers.insert(numbers.end(), {y, -y, y * 0x1p-14f, y * 146.0f});  // around f16's edges as well
            }
        }
    }
    while (numbers.size() % 256 != 0) numbers.push_back(1);
    return numbers;
}

// What is stored is the same on every instruction set: the number over the scale, rounded once.
template <typename K>
void storesTheSameBits(Device& d, float scale) {
    constexpr int64_t kDim = 256;
    const std::vector<float> numbers = hardNumbers();
    const int64_t tokens = static_cast<int64_t>(numbers.size()) / kDim, blocks = tokens / 16 + 1;
    Array<float> qkv(d, tokens * 3 * kDim), q(d, tokens * kDim);
    Array<K> k_cache(d, blocks * 16 * kDim), v_cache(d, blocks * 16 * kDim);
    Array<int32_t> positions(d, tokens);
    Array<int64_t> slots(d, tokens);
    for (int64_t t = 0; t < tokens; ++t) {
        positions.at[t] = 0;
        slots.at[t] = t;
        for (int64_t i = 0; i < 3 * kDim; ++i) {
            qkv.at[t * 3 * kDim + i] = numbers[static_cast<size_t>(t * kDim + i % kDim)];
        }
    }
    ct_rope_params p{sizeof p, tokens,       0,      blocks * 16, kDim, 3 * kDim, 16 * kDim, 1,    1, kDim,
                     0,        CT_ROPE_NONE, CT_F32, kStored<K>,  0,    16,       scale,     scale};
    CHECK_OK(ct_rope_kv_write(q.buffer, k_cache.buffer, v_cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
                              nullptr, nullptr, nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (size_t i = 0; i < numbers.size(); ++i) {
        const K expected = ct::from_float<K>(numbers[i] / scale);
        const int64_t at = static_cast<int64_t>(i);  // one head: a token's elements follow another's
        CHECK(same_bits(k_cache.at[at], expected) || std::isnan(numbers[i]));
        CHECK(same_bits(v_cache.at[at], expected) || std::isnan(numbers[i]));
        CHECK(std::isnan(value(k_cache.at[at])) == std::isnan(numbers[i]));
        CHECK(std::isnan(value(v_cache.at[at])) == std::isnan(numbers[i]));
    }
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int32_t style : {CT_ROPE_NONE, CT_ROPE_HALVES, CT_ROPE_NEIGHBOURS}) {
            for (int32_t dim : {16, 48, 128, 256}) {
                for (int option = 0; option < 4; ++option) {
                    RopeCase c{5, 2, dim, option & 1 ? dim : dim / 2 - 2, style, (option & 1) != 0, (option & 2) != 0};
                    ropesAsPlainLoops<float, float>(d, c);
                    ropesAsPlainLoops<float, ct::bf16>(d, c);
                    ropesAsPlainLoops<ct::bf16, float>(d, c);
                    ropesAsPlainLoops<ct::bf16, ct::bf16>(d, c);
                    ropesAsPlainLoops<float, ct::f16>(d, c);
                    ropesAsPlainLoops<ct::bf16, ct::f16>(d, c);
                    c.k_scale = 0.25f;
                    c.v_scale = 0.001f;  // some values saturate
                    ropesAsPlainLoops<float, ct::e4m3>(d, c);
                    ropesAsPlainLoops<ct::bf16, ct::e4m3>(d, c);
                }
            }
        }
        storesTheSameBits<ct::f16>(d, 1);
        for (float scale : {1.0f, 0.3f}) storesTheSameBits<ct::e4m3>(d, scale);
    });
    refusesWrongArguments();
    return finish("rope");
}
