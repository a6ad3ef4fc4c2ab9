// kvcache_testing.h: what every device is asked about ct_copy_blocks.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

struct CopyCase {
    int64_t block_bytes, blocks, num_pairs;
    bool same_buffer;
    int64_t tail = 0;  // bytes behind the last whole block
};

// Every destination block at most once; some pairs point outside.
inline void copiesBlocks(Device& d, const CopyCase& c) {
    Random random(static_cast<uint64_t>(c.block_bytes + c.num_pairs));
    int64_t bytes = c.blocks * c.block_bytes + c.tail;
    Array<unsigned char> a(d, bytes), b(d, bytes);
    for (int64_t i = 0; i < bytes; ++i) a.at[i] = static_cast<unsigned char>(random.below(256));
    b.poison();
    Array<unsigned char>& to = c.same_buffer ? a : b;
    Array<int32_t> pairs(d, 2 * c.num_pairs);
    // In one buffer the even blocks are read and the odd ones written.
    for (int64_t i = 0; i < c.num_pairs; ++i) {
        pairs.at[2 * i] = static_cast<int32_t>(c.same_buffer ? random.below(c.blocks / 2) * 2 : random.below(c.blocks));
        pairs.at[2 * i + 1] = static_cast<int32_t>(c.same_buffer ? 2 * i + 1 : c.num_pairs - 1 - i);
    }
    const int32_t outside[] = {-1, static_cast<int32_t>(c.blocks), INT32_MIN, INT32_MAX};
    for (int64_t i = 0; i < c.num_pairs / 3; ++i) pairs.at[6 * i + i % 2] = outside[i % 4];
    std::vector<unsigned char> source(a.at, a.at + bytes), expected(to.at, to.at + bytes);
    for (int64_t i = 0; i < c.num_pairs; ++i) {
        int64_t from = pairs.at[2 * i], destination = pairs.at[2 * i + 1];
        if (from < 0 || from >= c.blocks || destination < 0 || destination >= c.blocks) continue;
        std::copy_n(source.data() + from * c.block_bytes, c.block_bytes, expected.data() + destination * c.block_bytes);
    }
    CHECK_OK(ct_copy_blocks(to.buffer, a.buffer, pairs.buffer, c.num_pairs, c.block_bytes, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(std::equal(expected.begin(), expected.end(), to.at));
    CHECK(c.same_buffer || std::equal(source.begin(), source.end(), a.at));
}

// Out to the host and back, as the cache swaps.
inline void swapsWithHostMemory(Device& d) {
    constexpr int64_t kBytes = 4096, kBlocks = 5;
    Random random(2);
    Array<unsigned char> host(d, kBlocks * kBytes), back(d, kBlocks * kBytes);
    for (int64_t i = 0; i < host.size; ++i) host.at[i] = static_cast<unsigned char>(random.below(256));
    Array<int32_t> in(d, {4, 0, 1, 3}), out(d, {0, 2, 3, 0});
    back.poison();
    ct_buffer* device = nullptr;
    CHECK_OK(ct_buffer_create(&device, d.device, kBlocks * kBytes));
    CHECK_OK(ct_copy_blocks(device, host.buffer, in.buffer, 2, kBytes, d.stream));
    CHECK_OK(ct_copy_blocks(back.buffer, device, out.buffer, 2, kBytes, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(std::equal(host.at + 4 * kBytes, host.at + 5 * kBytes, back.at + 2 * kBytes));
    CHECK(std::equal(host.at + kBytes, host.at + 2 * kBytes, back.at));
    for (int64_t block : {1, 3, 4}) {
        for (int64_t i = 0; i < kBytes; ++i) CHECK(untouched(back.at[block * kBytes + i]));
    }
    CHECK_OK(ct_buffer_destroy(device));
}

}  // namespace testing
