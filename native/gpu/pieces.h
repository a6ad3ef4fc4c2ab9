// pieces.h: runs of elements between memory and registers, 16 bytes a time where the rows allow it and element by
// element where not. The values are the same in both, so a kernel's bits do not depend on alignment.
#pragma once

#include "gpu/gpu.h"

namespace gpu {

template <typename T>
inline constexpr int kPieceSize = 16 / static_cast<int>(sizeof(T));

inline constexpr int64_t kMaxGridBlocks = 0x7fffffff;  // of gridDim.x; kernels stride over what is left

// Whether every row starts at a multiple of 16 bytes.
inline bool rows_aligned(const void* rows, int64_t stride, int64_t element_bytes) {
    return reinterpret_cast<uintptr_t>(rows) % 16 == 0 && stride * element_bytes % 16 == 0;
}

// A grid over rows x columns for kernels in which every piece of columns is on its own: a block has one tile of one row.
struct TileGrid {
    int64_t tiles;  // of a row
    int32_t threads;

    // A thread has `held` pieces.
    TileGrid(int64_t pieces, int held) {
        const int64_t wanted = (pieces + held - 1) / held;
        threads = wanted >= 256 ? 256 : static_cast<int32_t>((wanted + kWarp - 1) / kWarp * kWarp);
        tiles = threads > 0 ? (wanted + threads - 1) / threads : 0;
    }

    LaunchShape shape(int64_t rows) const {
        LaunchShape shape;
        int64_t blocks = 0;
        if (__builtin_mul_overflow(rows, tiles, &blocks) || blocks > kMaxGridBlocks) blocks = kMaxGridBlocks;
        shape.blocks_x = blocks;
        shape.threads = threads > 0 ? threads : kWarp;
        return shape;
    }
};

// Four bytes of packed elements, v[0] lowest.
template <typename T>
__device__ __forceinline__ uint32_t pack_word(const float* v) {
    if constexpr (std::is_same_v<T, float>) {
        return float_bits(v[0]);
    } else if constexpr (std::is_same_v<T, bf16>) {
        return pack_bf16(v[0], v[1]);
    } else if constexpr (std::is_same_v<T, f16>) {
        return pack_f16(v[0], v[1]);
    } else {
        static_assert(std::is_same_v<T, e4m3>);
        uint32_t word = 0;
        for (int i = 0; i < 4; ++i) word |= static_cast<uint32_t>(from_float<e4m3>(v[i]).bits) << (8 * i);
        return word;
    }
}

template <typename T>
__device__ __forceinline__ void unpack_word(float* v, uint32_t word) {
    if constexpr (std::is_same_v<T, float>) {
        v[0] = bits_float(word);
    } else {
        static_assert(std::is_same_v<T, bf16>);
        unpack_bf16(word, v[0], v[1]);
    }
}

// v = at[0, N), zeros from `count` on. aligned: `at` is at a multiple of 16 bytes.
template <int N, typename T>
__device__ __forceinline__ void load_run(float (&v)[N], const T* at, int64_t count, bool aligned) {
    static_assert(N % kPieceSize<T> == 0);
    constexpr int kWord = kPieceSize<T> / 4;
    if (aligned && count >= N) {
        for (int i = 0; i < N; i += kPieceSize<T>) {
            const Vec16 piece = load16(at + i);
            unpack_word<T>(v + i, piece.x);
            unpack_word<T>(v + i + kWord, piece.y);
            unpack_word<T>(v + i + 2 * kWord, piece.z);
            unpack_word<T>(v + i + 3 * kWord, piece.w);
        }
    } else {
        for (int i = 0; i < N; ++i) v[i] = i < count ? to_float(at[i]) : 0.0f;
    }
}

// at[0, min(N, count)) = v.
template <int N, typename T>
__device__ __forceinline__ void store_run(T* at, const float (&v)[N], int64_t count, bool aligned) {
    static_assert(N % kPieceSize<T> == 0);
    constexpr int kWord = kPieceSize<T> / 4;
    if (aligned && count >= N) {
        for (int i = 0; i < N; i += kPieceSize<T>) {
            store16(at + i, {pack_word<T>(v + i), pack_word<T>(v + i + kWord), pack_word<T>(v + i + 2 * kWord),
                             pack_word<T>(v + i + 3 * kWord)});
        }
    } else {
        for (int i = 0; i < N; ++i) {
            if (i < count) at[i] = from_float<T>(v[i]);
        }
    }
}

}  // namespace gpu
