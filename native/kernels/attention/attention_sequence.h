// attention_sequence.h: what the device makes of a batch's three arrays, none of which it trusts: the sequence that
// owns a row, whether its numbers agree, and the keys that a row sees. Shared by the kernels of paged attention, so that
// all of them answer alike. Warp operations: all 32 lanes call with the same arguments.
#pragma once

#include "gpu/gpu.h"

namespace gpu::attention {

// Keys of a tile on tensor cores, a constant of the head and its storage in every kernel: where tiles begin is part of a
// row's arithmetic. Fewer where the output leaves few registers; bytes are read 32 keys at a time.
CT_HOST_DEVICE constexpr int32_t keys_of_tile(int32_t head_dim, int32_t element_bytes) {
    return head_dim <= 128 ? 64 : head_dim <= 192 || element_bytes == 1 ? 32 : 16;
}

using ct::AttentionArgs;

enum class State : int32_t {
    kEmpty,          // no sequence, or a padded one: zeros, lse -inf
    kContradictory,  // NaN
    kAttends,
};

struct Sequence {
    int32_t index;
    int32_t first_row;
    int32_t q_len;
    int32_t kv_len;
    State state;

    __device__ int32_t first_new() const { return kv_len - q_len; }  // position of the first row
};

__device__ __forceinline__ int32_t warp_least(int32_t value) {
    for (int mask = kWarp / 2; mask > 0; mask /= 2) {
        const int32_t other = shuffle_xor(value, mask);
        value = other < value ? other : value;
    }
    return value;
}

// The first position that any row of the sequence sees: what lies before it may have been freed.
__device__ __forceinline__ int32_t first_seen(const ct_attention_params& p, int32_t position) {
    return p.window > 0 && position >= p.window ? position - p.window + 1 : 0;
}

// Every block that the sequence's rows see exists.
__device__ __forceinline__ bool blocks_are_valid(const AttentionArgs& args, const Sequence& sequence) {
    const ct_attention_params& p = args.p;
    const int32_t* table = args.block_table + sequence.index * p.max_blocks;
    const int32_t end = ceil_div(sequence.kv_len, p.block_size);
    bool valid = true;
    for (int32_t i = first_seen(p, sequence.first_new()) / p.block_size + lane(); i < end; i += kWarp) {
        valid = valid && table[i] >= 0 && table[i] < p.num_blocks;
    }
    return all(valid);
}

__device__ __forceinline__ Sequence settle(const AttentionArgs& args, int32_t index, int32_t first_row,
                                           bool is_in_order) {
    const ct_attention_params& p = args.p;
    const int64_t end = args.cu_seqlens_q[index + 1], kv_len = args.seqlens_kv[index];
    const int64_t q_len = end - first_row;
    Sequence sequence{index, first_row, static_cast<int32_t>(q_len), static_cast<int32_t>(kv_len), State::kEmpty};
    const bool agrees = is_in_order && end <= p.num_tokens && kv_len >= 0 && kv_len <= p.max_blocks * p.block_size &&
                        (kv_len == 0 || kv_len >= q_len);
    if (!agrees) {
        sequence.state = State::kContradictory;
    } else if (kv_len > 0 && q_len > 0) {
        sequence.state = blocks_are_valid(args, sequence) ? State::kAttends : State::kContradictory;
    }
    return sequence;
}

// The sequence that owns a row: the first that ends behind it, whatever the offsets say, so that a row has one owner.
// Its rows begin where the longest of the sequences before it ended.
__device__ __forceinline__ Sequence sequence_of(const AttentionArgs& args, int32_t row) {
    const int32_t* cu = args.cu_seqlens_q;
    const auto num_seqs = static_cast<int32_t>(args.p.num_seqs);
    int32_t owner = lane();
    while (owner < num_seqs && cu[owner + 1] <= row) owner += kWarp;
    owner = warp_least(owner);
    if (owner >= num_seqs) return {num_seqs, row, 0, 0, State::kEmpty};
    int32_t begin = 0;
    for (int32_t i = lane(); i < owner; i += kWarp) begin = cu[i + 1] > begin ? cu[i + 1] : begin;
    begin = -warp_least(-begin);
    return settle(args, owner, begin, cu[owner] == begin);
}

// The keys that a row sees: those of [begin, end), of the sequence's new ones with a tree mask only those whose bit is
// set. The window counts places in the cache, with a tree mask too.
struct Visible {
    int32_t begin;
    int32_t end;
    int32_t first_new;
    uint64_t tree;  // all ones: no mask

    __device__ bool sees(int32_t key) const {
        return key >= begin && key < end &&
               (key < first_new || tree == ~uint64_t{0} || (tree >> (key - first_new) & 1) != 0);
    }
};

// A sequence with more than CT_MAX_TREE_ROWS rows has no tree mask: it is causal.
__device__ __forceinline__ Visible visible_to(const AttentionArgs& args, const Sequence& sequence, int32_t row) {
    const int32_t first_new = sequence.first_new(), position = first_new + row - sequence.first_row;
    const bool tree = args.tree_mask != nullptr && sequence.q_len <= CT_MAX_TREE_ROWS;
    return {first_seen(args.p, position), tree ? sequence.kv_len : position + 1, first_new,
            tree ? args.tree_mask[row] : ~uint64_t{0}};
}

}  // namespace gpu::attention
