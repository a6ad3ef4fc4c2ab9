// attention_mma.cuh: one warp's attention of a row tile over a tile of keys on tensor cores. Decode and prefill run this
// code, so that a row's bits do not tell them apart.
//
// A row tile is 16 packed rows of one sequence and KV head: packed row i is query head i % group of the group and row
// i / group of the sequence. Rows are M of the products, keys N of the scores and K of the output (the orientation of
// FlashAttention-2: Dao 2023, arXiv 2307.08691); the weights stay in registers as the A operand of the second product.
//
// The arithmetic of a row, whoever computes it (balanced = 0):
//   - key tiles of Tile::kKeys keys at absolute positions; the score of a key is a chain over head_dim in steps of 16;
//   - splits of kSplitKeys keys at absolute positions, each an online softmax over its tiles from nothing (maximum -inf,
//     sum and output 0), folded from the left: total = merge(total, split);
//   - the sum is a column of the output: rounded weights times ones in the same matrix products;
//   - a tile or split of which the row sees nothing changes no bit, so it may be left out.
// Every multiply-add that the compiler could fuse in one kernel and not in another is written as fma, or as a product
// that nothing adds to.
#pragma once

#include "kernels/attention/attention_sequence.h"

namespace gpu::attention {

inline constexpr int kTileRows = 16;
inline constexpr int kSplitKeys = 256;
inline constexpr int kPartKeys = 16;  // keys that surely lie in one block of the cache
inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kLn2 = 0.6931471805599453f;

// ---- a tile of keys or values in shared memory ---------------------------------------------------------------------

// Keys of a tile are rows of 16-byte granules as the cache holds them (e4m3 stays bytes). Granules change places within
// their row so that the 8 rows of an ldmatrix matrix, or of a copy, fall into 8 different groups of banks.
template <typename Kv, int HeadDim>
struct Tile {
    static_assert(HeadDim % 32 == 0);
    static constexpr int kKeys = keys_of_tile(HeadDim, sizeof(Kv));
    static constexpr int kGranules = HeadDim * static_cast<int>(sizeof(Kv)) / 16;
    static constexpr int kBytes = kKeys * kGranules * 16;

    static __device__ __forceinline__ int place(int key, int granule) {
        const int change = kGranules % 8 == 0 ? key & 7 : kGranules % 4 == 0 ? (key >> 1) & 3 : (key >> 2) & 1;
        return (key * kGranules + (granule ^ change)) * 16;
    }
};

// Begins the copies of kPartKeys keys into rows [16 part, 16 part + 16) of a tile by `Threads` threads of which this is
// number `thread`. from: the part's first key in the cache (a part lies in one block, keys without gaps). Keys outside
// [begin, end), counted from the part's first, become zeros and are not read: what a page holds there never matters.
template <typename Kv, int HeadDim, int Threads>
__device__ __forceinline__ void copy_part(unsigned char* tile, int part, int thread, const Kv* from, int begin,
                                          int end) {
    using T = Tile<Kv, HeadDim>;
    static constexpr int kCopies = kPartKeys * T::kGranules;
    [[maybe_unused]] static constexpr int kAtOnce =
        HeadDim > 128 ? 1 : kCopies / Threads + 1;  // wide heads leave no registers for places
#pragma unroll kAtOnce
    for (int first = 0; first < kCopies; first += Threads) {
        const int i = first + thread;
        if (kCopies % Threads != 0 && i >= kCopies) break;
        const int key = i / T::kGranules, granule = i % T::kGranules;
        copy_async16_or_zero(tile + T::place(part * kPartKeys + key, granule),
                             reinterpret_cast<const unsigned char*>(from) + i * 16, key >= begin && key < end);
    }
}

// ---- fragments -----------------------------------------------------------------------------------------------------

// f16 and e4m3 caches multiply in f16 (e4m3 is exact in it), bf16 in bf16.
template <typename Kv>
__device__ __forceinline__ void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (std::is_same_v<Kv, bf16>) {
        mma_bf16(d, a, b);
    } else {
        mma_f16(d, a, b);
    }
}

template <typename Kv>
__device__ __forceinline__ uint32_t pack(float low, float high) {
    if constexpr (std::is_same_v<Kv, bf16>) {
        return pack_bf16(low, high);
    } else {
        return pack_f16(low, high);
    }
}

template <typename Kv>
inline constexpr uint32_t kOnes = std::is_same_v<Kv, bf16> ? 0x3f803f80u : 0x3c003c00u;

// The rows' queries as A operands. A lane holds parts of the rows lane() / 4 and lane() / 4 + 8. Of an e4m3 key, a lane
// gets 4 neighbouring bytes at once, so there the 16 dims of a step are dealt out 4 a lane instead of 2 and 2. Heads
// wider than 128 leave no registers for it: each lane then keeps its operands in kSharedBytes of the warp's shared
// memory, which no other lane touches.
template <int HeadDim>
struct Query {
    static constexpr int kSteps = HeadDim / 16;
    static constexpr bool kInShared = HeadDim > 128;
    static constexpr int kSharedBytes = kInShared ? kSteps * kWarp * 16 : 0;

    unsigned char* memory;  // aligned to 16 bytes; not used where kSharedBytes is 0
    uint32_t a[kInShared ? 1 : kSteps][4];

    __device__ __forceinline__ void set(int step, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3) {
        if constexpr (kInShared) {
            store16(memory + (step * kWarp + lane()) * 16, {a0, a1, a2, a3});
        } else {
            a[step][0] = a0, a[step][1] = a1, a[step][2] = a2, a[step][3] = a3;
        }
    }
    __device__ __forceinline__ void get(int step, uint32_t (&to)[4]) const {
        if constexpr (kInShared) {
            const Vec16 operand = load16(memory + (step * kWarp + lane()) * 16);
            to[0] = operand.x, to[1] = operand.y, to[2] = operand.z, to[3] = operand.w;
        } else {
            to[0] = a[step][0], to[1] = a[step][1], to[2] = a[step][2], to[3] = a[step][3];
        }
    }
};

// Two neighbouring elements of a row in memory, read and written as one word (a memcpy knows their alignment only: nvcc
// makes two or four accesses of it).
struct alignas(4) [[gnu::may_alias]] Bf16Pair {
    uint32_t bits;
};

// Two neighbouring elements of a bf16 row as the A operand of Kv's products; zeros where the row is null.
template <typename Kv>
__device__ __forceinline__ uint32_t query_pair(const bf16* row, int dim) {
    if (row == nullptr) return 0;
    const uint32_t pair = reinterpret_cast<const Bf16Pair*>(row + dim)->bits;
    if constexpr (std::is_same_v<Kv, bf16>) return pair;
    float low, high;
    unpack_bf16(pair, low, high);
    return pack_f16(low, high);
}

// upper: row lane() / 4, lower: row lane() / 4 + 8; null where the tile has no such row. Aligned to 4 bytes.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void load_query(Query<HeadDim>& query, const bf16* upper, const bf16* lower) {
    const int first = lane() % 4 * (sizeof(Kv) == 1 ? 4 : 2);
    static constexpr int kNext = sizeof(Kv) == 1 ? 2 : 8;
    [[maybe_unused]] static constexpr int kAtOnce = Query<HeadDim>::kInShared ? 4 : Query<HeadDim>::kSteps;
#pragma unroll kAtOnce
    for (int step = 0; step < HeadDim / 16; ++step) {
        query.set(step, query_pair<Kv>(upper, step * 16 + first), query_pair<Kv>(lower, step * 16 + first),
                  query_pair<Kv>(upper, step * 16 + first + kNext), query_pair<Kv>(lower, step * 16 + first + kNext));
    }
}

// scores[n]: keys 8 n + 2 (lane() % 4) and the next, of the upper row and then of the lower row.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void multiply_keys(float (&scores)[Tile<Kv, HeadDim>::kKeys / 8][4],
                                              const Query<HeadDim>& query, const unsigned char* keys) {
    using T = Tile<Kv, HeadDim>;
#pragma unroll
    for (int n = 0; n < T::kKeys / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) scores[n][i] = 0;
    }
#pragma unroll
    for (int step = 0; step < HeadDim / 16; ++step) {
        uint32_t a[4];
        query.get(step, a);
        if constexpr (sizeof(Kv) == 2) {
            const int key = lane() % 8 + lane() / 16 * 8, granule = 2 * step + lane() / 8 % 2;
#pragma unroll
            for (int n = 0; n < T::kKeys / 8; n += 2) {
                uint32_t d[4];
                load_matrix_x4(d, keys + T::place(n * 8 + key, granule));
                multiply_add<Kv>(scores[n], a, {d[0], d[1]});
                multiply_add<Kv>(scores[n + 1], a, {d[2], d[3]});
            }
        } else {
#pragma unroll
            for (int n = 0; n < T::kKeys / 8; n += 4) {
                uint32_t d[4];
                load_matrix_x4(d, keys + T::place(n * 8 + lane(), step));
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    multiply_add<Kv>(scores[n + j], a,
                                     {e4m3x2_to_f16x2(static_cast<uint16_t>(d[j] & 0xffffu)),
                                      e4m3x2_to_f16x2(static_cast<uint16_t>(d[j] >> 16))});
                }
            }
        }
    }
}

// ---- online softmax ------------------------------------------------------------------------------------------------

// How a product becomes a score, all in the domain of exp2: score = outer * (capped ? tanh(inner * product) : product).
// outer must be positive.
struct ScoreScale {
    float inner;
    float outer;
    bool capped;
};

__device__ __forceinline__ ScoreScale score_scale(const ct_attention_params& p) {
    const float scale = p.scale * p.k_scale;
    if (p.soft_cap > 0) return {scale / p.soft_cap, p.soft_cap * kLog2E, true};
    return {0.0f, scale * kLog2E, false};
}

// A lane's part of a row tile's softmax so far. [0], of four [0] and [1]: the upper row; else the lower one. All columns
// of `sum` are the sum. output[n]: see visit_output.
template <int HeadDim>
struct Accumulator {
    float output[HeadDim / 8][4];
    float sum[4];
    float max[2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int n = 0; n < HeadDim / 8; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) output[n][i] = 0;
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[i] = 0;
        max[0] = max[1] = -infinity();
    }

    // Rows of which nothing can be said.
    __device__ __forceinline__ void spoil() {
#pragma unroll
        for (int n = 0; n < HeadDim / 8; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) output[n][i] = nan();
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[i] = nan();
    }
};

// What a maximum is subtracted as: -inf would make NaN of a row that has seen nothing yet.
__device__ __forceinline__ float shift_of(float max) { return max == -infinity() ? 0.0f : max; }

// Before the mask.
template <int Columns>
__device__ __forceinline__ void cap(float (&scores)[Columns][4], const ScoreScale& scale) {
    if (!scale.capped) return;
#pragma unroll
    for (int n = 0; n < Columns; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) scores[n][i] = tanh(scores[n][i] * scale.inner);
    }
}

// Bit i: the row sees key first + i.
__device__ __forceinline__ uint64_t seen_keys(const Visible& visible, int32_t first) {
    const auto below = [](int32_t n) { return n >= 64 ? ~uint64_t{0} : n <= 0 ? uint64_t{0} : (uint64_t{1} << n) - 1; };
    const uint64_t in_range = below(visible.end - first) & ~below(visible.begin - first);
    const int32_t old = visible.first_new - first;  // keys before the new ones
    if (visible.tree == ~uint64_t{0} || old >= 64) return in_range;
    if (old >= 0) return in_range & (below(old) | visible.tree << old);
    return old > -64 ? in_range & visible.tree >> -old : 0;
}

// Takes away what a lane's rows do not see of the tile's keys.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void mask(float (&scores)[Tile<Kv, HeadDim>::kKeys / 8][4], uint64_t seen_by_upper,
                                     uint64_t seen_by_lower) {
    static_assert(Tile<Kv, HeadDim>::kKeys <= 64);
    seen_by_upper >>= lane() % 4 * 2;
    seen_by_lower >>= lane() % 4 * 2;
#pragma unroll
    for (int n = 0; n < Tile<Kv, HeadDim>::kKeys / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const uint64_t seen = i < 2 ? seen_by_upper : seen_by_lower;
            if ((seen >> (n * 8 + i % 2) & 1) == 0) scores[n][i] = -infinity();
        }
    }
}

// The softmax of a tile's scores, capped and masked: weights become the A operands of the second product, and what the
// accumulator holds is scaled to the new maximum.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void weigh(uint32_t (&weights)[Tile<Kv, HeadDim>::kKeys / 16][4],
                                      Accumulator<HeadDim>& total, float (&scores)[Tile<Kv, HeadDim>::kKeys / 8][4],
                                      const ScoreScale& scale) {
    static constexpr int kColumns = Tile<Kv, HeadDim>::kKeys / 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float top = -infinity();
#pragma unroll
        for (int n = 0; n < kColumns; ++n) top = max(top, max(scores[n][2 * half], scores[n][2 * half + 1]));
        top = max(top, shuffle_xor(top, 1));
        top = max(top, shuffle_xor(top, 2));
        const float next = max(total.max[half], top * scale.outer);
        const float shift = shift_of(next), decay = exp2(total.max[half] - shift);
        total.max[half] = next;
        total.sum[2 * half] *= decay;
        total.sum[2 * half + 1] *= decay;
#pragma unroll
        for (int n = 0; n < HeadDim / 8; ++n) {
            total.output[n][2 * half] *= decay;
            total.output[n][2 * half + 1] *= decay;
        }
#pragma unroll
        for (int n = 0; n < kColumns; ++n) {
            weights[n / 2][n % 2 * 2 + half] = pack<Kv>(exp2(fma(scores[n][2 * half], scale.outer, -shift)),
                                                        exp2(fma(scores[n][2 * half + 1], scale.outer, -shift)));
        }
    }
}

namespace detail {
// Bytes 0 and 2 (or 1 and 3) of a word: one dim of two keys.
__device__ __forceinline__ uint16_t even_bytes(uint32_t word) {
    return static_cast<uint16_t>((word & 0xffu) | (word >> 8 & 0xff00u));
}
}  // namespace detail

// Adds weights * values to the accumulator, and the weights to its sum.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void multiply_values(Accumulator<HeadDim>& total,
                                                const uint32_t (&weights)[Tile<Kv, HeadDim>::kKeys / 16][4],
                                                const unsigned char* values) {
    using T = Tile<Kv, HeadDim>;
    const int key = lane() % 16, side = lane() / 16;
#pragma unroll
    for (int step = 0; step < T::kKeys / 16; ++step) {
        multiply_add<Kv>(total.sum, weights[step], {kOnes<Kv>, kOnes<Kv>});
#pragma unroll
        for (int granule = 0; granule < T::kGranules; granule += 2) {
            uint32_t d[4];
            load_matrix_x4_transposed(d, values + T::place(step * 16 + key, granule + side));
            if constexpr (sizeof(Kv) == 2) {
                multiply_add<Kv>(total.output[granule], weights[step], {d[0], d[1]});
                multiply_add<Kv>(total.output[granule + 1], weights[step], {d[2], d[3]});
            } else {
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    const uint32_t low = d[2 * j], high = d[2 * j + 1];
                    multiply_add<Kv>(
                        total.output[2 * (granule + j)], weights[step],
                        {e4m3x2_to_f16x2(detail::even_bytes(low)), e4m3x2_to_f16x2(detail::even_bytes(high))});
                    multiply_add<Kv>(total.output[2 * (granule + j) + 1], weights[step],
                                     {e4m3x2_to_f16x2(detail::even_bytes(low >> 8)),
                                      e4m3x2_to_f16x2(detail::even_bytes(high >> 8))});
                }
            }
        }
    }
}

// Calls visit(half, dim, x, y) for each pair of neighbouring dims, dim and dim + 1, that this lane's accumulator holds of
// the upper (0) and lower (1) row. x and y are references. An e4m3 column pair holds the even dims, then the odd ones.
template <typename Kv, int HeadDim, typename Visit>
__device__ __forceinline__ void visit_output(Accumulator<HeadDim>& total, const Visit& visit) {
#pragma unroll
    for (int n = 0; n < HeadDim / 8; n += 2) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float (&a)[4] = total.output[n];
            float (&b)[4] = total.output[n + 1];
            if constexpr (sizeof(Kv) == 2) {
                visit(half, n * 8 + lane() % 4 * 2, a[2 * half], a[2 * half + 1]);
                visit(half, n * 8 + 8 + lane() % 4 * 2, b[2 * half], b[2 * half + 1]);
            } else {
                visit(half, n * 8 + lane() % 4 * 4, a[2 * half], b[2 * half]);
                visit(half, n * 8 + lane() % 4 * 4 + 2, a[2 * half + 1], b[2 * half + 1]);
            }
        }
    }
}

// ---- folding and the end -------------------------------------------------------------------------------------------

// total = total (+) split, `split` being the later one: what either side's sums are multiplied by.
struct Merge {
    float max;
    float total;
    float split;

    __device__ __forceinline__ Merge(float total_max, float split_max) {
        max = gpu::max(total_max, split_max);
        total = exp2(total_max - shift_of(max));
        split = exp2(split_max - shift_of(max));
    }
    __device__ __forceinline__ float operator()(float of_total, float of_split) const {
        return fma(of_split, split, of_total * total);
    }
};

// What a row's output is multiplied by, and its log-sum-exp. The sink takes part and adds no value; a row that saw
// nothing is zeros.
struct RowEnd {
    float factor;
    float lse;

    __device__ __forceinline__ RowEnd(float max, float sum, const float* sink, float v_scale) {
        if (sum == 0) {
            factor = 0;
            lse = -infinity();
            return;
        }
        float decay = 1;
        if (sink != nullptr) {
            const float logit = *sink * kLog2E;
            const Merge merge(max, logit);
            decay = merge.total;
            sum = merge(sum, 1.0f);
            max = merge.max;
        }
        factor = decay / sum * v_scale;
        lse = fma(max, kLn2, log(sum));
    }
    // Never -0, whose sign would tell which tiles were left out.
    __device__ __forceinline__ float operator()(float output) const { return fma(output, factor, 0.0f); }
};

}  // namespace gpu::attention
