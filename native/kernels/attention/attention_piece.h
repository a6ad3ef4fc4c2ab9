// attention_piece.h: the kernel of attention.h for any vector type V; attention_ISA.cpp defines V and includes this.
//
// Everything is in an unnamed namespace: each instruction set must keep its own copy, or the linker could hand the
// AVX-512 one to a machine that lacks it. For the same reason nothing of the standard library is called.
//
// Order of the arithmetic, per row:
//   score     one chain of FMA over the head's dimensions in ascending order, keys side by side in the lanes
//   max, sum  lane i over the places i, i + lanes, ... of the piece, then over the lanes
//   values    one chain of FMA over the visible keys in ascending order; invisible keys are skipped, not multiplied by
//             zero: they may be NaN
// None of these orders depends on the number of rows that are computed together.
//
// float and bf16 caches are read where they lie. f16 is widened to float, e4m3 to bf16, which holds each of its numbers
// exactly: keys of e4m3 when they are transposed, other blocks a few at a time into memory that stays in the nearest
// cache.
#pragma once

#include "core/numbers.h"
#include "kernels/attention/attention.h"

namespace ct::attention {
namespace {

using Bits = uint16_t;  // a bf16 in memory

template <typename T>
inline constexpr bool kIsWidened = __is_same(T, e4m3) || __is_same(T, f16);

// What the arithmetic reads where the cache holds T.
template <typename T>
struct Widened {
    using Type = T;
};
template <>
struct Widened<e4m3> {
    using Type = Bits;
};
template <>
struct Widened<f16> {
    using Type = float;
};
template <typename T>
using Wide = typename Widened<T>::Type;

// bf16 bytes of e4m3 numbers: the upper byte by exponent, and both bytes of multiples of 2^-9 below 2^-6.
alignas(16) inline constexpr uint8_t kE4m3Upper[16] = {0x3c, 0x3c, 0x3d, 0x3d, 0x3e, 0x3e, 0x3f, 0x3f,
                                                       0x40, 0x40, 0x41, 0x41, 0x42, 0x42, 0x43, 0x43};
alignas(16) inline constexpr uint8_t kE4m3SmallUpper[16] = {0x00, 0x3b, 0x3b, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c};
alignas(16) inline constexpr uint8_t kE4m3SmallLower[16] = {0x00, 0x00, 0x80, 0xc0, 0x00, 0x20, 0x40, 0x60};

template <int N>
struct Count {
    static constexpr int value = N;
};

// Calls body(Count<n>) for n in [1, N]: sizes of register tiles are constants of the compiler.
template <int N, typename Body>
inline void with_count(int n, const Body& body) {
    if constexpr (N > 1) {
        if (n < N) {
            return with_count<N - 1>(n, body);
        }
    }
    body(Count<N>{});
}

inline int min_of(int a, int b) { return a < b ? a : b; }
inline int max_of(int a, int b) { return a > b ? a : b; }

inline void prefetch(const void* address) { __builtin_prefetch(address, 0, 2); }

// ---- exp and tanh --------------------------------------------------------------------------------------------------

// exp(x) for x <= 0 to about 1 ulp; 0 below the normal numbers; NaN stays NaN. (Cephes expf: S. Moshier)
template <typename V>
inline typename V::Reg exp(typename V::Reg x) {
    using Reg = typename V::Reg;
    const Reg magic = V::set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, left in the low bits
    const Reg shifted = V::fma(x, V::set1(1.44269504088896341f), magic);
    const Reg n = V::sub(shifted, magic);
    Reg r = V::fma(n, V::set1(-0.693359375f), x);
    r = V::fma(n, V::set1(2.12194440e-4f), r);
    Reg p = V::set1(1.9875691500e-4f);
    p = V::fma(p, r, V::set1(1.3981999507e-3f));
    p = V::fma(p, r, V::set1(8.3334519073e-3f));
    p = V::fma(p, r, V::set1(4.1665795894e-2f));
    p = V::fma(p, r, V::set1(1.6666665459e-1f));
    p = V::fma(p, r, V::set1(5.0000001201e-1f));
    p = V::add(V::fma(p, V::mul(r, r), r), V::set1(1.0f));
    return V::select_less(x, V::set1(-87.33654f), V::set1(0.0f), V::mul(p, V::power_of_two(shifted)));
}

// tanh(x) to about 1e-7 of its value: a series near 0, where 1 - exp(-2|x|) would cancel.
template <typename V>
inline typename V::Reg tanh(typename V::Reg x) {
    using Reg = typename V::Reg;
    const Reg zero = V::set1(0.0f), one = V::set1(1.0f);
    const Reg negative = V::sub(zero, x);
    const Reg size = V::max(x, negative);
    const Reg e = exp<V>(V::mul(size, V::set1(-2.0f)));
    const Reg far = V::div(V::sub(one, e), V::add(one, e));
    const Reg square = V::mul(x, x);
    Reg series = V::set1(-17.0f / 315.0f);
    series = V::fma(series, square, V::set1(2.0f / 15.0f));
    series = V::fma(series, square, V::set1(-1.0f / 3.0f));
    const Reg near = V::fma(V::mul(series, square), x, x);
    return V::select_less(size, V::set1(0.1f), near, V::select_less(x, zero, V::sub(zero, far), far));
}

// ---- widening ------------------------------------------------------------------------------------------------------

// A block's 16 tokens of one head, in their order. Prefetches as many bytes of `ahead`.
template <typename V, typename T>
inline void widen_block(Wide<T>* to, const void* block, const void* ahead, int head_dim) {
    constexpr int kLine = 64 / static_cast<int>(sizeof(T));
    const T* from = static_cast<const T*>(block);
    const T* from_ahead = static_cast<const T*>(ahead);
    for (int i = 0; i < head_dim * CT_KV_BLOCK_SIZE; i += kLine) {
        prefetch(from_ahead + i);
        for (int j = 0; j < kLine; j += V::template widened<T>()) V::widen(to + i + j, from + i + j);
    }
}

// ---- scores --------------------------------------------------------------------------------------------------------

// One to four rows of keys: what a column of 32-bit words holds for some tokens.
template <typename V, typename T, bool Pairs>
inline void store_column(float* keys, typename V::Reg column) {
    if constexpr (__is_same(T, e4m3)) {
        typename V::Reg low, high;
        V::widen_quads(&low, &high, column);
        constexpr int kRows = Pairs ? 1 : 2;
        store_column<V, Bits, Pairs>(keys, low);
        store_column<V, Bits, Pairs>(keys + kRows * kGroupTokens, high);
    } else if constexpr (__is_same(T, float) || Pairs) {
        V::store(keys, column);
    } else {
        V::store(keys, V::low_half(column));
        V::store(keys + kGroupTokens, V::high_half(column));
    }
}

// keys[d][t] = block[t][d] for the 16 tokens of a block, as float32; with Pairs and keys of at most two bytes as pairs of
// bf16: keys[d / 2][t] = block[t][d, d + 1]. Prefetches so many bytes a word of `ahead`.
template <typename V, typename T, bool Pairs, int Ahead>
inline void transpose_block(float* keys, const void* block, const void* ahead, int head_dim) {
    const int words = head_dim * static_cast<int>(sizeof(T)) / 4;  // 32-bit words of a token
    constexpr int kRows = 4 / static_cast<int>(sizeof(T)) / (Pairs ? 2 : 1);
    const auto* rows = static_cast<const uint32_t*>(block);
    [[maybe_unused]] const char* bytes_ahead = static_cast<const char*>(ahead);
    for (int w = 0; w < words; w += 4) {
        if constexpr (Ahead > 0) {
#pragma GCC unroll 4
            for (int i = 0; i < 4 * Ahead; i += 64) prefetch(bytes_ahead + w * Ahead + i);
        }
        for (int t = 0; t < CT_KV_BLOCK_SIZE; t += V::kLanes) {
            typename V::Reg column[4];
            V::columns4(column, rows + t * words + w, words);
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) {
                store_column<V, T, Pairs>(keys + kRows * (w + i) * kGroupTokens + t, column[i]);
            }
        }
    }
}

// scores[r][t] = scale * (query[r] . key[t]) for R rows and N vectors of tokens. Q: float, or uint32_t for bf16 pairs.
// With Ahead > 0, so many bytes are prefetched a word: in each quarter of the words the second half of one page.
template <typename V, typename Q, int Ahead, int R, int N>
inline void score_tile(float* scores, const Q* queries, const float* keys, const void* const* pages, int words,
                       float scale) {
    typename V::Reg sum[R][N];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) sum[r][n] = V::set1(0.0f);
    }
    for (int quarter = 0; quarter < kGroupBlocks; ++quarter) {
        const int begin = quarter * (words / kGroupBlocks), end = begin + words / kGroupBlocks;
        [[maybe_unused]] const char* ahead = nullptr;
        if constexpr (Ahead > 0) ahead = static_cast<const char*>(pages[quarter]) + words / kGroupBlocks * Ahead;
        for (int w = begin; w < end; ++w) {
            if constexpr (Ahead > 0) {
#pragma GCC unroll 2
                for (int i = 0; i < Ahead; i += 64) prefetch(ahead + i);
                ahead += Ahead;
            }
            typename V::Reg key[N];
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) key[n] = V::load(keys + w * kGroupTokens + n * V::kLanes);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const typename V::Reg query = V::broadcast(queries + r * words + w);
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) {
                    if constexpr (V::template is_pair<Q>()) {
                        sum[r][n] = V::dot_pairs(query, key[n], sum[r][n]);
                    } else {
                        sum[r][n] = V::fma(query, key[n], sum[r][n]);
                    }
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
            V::store(scores + r * kScoreStride + n * V::kLanes, V::mul(sum[r][n], V::set1(scale)));
        }
    }
}

// Blocks of the piece that some row sees.
inline Visible visible_blocks(const Piece& piece) {
    Visible blocks{kPieceBlocks, 0};
    for (int r = 0; r < piece.rows; ++r) {
        const Visible row = piece.visible[r];
        if (row.begin < row.end) {
            blocks.begin = min_of(blocks.begin, row.begin / CT_KV_BLOCK_SIZE);
            blocks.end = max_of(blocks.end, (row.end + CT_KV_BLOCK_SIZE - 1) / CT_KV_BLOCK_SIZE);
        }
    }
    return blocks;
}

template <typename V, typename Q, typename T>
void score_piece(const Piece& piece) {
    constexpr bool kPairs = V::template is_pair<Q>();
    const int words = kPairs ? piece.head_dim / 2 : piece.head_dim;
    // A page of values is prefetched: half while its keys are transposed, half in a quarter of the words of the scores.
    constexpr int kAheadOfWord = 32;
    constexpr int kAhead = (kPairs ? 64 : 32) * static_cast<int>(sizeof(T));
    const Visible blocks = visible_blocks(piece);
    for (int begin = blocks.begin; begin < blocks.end; begin += kGroupBlocks) {
        const int count = min_of(kGroupBlocks, blocks.end - begin);
        for (int b = 0; b < count; ++b) {
            float* keys = piece.keys + b * CT_KV_BLOCK_SIZE;
            const void* values = piece.v[begin + b];
            if constexpr (__is_same(T, f16)) {
                widen_block<V, T>(static_cast<float*>(piece.wide), piece.k[begin + b], values, piece.head_dim);
                transpose_block<V, float, kPairs, 0>(keys, piece.wide, nullptr, piece.head_dim);
            } else {
                transpose_block<V, T, kPairs, kAheadOfWord>(keys, piece.k[begin + b], values, piece.head_dim);
            }
        }
        for (int t = 0; t < count * CT_KV_BLOCK_SIZE; t += V::kScoreVectors * V::kLanes) {
            const int vectors = (count * CT_KV_BLOCK_SIZE - t) / V::kLanes;
            with_count<V::kScoreVectors>(min_of(V::kScoreVectors, vectors), [&](auto n) {
                const int tiles = (piece.rows + V::kScoreRows - 1) / V::kScoreRows;
                const int tile_rows = (piece.rows + tiles - 1) / tiles;
                for (int r = 0; r < piece.rows; r += tile_rows) {
                    with_count<V::kScoreRows>(min_of(tile_rows, piece.rows - r), [&](auto rows) {
                        constexpr int kRows = decltype(rows)::value, kVectors = decltype(n)::value;
                        float* scores = piece.scores + r * kScoreStride + begin * CT_KV_BLOCK_SIZE + t;
                        const Q* queries = static_cast<const Q*>(piece.queries) + r * words;
                        if (r == 0 && t == 0 && count == kGroupBlocks) {
                            score_tile<V, Q, kAhead, kRows, kVectors>(scores, queries, piece.keys, piece.v + begin,
                                                                      words, piece.scale);
                        } else {
                            score_tile<V, Q, 0, kRows, kVectors>(scores, queries, piece.keys + t, nullptr, words,
                                                                 piece.scale);
                        }
                    });
                }
            });
        }
    }
}

// ---- softmax -------------------------------------------------------------------------------------------------------

// Turns a row's visible scores into exp(score - max); record gets max and sum.
template <typename V>
inline void softmax_row(float* max_and_sum, float* scores, Visible visible, float soft_cap) {
    const int begin = visible.begin / V::kLanes * V::kLanes;
    const int end = (visible.end + V::kLanes - 1) / V::kLanes * V::kLanes;
    if (soft_cap > 0.0f) {
        const typename V::Reg cap = V::set1(soft_cap);
        for (int t = begin; t < end; t += V::kLanes) {
            V::store(scores + t, V::mul(cap, tanh<V>(V::div(V::load(scores + t), cap))));
        }
    }
    const float nothing = -__builtin_inff();  // its exp is 0, which leaves the sum as it is
    for (int t = begin; t < visible.begin; ++t) scores[t] = nothing;
    for (int t = visible.end; t < end; ++t) scores[t] = nothing;
    typename V::Reg max = V::set1(nothing);
    for (int t = begin; t < end; t += V::kLanes) max = V::max(V::load(scores + t), max);  // skips NaN; the sum gets it
    const float row_max = V::max_of_lanes(max);
    typename V::Reg sum = V::set1(0.0f);
    for (int t = begin; t < end; t += V::kLanes) {
        const typename V::Reg p = exp<V>(V::sub(V::load(scores + t), V::set1(row_max)));
        V::store(scores + t, p);
        sum = V::add(sum, p);
    }
    max_and_sum[0] = row_max;
    max_and_sum[1] = V::sum_of_lanes(sum);
}

// ---- values --------------------------------------------------------------------------------------------------------

// Values of consecutive blocks of the piece; pages[i] are block i's.
struct Values {
    const void* const* pages;
    Visible places;  // of the piece, of all those blocks
};

// record[r][d..] += sum over t in [begin, end) of p[r][t] * value[t][d..], for R rows and N vectors of dimensions.
template <typename V, typename T, bool Ahead, int R, int N>
inline void value_tile(const Piece& piece, const Values& from, int row, int d, int begin, int end) {
    const int64_t stride = record_stride(piece.head_dim_v);
    float* records = piece.records + row * stride + d;
    const float* p = piece.scores + row * kScoreStride;
    typename V::Reg sum[R][N];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) sum[r][n] = V::load(records + r * stride + n * V::kLanes);
    }
    for (int t = begin; t < end;) {
        const int block = t / CT_KV_BLOCK_SIZE;
        const int block_end = min_of(end, (block + 1) * CT_KV_BLOCK_SIZE);
        const int place = t % CT_KV_BLOCK_SIZE;
        const T* values = static_cast<const T*>(from.pages[block]) + place * piece.value_stride + d;
        // As many elements a turn as are read, in the order of their addresses.
        [[maybe_unused]] const T* ahead = static_cast<const T*>(piece.next_k[block]) + d * CT_KV_BLOCK_SIZE;
        [[maybe_unused]] constexpr int kLine = 64 / static_cast<int>(sizeof(T));
        if constexpr (Ahead) ahead += place * N * V::kLanes;
        for (; t < block_end; ++t, values += piece.value_stride) {
            if constexpr (Ahead) {
#pragma GCC unroll 4
                for (int i = 0; i < N * V::kLanes; i += kLine) prefetch(ahead + i);
                ahead += N * V::kLanes;
            }
            typename V::Reg value[N];
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) value[n] = V::load(values + n * V::kLanes);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const typename V::Reg weight = V::broadcast(p + r * kScoreStride + t);
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) sum[r][n] = V::fma(weight, value[n], sum[r][n]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) V::store(records + r * stride + n * V::kLanes, sum[r][n]);
    }
}

template <typename V, typename T, bool Ahead, int R>
inline void value_rows(const Piece& piece, const Values& from, int row, int begin, int end) {
    if (begin >= end) {
        return;
    }
    for (int d = 0; d < piece.head_dim_v; d += V::kValueVectors * V::kLanes) {
        with_count<V::kValueVectors>(min_of(V::kValueVectors, (piece.head_dim_v - d) / V::kLanes), [&](auto n) {
            value_tile<V, T, Ahead, R, decltype(n)::value>(piece, from, row, d, begin, end);
        });
    }
}

// What row r sees of the places.
inline Visible seen_of(const Piece& piece, const Values& from, int r) {
    const Visible row = piece.visible[r];
    return {max_of(row.begin, from.places.begin), min_of(row.end, from.places.end)};
}

// R rows: together over the keys that all of them see, one by one before and after those.
template <typename V, typename T, bool Ahead, int R>
inline void value_row_group(const Piece& piece, const Values& from, int row) {
    int begin = from.places.begin, end = from.places.end;
    for (int r = row; r < row + R; ++r) {
        begin = max_of(begin, piece.visible[r].begin);
        end = min_of(end, piece.visible[r].end);
    }
    if (R == 1 || begin >= end) {
        for (int r = row; r < row + R; ++r) {
            const Visible seen = seen_of(piece, from, r);
            value_rows<V, T, Ahead && R == 1, 1>(piece, from, r, seen.begin, seen.end);
        }
        return;
    }
    for (int r = row; r < row + R; ++r) {
        value_rows<V, T, false, 1>(piece, from, r, seen_of(piece, from, r).begin, begin);
    }
    value_rows<V, T, Ahead, R>(piece, from, row, begin, end);
    for (int r = row; r < row + R; ++r) {
        value_rows<V, T, false, 1>(piece, from, r, end, seen_of(piece, from, r).end);
    }
}

// All rows; the first group of them prefetches next_k.
template <typename V, typename T, bool Ahead>
inline void value_blocks(const Piece& piece, const Values& from) {
    const int tiles = (piece.rows + V::kValueRows - 1) / V::kValueRows;
    const int tile_rows = (piece.rows + tiles - 1) / tiles;
    for (int row = 0; row < piece.rows; row += tile_rows) {
        with_count<V::kValueRows>(min_of(tile_rows, piece.rows - row), [&](auto rows) {
            if (Ahead && row == 0) {
                value_row_group<V, T, Ahead, decltype(rows)::value>(piece, from, row);
            } else {
                value_row_group<V, T, false, decltype(rows)::value>(piece, from, row);
            }
        });
    }
}

template <typename V, typename T>
void value_piece(const Piece& piece) {
    if constexpr (kIsWidened<T>) {
        const Visible blocks = visible_blocks(piece);
        const void* pages[kPieceBlocks];
        for (int begin = blocks.begin; begin < blocks.end; begin += kGroupBlocks) {
            const int end = min_of(begin + kGroupBlocks, blocks.end);
            auto* wide = static_cast<Wide<T>*>(piece.wide);
            for (int b = begin; b < end; ++b, wide += piece.value_stride * CT_KV_BLOCK_SIZE) {
                widen_block<V, T>(wide, piece.v[b], piece.next_k[b], piece.value_stride);
                pages[b] = wide;
            }
            value_blocks<V, Wide<T>, false>(piece, {pages, {begin * CT_KV_BLOCK_SIZE, end * CT_KV_BLOCK_SIZE}});
        }
    } else {
        value_blocks<V, T, true>(piece, {piece.v, {0, kPieceTokens}});
    }
}

// ---- the kernel ----------------------------------------------------------------------------------------------------

template <typename V, typename Q, typename T>
void attend(const Piece& piece) {
    score_piece<V, Q, T>(piece);
    for (int r = 0; r < piece.rows; ++r) {
        if (piece.visible[r].begin < piece.visible[r].end) {
            float* record = piece.records + r * record_stride(piece.head_dim_v);
            for (int d = 0; d < piece.head_dim_v; ++d) record[d] = 0.0f;
            softmax_row<V>(record + piece.head_dim_v, piece.scores + r * kScoreStride, piece.visible[r],
                           piece.soft_cap);
        }
    }
    value_piece<V, T>(piece);
}

// Online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867).
template <typename V>
void fold(float* total, const float* record, int head_dim_v) {
    const float total_max = total[head_dim_v], record_max = record[head_dim_v];
    const float max = record_max > total_max ? record_max : total_max;
    const typename V::Reg total_weight = exp<V>(V::set1(total_max - max));
    const typename V::Reg record_weight = exp<V>(V::set1(record_max - max));
    for (int d = 0; d < head_dim_v; d += V::kLanes) {
        const typename V::Reg kept = V::mul(V::load(total + d), total_weight);
        V::store(total + d, V::fma(V::load(record + d), record_weight, kept));
    }
    total[head_dim_v] = max;
    const float kept = total[head_dim_v + 1] * V::first_lane(total_weight);
    total[head_dim_v + 1] = kept + record[head_dim_v + 1] * V::first_lane(record_weight);
}

// T is widened to bf16, or is it: bf16 queries may meet it in pairs.
template <typename V, typename T>
Kernel kernel_on_bf16(int32_t dtype) {
    if constexpr (V::kHasPairs) {
        if (dtype == CT_BF16) {
            return {attend<V, uint32_t, T>, fold<V>, true};
        }
    }
    static_cast<void>(dtype);
    return {attend<V, float, T>, fold<V>, false};
}

template <typename V>
Kernel kernel_of(int32_t dtype, int32_t kv_dtype) {
    switch (kv_dtype) {
        case CT_F32:
            return {attend<V, float, float>, fold<V>, false};
        case CT_F16:
            return {attend<V, float, f16>, fold<V>, false};
        case CT_F8_E4M3:
            return kernel_on_bf16<V, e4m3>(dtype);
        default:
            return kernel_on_bf16<V, Bits>(dtype);
    }
}

}  // namespace
}  // namespace ct::attention
