// kvcache_gpu_test.cpp: the CUDA kernel of ct_copy_blocks.
#include "kernels/kvcache/kvcache_testing.h"

namespace {

using namespace testing;

// Bytes behind 2^31; almost all of the memory is never touched.
void copiesFarBlocks(Device& d) {
    constexpr int64_t kBytes = 65536, kFar = 32770;
    Array<unsigned char> x(d, (kFar + 1) * kBytes), y(d, (kFar + 1) * kBytes);
    Array<int32_t> pairs(d, std::vector<int32_t>{kFar, kFar - 1, 0, kFar});
    Random random(9);
    unsigned char* from = x.at + kFar * kBytes;
    for (int64_t i = 0; i < kBytes; ++i) from[i] = static_cast<unsigned char>(random.below(256)), x.at[i] = 7;
    CHECK_OK(ct_copy_blocks(y.buffer, x.buffer, pairs.buffer, 2, kBytes, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(std::equal(from, from + kBytes, y.at + (kFar - 1) * kBytes));
    CHECK(std::equal(x.at, x.at + kBytes, y.at + kFar * kBytes));
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        // A warp's tile is 2 KiB, a block's 16 KiB.
        std::vector<int64_t> sizes = {16, 48, 2032, 2048, 2064, 16368, 16384, 16400};
        if (!reduced()) sizes.insert(sizes.end(), {100000, 262144});
        for (int64_t block_bytes : sizes) {
            copiesBlocks(d, {block_bytes, 20, 9, false});
            copiesBlocks(d, {block_bytes, 20, 9, true});
        }
        copiesBlocks(d, {4096, 20, 0, false});
        copiesBlocks(d, {64, 20, 20, false, 63});
        copiesBlocks(d, {16, 70000, reduced() ? 300 : 66000, false});
        swapsWithHostMemory(d);
        if (!reduced()) copiesFarBlocks(d);
    });
    return finish("kvcache_gpu");
}
