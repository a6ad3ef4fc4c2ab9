// attention_rows.cuh: what decode and prefill share around attention_mma.cuh: a row tile's place in q and out, what its
// rows see, the running total, and the end of a row.
#pragma once

#include "kernels/attention/attention_mma.cuh"
#include "kernels/attention/attention_plan.h"

namespace gpu::attention {

// A KV head of a sequence.
struct Unit {
    int32_t sequence;
    int32_t kv_head;
};

__device__ __forceinline__ int32_t group_of(const ct_attention_params& p) { return p.num_q_heads / p.num_kv_heads; }

// The rows of a row tile, which begins at a packed row of a unit.
struct Rows {
    int32_t first_row;     // of the sequence
    int32_t first_packed;  // of the tile
    int32_t count;         // from there to the end of the sequence: may be negative, or more than a tile's
    int32_t group;
    int32_t first_head;

    template <typename Args>
    __device__ Rows(const Args& args, const Unit& unit, int32_t first = 0)
        : first_row(args.plan.sequences[unit.sequence].first_row),
          first_packed(first),
          count(args.plan.sequences[unit.sequence].q_len * group_of(args.call.p) - first),
          group(group_of(args.call.p)),
          first_head(unit.kv_head * group) {}

    __device__ int32_t token(int32_t row) const { return first_row + (first_packed + row) / group; }
    __device__ int32_t head(int32_t row) const { return first_head + (first_packed + row) % group; }
    __device__ int64_t element(int32_t row, int64_t stride, int32_t head_dim) const {
        return token(row) * stride + int64_t{head(row)} * head_dim;
    }
};

__device__ __forceinline__ RowEnd end_of_row(const AttentionArgs& call, const Rows& rows, int32_t row, float max,
                                             float sum) {
    return RowEnd(max, sum, call.sinks == nullptr ? nullptr : call.sinks + rows.head(row), call.p.v_scale);
}

__device__ __forceinline__ void store_lse(const AttentionArgs& call, const Rows& rows, int32_t row, float lse) {
    if (call.lse != nullptr) call.lse[int64_t{rows.token(row)} * call.p.num_q_heads + rows.head(row)] = lse;
}

__device__ __forceinline__ void store_pair(bf16* to, float x, float y) {
    reinterpret_cast<Bf16Pair*>(to)->bits = pack_bf16(x, y);
}
struct alignas(8) [[gnu::may_alias]] FloatPair {
    float x, y;
};
__device__ __forceinline__ void store_pair(float* to, float x, float y) { *reinterpret_cast<FloatPair*>(to) = {x, y}; }

__device__ __forceinline__ void store_constant(const AttentionArgs& call, int64_t token, int32_t head, bool is_nan) {
    const ct_attention_params& p = call.p;
    bf16* out = static_cast<bf16*>(call.out) + token * p.out_stride + int64_t{head} * p.head_dim;
    for (int dim = 2 * lane(); dim < p.head_dim; dim += 2 * kWarp) {
        store_pair(out + dim, is_nan ? nan() : 0.0f, is_nan ? nan() : 0.0f);
    }
    if (call.lse != nullptr && lane() == 0) call.lse[token * p.num_q_heads + head] = is_nan ? nan() : -infinity();
}

template <typename Kv, int HeadDim>
__device__ __forceinline__ void store_rows(const AttentionArgs& call, const Rows& rows, Accumulator<HeadDim>& total) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = lane() / 4 + 8 * half;
        if (row >= rows.count) continue;
        const RowEnd end = end_of_row(call, rows, row, total.max[half], total.sum[2 * half]);
        bf16* out = static_cast<bf16*>(call.out) + rows.element(row, call.p.out_stride, HeadDim);
        visit_output<Kv>(total, [&](int of_half, int dim, float x, float y) {
            if (of_half == half) store_pair(out + dim, end(x), end(y));
        });
        if (lane() % 4 == 0) store_lse(call, rows, row, end.lse);
    }
}

// Rows [first, last] of a sequence, counted from its first.
struct Tokens {
    int32_t first;
    int32_t last;
};

// The sequence's rows that packed rows [first, first + count) belong to.
__device__ __forceinline__ Tokens tokens_of(const ct_attention_params& p, const PlannedSequence& sequence,
                                            int32_t first, int32_t count) {
    const int32_t group = group_of(p), last = (first + count - 1) / group;
    return {first / group, last < sequence.q_len ? last : sequence.q_len - 1};
}

// Each of these rows sees all keys of [begin, end).
struct SeenByAll {
    int32_t begin;
    int32_t end;

    __device__ SeenByAll(const AttentionArgs& call, const PlannedSequence& sequence, Tokens tokens) {
        const int32_t first_new = sequence.kv_len - sequence.q_len;
        const bool tree = call.tree_mask != nullptr && sequence.q_len <= CT_MAX_TREE_ROWS;
        begin = first_seen(call.p, first_new + tokens.last);
        end = tree ? first_new : first_new + tokens.first + 1;
    }
};

// What the upper (0) or lower (1) row of a lane sees; some row's sight where there is no such row.
__device__ __forceinline__ Visible sight_of(const AttentionArgs& call, const PlannedSequence& of, int32_t first,
                                            int half) {
    const int token = (first + lane() / 4 + 8 * half) / group_of(call.p);
    const Sequence sequence{0, of.first_row, of.q_len, of.kv_len, State::kAttends};
    return visible_to(call, sequence, of.first_row + (token < of.q_len ? token : of.q_len - 1));
}

// The running total of the splits that a warp has folded, in kBytes of its shared memory: the output, and a row of
// maxima and sums.
template <int HeadDim>
struct Total {
    static constexpr int kBytes = (HeadDim / 8 + 1) * kWarp * 16;
    unsigned char* memory;
    bool is_empty = true;

    __device__ unsigned char* place(int n) const { return memory + (n * kWarp + lane()) * 16; }

    __device__ __forceinline__ void load(float (&to)[4], int n) const {
        const Vec16 packed = load16(place(n));
        memcpy(to, &packed, 16);
    }
    __device__ __forceinline__ void store(const float (&from)[4], int n) const {
        Vec16 packed;
        memcpy(&packed, from, 16);
        store16(place(n), packed);
    }

    // split = total (+) split
    __device__ __forceinline__ void fold_into(Accumulator<HeadDim>& split) const {
        if (is_empty) return;
        float rows[4];  // maximum and sum of the upper row, of the lower row
        load(rows, HeadDim / 8);
        const Merge upper(rows[0], split.max[0]), lower(rows[2], split.max[1]);
#pragma unroll
        for (int n = 0; n < HeadDim / 8; ++n) {
            float total[4];
            load(total, n);
            split.output[n][0] = upper(total[0], split.output[n][0]);
            split.output[n][1] = upper(total[1], split.output[n][1]);
            split.output[n][2] = lower(total[2], split.output[n][2]);
            split.output[n][3] = lower(total[3], split.output[n][3]);
        }
        split.sum[0] = split.sum[1] = upper(rows[1], split.sum[0]);
        split.sum[2] = split.sum[3] = lower(rows[3], split.sum[2]);
        split.max[0] = upper.max;
        split.max[1] = lower.max;
    }
    __device__ __forceinline__ void keep(const Accumulator<HeadDim>& total) {
        is_empty = false;
        const float rows[4] = {total.max[0], total.sum[0], total.max[1], total.sum[2]};
        store(rows, HeadDim / 8);
#pragma unroll
        for (int n = 0; n < HeadDim / 8; ++n) store(total.output[n], n);
    }
};

template <typename Kv, int HeadDim>
__device__ __forceinline__ void load_rows(Query<HeadDim>& query, const AttentionArgs& call, const Rows& rows) {
    const auto at = [&](int row) {
        const int64_t element = rows.element(row, call.p.q_stride, HeadDim);
        return row < rows.count ? static_cast<const bf16*>(call.q) + element : nullptr;
    };
    load_query<Kv>(query, at(lane() / 4), at(lane() / 4 + 8));
}

// The weights of a tile's keys for the row tile that begins at packed row `first` of the sequence.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void attend_keys(uint32_t (&weights)[Tile<Kv, HeadDim>::kKeys / 16][4],
                                            Accumulator<HeadDim>& total, const Query<HeadDim>& query,
                                            const unsigned char* keys, const AttentionArgs& call,
                                            const PlannedSequence& sequence, int32_t first, Tokens tokens,
                                            int32_t key) {
    using T = Tile<Kv, HeadDim>;
    float scores[T::kKeys / 8][4];
    multiply_keys<Kv>(scores, query, keys);
    const ScoreScale scale = score_scale(call.p);
    cap(scores, scale);
    const SeenByAll seen(call, sequence, tokens);
    if (key < seen.begin || key + T::kKeys > seen.end) {
        mask<Kv, HeadDim>(scores, seen_keys(sight_of(call, sequence, first, 0), key),
                          seen_keys(sight_of(call, sequence, first, 1), key));
    }
    weigh<Kv>(weights, total, scores, scale);
}

}  // namespace gpu::attention
