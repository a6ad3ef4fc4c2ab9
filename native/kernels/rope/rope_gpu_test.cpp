// rope_gpu_test.cpp: the CUDA kernel of ct_rope_kv_write.
#include "kernels/rope/rope_testing.h"

namespace {

using namespace testing;

template <typename T>
void matches(Device& d, RopeCase c) {
    ropesAsPlainLoops<T, float>(d, c);
    ropesAsPlainLoops<T, ct::bf16>(d, c);
    ropesAsPlainLoops<T, ct::f16>(d, c);
    c.k_scale = 0.25f;
    c.v_scale = 0.001f;  // some values saturate
    ropesAsPlainLoops<T, ct::e4m3>(d, c);
}

// q of the first `count` tokens and the cache, written in one call.
template <typename T, typename K>
std::pair<std::vector<T>, std::vector<K>> rope(Device& d, const std::vector<T>& tokens, int64_t count, int64_t pad) {
    constexpr int64_t kDim = 80, kCols = 5 * kDim, kPage = 16 * kDim;  // 3 + 2 heads
    Random random(4);
    int64_t stride = kCols + pad;
    Array<T> qkv(d, count * stride), q(d, count * 3 * kDim);
    Array<K> k_cache(d, 2 * kPage), v_cache(d, 2 * kPage);
    Array<float> cos_sin(d, 20 * kDim), norm(d, kDim);
    Array<int32_t> positions(d, count);
    Array<int64_t> slots(d, count);
    fill(cos_sin, random);
    fill(norm, random);
    for (int64_t t = 0; t < count; ++t) {
        positions.at[t] = static_cast<int32_t>(t);
        slots.at[t] = t;
        std::copy_n(tokens.data() + t * kCols, kCols, qkv.at + t * stride);
    }
    ct_rope_params p{sizeof p, count,          20,        32,         3 * kDim, stride, kPage, 3, 1, kDim,
                     kDim,     CT_ROPE_HALVES, kDtype<T>, kStored<K>, 1e-6f,    0,      0,     0};
    CHECK_OK(ct_rope_kv_write(q.buffer, k_cache.buffer, v_cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
                              cos_sin.buffer, norm.buffer, norm.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<K> cache(k_cache.at, k_cache.at + count * kDim);
    cache.insert(cache.end(), v_cache.at, v_cache.at + count * kDim);
    return {{q.at, q.at + q.size}, cache};
}

template <typename T, typename K>
void tokensDependOnNothingElse(Device& d) {
    constexpr int64_t kDim = 80, kMany = 17;
    Random random(9);
    std::vector<T> tokens(kMany * 5 * kDim);
    for (T& v : tokens) v = ct::from_float<T>(random.normal());
    auto [q, cache] = rope<T, K>(d, tokens, kMany, 0);
    for (int64_t count : {0, 1, 2, 3, 17}) {
        for (int64_t pad : {0, 3}) {
            auto [some_q, some_cache] = rope<T, K>(d, tokens, count, pad);
            if (count == 0) continue;
            auto bytes = static_cast<size_t>(count * kDim) * sizeof(K);
            CHECK(std::memcmp(some_q.data(), q.data(), some_q.size() * sizeof(T)) == 0);
            CHECK(std::memcmp(some_cache.data(), cache.data(), bytes) == 0);
            CHECK(std::memcmp(some_cache.data() + count * kDim, cache.data() + kMany * kDim, bytes) == 0);
        }
    }
}

// Blocks behind 2^31 elements of a cache that all layers share; almost all of the memory is never touched. The rows of a
// small cache are those of the large one.
void writesFarBlocks(Device& d) {
    constexpr int64_t kDim = 64, kFar = int64_t{1} << 30;
    using K = ct::e4m3;
    Random random(5);
    Array<ct::bf16> qkv(d, 3 * kDim), q(d, kDim);
    Array<K> near_k(d, 3 * 16 * kDim), near_v(d, 3 * 16 * kDim), far_k(d, 3 * kFar), far_v(d, 3 * kFar);
    Array<int32_t> positions(d, 1);
    Array<int64_t> slots(d, std::vector<int64_t>{2 * 16 + 5});
    fill(qkv, random);
    for (bool far : {false, true}) {
        ct_rope_params p{sizeof p, 1, 1,    48,   kDim,         3 * kDim, far ? kFar : 16 * kDim,
                         1,        1, kDim, kDim, CT_ROPE_NONE, CT_BF16,  kStored<K>,
                         1e-6f,    0, 1,    1};
        CHECK_OK(ct_rope_kv_write(q.buffer, far ? far_k.buffer : near_k.buffer, far ? far_v.buffer : near_v.buffer,
                                  qkv.buffer, positions.buffer, slots.buffer, nullptr, nullptr, nullptr, &p, d.stream));
    }
    CHECK_OK(ct_stream_synchronize(d.stream));
    const int64_t near_at = (2 * 16 + 5) * kDim, far_at = 2 * kFar + 5 * kDim;
    for (int64_t i = 0; i < kDim; ++i) {
        CHECK(value(near_k.at[near_at + i]) != 0);
        CHECK(same_bits(far_k.at[far_at + i], near_k.at[near_at + i]));
        CHECK(same_bits(far_v.at[far_at + i], near_v.at[near_at + i]));
    }
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        // 16 elements a lane: heads of 1 to 16 lanes, some of them not all in use.
        std::vector<int32_t> dims = {16, 48, 64, 128, 256};
        if (!reduced()) dims.insert(dims.end(), {32, 80, 96, 192, 240});
        for (int32_t style : {CT_ROPE_NONE, CT_ROPE_HALVES, CT_ROPE_NEIGHBOURS}) {
            for (int32_t dim : dims) {
                for (int option = 0; option < 4; ++option) {
                    // Odd halves, and halves that end within a lane's elements.
                    const int32_t rotary[] = {dim, dim / 2 - 2, dim - 8, 2};
                    RopeCase c{5, 2, dim, rotary[option], style, option % 2 == 0, option >= 2};
                    c.pad = option == 1 ? 2 : 8;
                    c.block_pad = option == 2 ? 5 : 16;
                    c.block_size = option == 0 ? 16 : option == 3 ? 64 : 32;
                    matches<float>(d, c);
                    matches<ct::bf16>(d, c);
                }
            }
        }
        // More heads than a block has.
        matches<ct::bf16>(d, {40, 7, 128, 64, CT_ROPE_HALVES, true, true, 8});
        matches<float>(d, {9, 1, 256, 256, CT_ROPE_NEIGHBOURS, false, false, 8});
        tokensDependOnNothingElse<float, float>(d);
        tokensDependOnNothingElse<ct::bf16, ct::bf16>(d);
        tokensDependOnNothingElse<ct::bf16, ct::e4m3>(d);
        if (!reduced()) writesFarBlocks(d);  // takes address space that the sanitizers' own books would fill
    });
    return finish("rope_gpu");
}
