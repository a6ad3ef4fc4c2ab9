// kvcache_gpu_test.cpp: the CUDA kernel of ct_copy_blocks.
#include "kernels/kvcache/kvcache_testing.h"

int main() {
    using namespace testing;
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
    });
    return finish("kvcache_gpu");
}
