// kv_move_testing.h: what every device is asked about ct_kv_move.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

struct MoveCase {
    int32_t num_kv_heads, head_dim, head_dim_v, block_size, dtype;
    bool has_values = true;
    bool has_counts = false;
    int64_t gap = 0;  // elements between blocks
};

inline ct_kv_move_params move_params(const MoveCase& c, int64_t seqs, int64_t max_moves, int64_t blocks) {
    ct_kv_move_params p{};
    p.struct_bytes = sizeof p;
    p.num_seqs = seqs;
    p.max_moves = max_moves;
    p.num_slots = blocks * c.block_size;
    const int64_t widest = std::max(c.head_dim, c.head_dim_v);
    p.block_stride = c.num_kv_heads * c.block_size * widest + c.gap;
    p.num_kv_heads = c.num_kv_heads;
    p.head_dim = c.head_dim;
    p.head_dim_v = c.head_dim_v;
    p.block_size = c.block_size;
    p.kv_dtype = c.dtype;
    return p;
}

// Every sequence has blocks of its own, out of order, and moves of a path whose places overlap.
inline void movesPaths(Device& d, const MoveCase& c, int64_t seqs, int64_t max_moves) {
    Random random(static_cast<uint64_t>(c.head_dim + seqs + max_moves));
    constexpr int64_t kBlocks = 3;  // of a sequence
    const int64_t blocks = seqs * kBlocks + 1;
    const ct_kv_move_params p = move_params(c, seqs, max_moves, blocks);
    const int64_t element = ct::dtype_bytes(c.dtype);
    const int64_t bytes = blocks * p.block_stride * element;
    Array<unsigned char> k(d, bytes), v(d, c.has_values ? bytes : 0);
    for (Array<unsigned char>* cache : {&k, &v}) {
        for (int64_t i = 0; i < cache->size; ++i) cache->at[i] = static_cast<unsigned char>(random.below(256));
    }
    std::vector<unsigned char> expected_k(k.at, k.at + k.size), expected_v(v.at, v.at + v.size);
    Array<int64_t> moves(d, 2 * seqs * max_moves);
    Array<int32_t> counts(d, seqs);
    auto move = [&](std::vector<unsigned char>& cache, int64_t width, int64_t from, int64_t to) {
        for (int64_t head = 0; head < c.num_kv_heads; ++head) {
            auto at = [&](int64_t slot) {
                return cache.data() +
                       (slot / c.block_size * p.block_stride + (head * c.block_size + slot % c.block_size) * width) *
                           element;
            };
            std::copy_n(std::vector<unsigned char>(at(from), at(from) + width * element).data(), width * element,
                        at(to));
        }
    };
    const int64_t outside[] = {-1, p.num_slots, INT64_MIN, INT64_MAX};
    for (int64_t s = 0; s < seqs; ++s) {
        // A place's slot: the blocks of a sequence lie backwards.
        auto slot = [&](int64_t place) {
            return (seqs * kBlocks - (s * kBlocks + place / c.block_size)) * c.block_size + place % c.block_size;
        };
        counts.at[s] = static_cast<int32_t>(c.has_counts ? random.below(max_moves + 3) - 1 : max_moves);
        int64_t source = 10;
        for (int64_t i = 0; i < max_moves; ++i) {
            source += 1 + random.below(2);
            const int64_t to = 11 + i;
            int64_t* pair = moves.at + 2 * (s * max_moves + i);
            pair[0] = slot(std::max(source, to) % (kBlocks * c.block_size));
            pair[1] = slot(to % (kBlocks * c.block_size));
            if (random.below(5) == 0) pair[random.below(2)] = outside[random.below(4)];
            const bool moved = pair[0] >= 0 && pair[0] < p.num_slots && pair[1] >= 0 && pair[1] < p.num_slots;
            if (!moved || i >= counts.at[s]) continue;
            move(expected_k, c.head_dim, pair[0], pair[1]);
            if (c.has_values) move(expected_v, c.head_dim_v > 0 ? c.head_dim_v : c.head_dim, pair[0], pair[1]);
        }
    }
    CHECK_OK(ct_kv_move(k.buffer, c.has_values ? v.buffer : nullptr, moves.buffer,
                        c.has_counts ? counts.buffer : nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(std::equal(expected_k.begin(), expected_k.end(), k.at));
    CHECK(std::equal(expected_v.begin(), expected_v.end(), v.at));
}

inline void movesAllShapes(Device& d) {
    for (int32_t dtype : {CT_F32, CT_BF16, CT_F16, CT_F8_E4M3}) {
        for (int32_t width : {16, 64, 128, 576}) {
            movesPaths(d, {2, width, 0, 16, dtype}, 3, 7);
            movesPaths(d, {1, width, 16, 32, dtype, true, true, 32}, 2, 9);
        }
    }
    movesPaths(d, {1, 576, 512, 64, CT_BF16, false, true}, 4, 20);
    movesPaths(d, {8, 128, 0, 16, CT_BF16}, 1, 1);
    movesPaths(d, {2, 32, 0, 16, CT_BF16}, 0, 4);
    movesPaths(d, {2, 32, 0, 16, CT_BF16}, 3, 0);
}

}  // namespace testing
