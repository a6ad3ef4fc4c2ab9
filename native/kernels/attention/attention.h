// attention.h: what the host part of paged attention and its kernels, one file per instruction set, say to each other.
//
// A tile is up to kTileRows rows (token, query head) of one sequence that share one kv head. Its keys are taken in
// pieces of kPieceTokens at fixed absolute positions. A kernel turns one tile and one piece into one record a row:
//
//     record = { sum over visible t of exp(s_t - max) v_t  [head_dim_v],  max of s_t,  sum of exp(s_t - max) }
//
// and records are folded in ascending order of their pieces. Which rows make up a tile, and which thread computes which
// piece, thereby never reaches the arithmetic of a row: that is where the determinism of cortado.h comes from.
#pragma once

#include <cstdint>

#include "cortado.h"

namespace ct::attention {

inline constexpr int kTileRows = 48;
inline constexpr int kPieceTokens = 256;
inline constexpr int kPieceBlocks = kPieceTokens / CT_KV_BLOCK_SIZE;

// Keys are transposed so many tokens at a time.
inline constexpr int kGroupBlocks = 4;
inline constexpr int kGroupTokens = kGroupBlocks * CT_KV_BLOCK_SIZE;

// Floats from one row's scores to the next: not a power of two, for the sake of the cache's sets.
inline constexpr int kScoreStride = kPieceTokens + 16;

// Floats from one row's record to the next; max and sum follow the head_dim_v values.
constexpr int64_t record_stride(int64_t head_dim_v) { return head_dim_v + 16; }

// Places of the piece that a row sees: [begin, end), empty if equal.
struct Visible {
    int32_t begin;
    int32_t end;
};

struct Piece {
    float* records;                    // [rows][record_stride]; only rows that see something are written
    float* scores;                     // [rows][kScoreStride], scratch
    float* keys;                       // [head_dim][kGroupTokens], scratch: the transposed keys
    void* wide;                        // [kGroupTokens][head_dim] floats, scratch: widened blocks
    const void* queries;               // [rows][head_dim], contiguous; bf16 if Kernel::bf16_queries, else float32
    const void* k[kPieceBlocks];       // the head's keys of each block, [16][head_dim]; read only where visible
    const void* v[kPieceBlocks];       // the same of the values, value_stride elements from one to the next
    const void* next_k[kPieceBlocks];  // keys that will be wanted next: prefetched, never read
    Visible visible[kTileRows];
    int rows;
    int head_dim;      // of queries and keys
    int head_dim_v;    // of values
    int value_stride;  // head_dim_v, or head_dim where the values lie in the keys
    float scale;       // of the products with stored keys
    float soft_cap;    // 0: none
};

struct Kernel {
    void (*attend)(const Piece& piece);
    // total = total (+) record, record being the later one.
    void (*fold)(float* total, const float* record, int head_dim_v);
    bool bf16_queries;
};

// The kernel for queries (CT_F32 or CT_BF16) and a cache of any ct_dtype.
Kernel kernel_scalar(int32_t dtype, int32_t kv_dtype);
Kernel kernel_avx2(int32_t dtype, int32_t kv_dtype);
Kernel kernel_avx512(int32_t dtype, int32_t kv_dtype);
Kernel kernel_avx512_float(int32_t dtype, int32_t kv_dtype);  // bf16 is multiplied in float32

}  // namespace ct::attention
