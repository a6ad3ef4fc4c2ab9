// attention_prefill.cu: paged attention of sequences with more than 16 packed rows (rows times query heads of a KV head)
// on tensor cores: prompts and their chunks, speculation in large batches. The same arithmetic as decode
// (attention_mma.cuh), so with balanced = 0 a row's bits do not tell which of the two computed it.
//
// A block takes kPrefillRows packed rows of a KV head (2 warps of 16, where heads are 256 wide, and two blocks), from the
// last tile of the last sequence on: of a prompt the longest come first. Key and value tiles pass through one slot of
// shared memory each; the next keys are on their way while values are multiplied, the values while keys are. Tiles that
// no row of the block sees are not read, those that no row of a warp sees are not computed.
//
// Flops: 4 * num_q_heads * head_dim for each pair of a row and a key that it sees; floor: flops / the mma.sync rate. Each
// warp reads every tile from shared memory for 16 rows: 512 bytes for 8192 flops, so at 128 bytes a cycle at most 2048
// flops a cycle and multiprocessor: all of an A100's, half of an H100's wgmma rate (about 470 TFLOP/s at 1.75 GHz).
// Prediction for head_dim 128, bf16, prompts of 8k: 0.75 of FlashAttention-2, whose warps take 32 rows and read half as
// much; 0.95, the target, needs that too. Two blocks of 4 warps a multiprocessor (at most 255 registers a thread; about
// 68 KB of shared memory a block with bf16 heads of 128). A chunk of few row tiles over a long cache is not split over its
// keys, so it uses as many multiprocessors as it has row tiles times KV heads; where these are few and a sequence has no
// more than 64 packed rows, decode takes it (attention_plan.h). Not yet run on a GPU.
#include "kernels/attention/attention_gpu.h"
#include "kernels/attention/attention_rows.cuh"

namespace gpu {
namespace attention {
namespace {

struct PrefillArgs {
    AttentionArgs call;
    Plan plan;
};

// Keys [begin, end) that some of these rows see.
struct SeenByAny {
    int32_t begin;
    int32_t end;

    __device__ SeenByAny(const AttentionArgs& call, const PlannedSequence& sequence, Tokens tokens) {
        const int32_t first_new = sequence.kv_len - sequence.q_len;
        const bool tree = call.tree_mask != nullptr && sequence.q_len <= CT_MAX_TREE_ROWS;
        begin = first_seen(call.p, first_new + tokens.first);
        end = tree ? sequence.kv_len : first_new + tokens.last + 1;
    }
};

// What a warp knows of its 16 rows.
struct RowTile {
    int32_t first;
    bool has_rows;
    Tokens tokens;
    SeenByAny seen;

    __device__ RowTile(const AttentionArgs& call, const PlannedSequence& sequence, int32_t first_packed)
        : first(first_packed),
          has_rows(first_packed < sequence.q_len * group_of(call.p)),
          tokens(tokens_of(call.p, sequence, first_packed, kTileRows)),
          seen(call, sequence, tokens) {}
    __device__ bool sees(int32_t key, int32_t keys) const {
        return has_rows && key < seen.end && key + keys > seen.begin;
    }
};

template <typename Kv, int HeadDim>
struct Shared {
    static constexpr int kWarps = HeadDim > 192 ? 2 : 4;
    static constexpr int kThreads = kWarps * kWarp;
    static constexpr int kRows = kWarps * kTileRows;
    using T = Tile<Kv, HeadDim>;

    struct Warp {
        alignas(16) unsigned char total[Total<HeadDim>::kBytes];
        RowTile rows;  // too seldom asked for to stay in registers
        alignas(16) unsigned char query[Query<HeadDim>::kInShared ? Query<HeadDim>::kSharedBytes : 16];
    };
    alignas(128) unsigned char keys[T::kBytes];
    alignas(128) unsigned char values[T::kBytes];
    Warp warps[kWarps];
};

// The packed rows [first, first + Shared::kRows) of a unit.
struct BlockTile {
    Unit unit;
    int32_t first;
};

// The last sequence whose row tiles begin at or before this one: those without come before it.
__device__ __forceinline__ int32_t sequence_of_tile(const PrefillArgs& args, int64_t row_tile) {
    int32_t low = 0, high = static_cast<int32_t>(args.call.p.num_seqs);
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        (args.plan.sequences[middle].first_row_tile <= row_tile ? low : high) = middle;
    }
    return low;
}

__device__ __forceinline__ BlockTile tile_of_block(const PrefillArgs& args, int64_t number, int32_t rows) {
    const int32_t heads = args.call.p.num_kv_heads, parts = kPrefillRows / rows;
    const int64_t row_tile = number / heads / parts;
    const int32_t sequence = sequence_of_tile(args, row_tile);
    const auto first = static_cast<int32_t>(row_tile - args.plan.sequences[sequence].first_row_tile) * kPrefillRows;
    return {{sequence, static_cast<int32_t>(number % heads)},
            first + static_cast<int32_t>(number / heads % parts) * rows};
}

// Brings a block's key and value tiles. A part of 16 keys lies in one block of the cache, which lane i of every warp
// knows of part i, and reads from the block table one tile ahead.
template <typename Kv, int HeadDim>
struct Loader {
    using T = Tile<Kv, HeadDim>;
    static constexpr int kParts = T::kKeys / kPartKeys;

    const AttentionArgs& call;
    Unit unit;
    SeenByAny seen;
    int32_t next_block = 0;
    int32_t block = 0;

    __device__ int32_t log_block_size() const { return call.p.block_size == 16 ? 4 : call.p.block_size == 32 ? 5 : 6; }

    __device__ void read_table(int32_t tile_key) {
        const int32_t key = tile_key + lane() * kPartKeys;
        if (lane() >= kParts || key >= seen.end || key + kPartKeys <= seen.begin) return;
        next_block = call.block_table[unit.sequence * call.p.max_blocks + (key >> log_block_size())];
    }

    __device__ void bring(unsigned char* to, const void* cache, int32_t tile_key) const {
#pragma unroll 1
        for (int i = 0; i < kParts; ++i) {
            const int32_t key = tile_key + i * kPartKeys;
            const int64_t token = (int64_t{unit.kv_head} << log_block_size()) + (key & (call.p.block_size - 1));
            const int64_t element = shuffle(block, i) * call.p.block_stride + token * HeadDim;
            copy_part<Kv, HeadDim, Shared<Kv, HeadDim>::kThreads>(to, i, static_cast<int>(threadIdx.x),
                                                                  static_cast<const Kv*>(cache) + element,
                                                                  seen.begin - key, seen.end - key);
        }
        copy_async_commit();
    }
    __device__ void bring_keys(unsigned char* to, int32_t tile_key) {
        if (tile_key >= seen.end) return;
        block = next_block;
        bring(to, call.k_cache, tile_key);
        read_table(tile_key + T::kKeys);
    }
    __device__ void bring_values(unsigned char* to, int32_t tile_key) const { bring(to, call.v_cache, tile_key); }
};

template <typename Kv, int HeadDim>
__device__ __forceinline__ void attend_tile(const PrefillArgs& args, const BlockTile& tile) {
    using S = Shared<Kv, HeadDim>;
    static constexpr int kKeys = Tile<Kv, HeadDim>::kKeys;
    const AttentionArgs& call = args.call;
    const PlannedSequence& sequence = args.plan.sequences[tile.unit.sequence];
    S& memory = shared<S>();
    RowTile& rows = memory.warps[warp()].rows;
    if (lane() == 0) rows = RowTile(call, sequence, tile.first + warp() * kTileRows);
    sync_warp();
    Query<HeadDim> query;
    query.memory = memory.warps[warp()].query;
    load_rows<Kv>(query, call, Rows(args, tile.unit, rows.first));
    Total<HeadDim> total{memory.warps[warp()].total};
    Accumulator<HeadDim> running;
    running.clear();
    uint32_t weights[kKeys / 16][4];
    Loader<Kv, HeadDim> loader{call, tile.unit,
                               SeenByAny(call, sequence, tokens_of(call.p, sequence, tile.first, S::kRows))};
    const int32_t end = loader.seen.end;
    int32_t key = loader.seen.begin / kKeys * kKeys;
    loader.read_table(key);
    loader.bring_keys(memory.keys, key);
    bool has_split = false;
#pragma unroll 1
    for (; key < end; key += kKeys) {
        const bool sees = rows.sees(key, kKeys);
        copy_async_wait<0>();
        __syncthreads();  // the keys are there, and every warp has left the values
        loader.bring_values(memory.values, key);
        if (sees) attend_keys<Kv>(weights, running, query, memory.keys, call, sequence, rows.first, rows.tokens, key);
        copy_async_wait<0>();
        __syncthreads();  // the values are there, and every warp has left the keys
        loader.bring_keys(memory.keys, key + kKeys);
        if (sees) multiply_values<Kv>(running, weights, memory.values);
        has_split = has_split || sees;
        if (call.p.balanced || (key + kKeys) % kSplitKeys != 0 || key + kKeys >= end || !has_split) continue;
        total.fold_into(running);
        total.keep(running);
        running.clear();
        has_split = false;
    }
    total.fold_into(running);
    store_rows<Kv>(call, Rows(args, tile.unit, rows.first), running);
}

// Rows of a sequence that has nothing to attend to, or that is contradictory.
__device__ __forceinline__ void store_constants(const PrefillArgs& args, const BlockTile& tile, int32_t num_rows,
                                                bool is_nan) {
    const Rows rows(args, tile.unit, tile.first);
    const int32_t end = rows.count < num_rows ? rows.count : num_rows;
    for (int row = warp(); row < end; row += static_cast<int>(blockDim.x) / kWarp) {
        store_constant(args.call, rows.token(row), rows.head(row), is_nan);
    }
}

template <typename Kv, int HeadDim>
__global__ void __launch_bounds__(Shared<Kv, HeadDim>::kThreads, 2) attention_prefill_kernel(PrefillArgs args) {
    using S = Shared<Kv, HeadDim>;
    wait_for_previous();
    launch_next();
    const int64_t num_tiles = args.plan.header->num_row_tiles * args.call.p.num_kv_heads * (kPrefillRows / S::kRows);
    const int64_t number = num_tiles - 1 - blockIdx.x;
    if (number < 0) return;
    const BlockTile tile = tile_of_block(args, number, S::kRows);
    const PlannedSequence& of = args.plan.sequences[tile.unit.sequence];
    const Sequence sequence{tile.unit.sequence, of.first_row, of.q_len, of.kv_len, of.state};
    const bool attends = of.state == State::kAttends && blocks_are_valid(args.call, sequence);
    if (attends) {
        attend_tile<Kv, HeadDim>(args, tile);
    } else {
        store_constants(args, tile, S::kRows, of.state != State::kEmpty);
    }
}

// ---- launch --------------------------------------------------------------------------------------------------------

// At most so many row tiles, whatever the lengths: one that is not full for each sequence with more than kDecodeRows.
int64_t most_row_tiles(const ct_attention_params& p) {
    const int64_t packed = p.num_tokens * (p.num_q_heads / p.num_kv_heads), sequences = packed / (kDecodeRows + 1);
    return packed / kPrefillRows + (sequences < p.num_seqs ? sequences : p.num_seqs);
}

template <typename Kv, int HeadDim>
int32_t launch_kernel_of(const LaunchContext& context, const PrefillArgs& args) {
    using S = Shared<Kv, HeadDim>;
    LaunchShape shape;
    shape.blocks_x = most_row_tiles(args.call.p) * args.call.p.num_kv_heads * (kPrefillRows / S::kRows);
    shape.threads = S::kThreads;
    shape.shared_bytes = sizeof(S);
    return GPU_LAUNCH(context, shape, attention_prefill_kernel<Kv, HeadDim>, args);
}

template <typename Kv>
int32_t launch_for(const LaunchContext& context, const PrefillArgs& args) {
    switch (args.call.p.head_dim) {
        case 64:
            return launch_kernel_of<Kv, 64>(context, args);
        case 96:
            return launch_kernel_of<Kv, 96>(context, args);
        case 128:
            return launch_kernel_of<Kv, 128>(context, args);
        case 192:
            return launch_kernel_of<Kv, 192>(context, args);
        default:
            return launch_kernel_of<Kv, 256>(context, args);
    }
}

}  // namespace
}  // namespace attention

int32_t attention_prefill(const LaunchContext& context, const ct::AttentionArgs& call) {
    using namespace attention;
    const PrefillArgs args{call, plan_at(call.plan, *context.limits, call.p)};
    switch (call.p.kv_dtype) {
        case CT_BF16:
            return launch_for<bf16>(context, args);
        case CT_F16:
            return launch_for<f16>(context, args);
        default:
            return launch_for<e4m3>(context, args);
    }
}

}  // namespace gpu
