// kv_move.cu: ct_kv_move. Not yet run on a GPU.
//
// A thread moves its 16 bytes of a head through all of a sequence's moves, one after the other, so overlapping paths need
// no barrier. Floor: 2 * moves * heads * (k_bytes + v_bytes); predicted: a launch and a round trip to L2 or memory for each
// move of the longest path (about 1 us), 3 to 6 us a layer for paths of up to 4.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

__device__ inline void move_head(const ct::KvMoveArgs& a, int64_t seq, int64_t head, unsigned char* cache,
                                 int64_t bytes) {
    int64_t count = a.max_moves;
    if (a.counts && a.counts[seq] < count) count = a.counts[seq];
    for (int64_t piece = static_cast<int64_t>(threadIdx.x) * 16; piece < bytes;
         piece += static_cast<int64_t>(blockDim.x) * 16) {
        auto at = [&](int64_t slot) {
            return cache + slot / a.block_size * a.block_bytes + (head * a.block_size + slot % a.block_size) * bytes +
                   piece;
        };
        for (int64_t i = 0; i < count; ++i) {
            const int64_t from = a.moves[2 * (seq * a.max_moves + i)];
            const int64_t to = a.moves[2 * (seq * a.max_moves + i) + 1];
            if (from < 0 || from >= a.num_slots || to < 0 || to >= a.num_slots || from == to) continue;
            store16(at(to), load16(at(from)));
        }
    }
}

__global__ void kv_move_kernel(ct::KvMoveArgs a) {
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < a.num_seqs * a.num_kv_heads; part += gridDim.x) {
        const int64_t seq = part / a.num_kv_heads;
        const int64_t head = part % a.num_kv_heads;
        if (blockIdx.y == 0) {
            move_head(a, seq, head, static_cast<unsigned char*>(a.k_cache), a.k_bytes);
        } else {
            move_head(a, seq, head, static_cast<unsigned char*>(a.v_cache), a.v_bytes);
        }
    }
}

}  // namespace

int32_t kv_move(const LaunchContext& context, const ct::KvMoveArgs& args) {
    constexpr int64_t kMostBlocks = 1 << 20;
    const int64_t bytes = args.v_bytes > args.k_bytes ? args.v_bytes : args.k_bytes;
    const int64_t warps = ceil_div(bytes, int64_t{kWarp} * 16);
    LaunchShape shape;
    shape.threads = static_cast<int32_t>((warps < 4 ? warps : 4) * kWarp);
    const int64_t parts = args.num_seqs * args.num_kv_heads;
    shape.blocks_x = parts < kMostBlocks ? parts : kMostBlocks;
    shape.blocks_y = args.v_cache ? 2 : 1;
    return GPU_LAUNCH(context, shape, kv_move_kernel, args);
}

}  // namespace gpu
