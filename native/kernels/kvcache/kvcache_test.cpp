// kvcache_test.cpp: ct_copy_blocks on the CPU, and what it refuses.
#include "kernels/kvcache/kvcache_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d, other;
    Array<unsigned char> a(d, 256), b(d, 256), foreign(other, 256);
    Array<int32_t> pairs(d, {0, 1, 1, 0});
    auto copy = [&](ct_buffer* to, const ct_buffer* from, const ct_buffer* which, int64_t n, int64_t block_bytes) {
        return ct_copy_blocks(to, from, which, n, block_bytes, d.stream);
    };
    CHECK_OK(copy(b.buffer, a.buffer, pairs.buffer, 2, 64));
    CHECK_STATUS(copy(nullptr, a.buffer, pairs.buffer, 2, 64), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, nullptr, pairs.buffer, 2, 64), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, a.buffer, nullptr, 2, 64), CT_INVALID);
    CHECK_STATUS(copy(foreign.buffer, a.buffer, pairs.buffer, 2, 64), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, a.buffer, pairs.buffer, 3, 64), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, a.buffer, pairs.buffer, -1, 64), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, a.buffer, pairs.buffer, INT64_MAX, 64), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, a.buffer, pairs.buffer, 2, 0), CT_INVALID);
    CHECK_STATUS(copy(b.buffer, a.buffer, pairs.buffer, 2, 24), CT_INVALID);
    CHECK_STATUS(ct_copy_blocks(b.buffer, a.buffer, pairs.buffer, 2, 64, nullptr), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int64_t block_bytes : {16, 48, 4096, 100000}) {
            copiesBlocks(d, {block_bytes, 20, 9, false});
            copiesBlocks(d, {block_bytes, 20, 9, true});
            copiesBlocks(d, {block_bytes, 20, 0, false});
        }
        copiesBlocks(d, {64, 20, 20, false, 63});
        swapsWithHostMemory(d);
    });
    refusesWrongArguments();
    return finish("kvcache");
}
