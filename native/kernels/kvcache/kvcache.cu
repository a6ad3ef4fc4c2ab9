// kvcache.cu: ct_copy_blocks. Not yet run on a GPU.
//
// Floor: 2 * pairs * block_bytes; from 32 MB on at 0.85 of copy bandwidth between device buffers. To or from a host
// buffer the link is the floor (about 55 GB/s on PCIe 5 x16, one way).
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kHeld = 4;  // 64 bytes in flight a thread

struct CopyBlocks {
    ct::CopyBlocksArgs a;
    int64_t tiles;  // of a block of the cache
};

__global__ void copy_blocks_kernel(CopyBlocks k) {
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < k.a.num_pairs * k.tiles; part += gridDim.x) {
        const int64_t pair = part / k.tiles;
        const int64_t first = part % k.tiles * kHeld * blockDim.x + threadIdx.x;
        const int64_t from = k.a.pairs[2 * pair];
        const int64_t to = k.a.pairs[2 * pair + 1];
        if (from < 0 || from >= k.a.source_blocks || to < 0 || to >= k.a.destination_blocks) continue;
        const auto* source = static_cast<const unsigned char*>(k.a.source) + from * k.a.block_bytes;
        auto* destination = static_cast<unsigned char*>(k.a.destination) + to * k.a.block_bytes;
        Vec16 held[kHeld];
        for (int h = 0; h < kHeld; ++h) {
            const int64_t at = (first + h * static_cast<int64_t>(blockDim.x)) * 16;
            if (at < k.a.block_bytes) held[h] = load16_once(source + at);
        }
        for (int h = 0; h < kHeld; ++h) {
            const int64_t at = (first + h * static_cast<int64_t>(blockDim.x)) * 16;
            if (at < k.a.block_bytes) store16(destination + at, held[h]);
        }
    }
}

}  // namespace

int32_t copy_blocks(const LaunchContext& context, const ct::CopyBlocksArgs& args) {
    const TileGrid grid(args.block_bytes / 16, kHeld);
    return GPU_LAUNCH(context, grid.shape(args.num_pairs), copy_blocks_kernel, {args, grid.tiles});
}

}  // namespace gpu
