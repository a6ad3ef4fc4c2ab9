// experts_codes.cuh: tiles of kept codes (kernels/linear/gpu_codes.h) on their way to the tensor cores.
//
// A decoder makes of an mma's word(s) the four registers of the operand with 16 rows: exact bf16, of INT4 less the zero.
// A sub-block of columns (32 or 64) is summed by mma from zero; its sums take the scale in float32.
#pragma once

#include "kernels/moe/experts_mma.cuh"

namespace gpu::moe {
namespace {

inline constexpr int kTileRows = 16;

// 2^n as two bf16; a factor of fma_bf16x2, whose subnormal argument it makes normal.
inline constexpr uint32_t kTwoTo120 = 0x7b807b80u;
inline constexpr uint32_t kTwoTo127 = 0x7f007f00u;
inline constexpr uint32_t kMinusZeros = 0x80008000u;

// What the lane's rows, lane() / 4 and 8 more, have in a sub-block.
struct Zeros {
    uint32_t at[2];  // -(128 + zero), twice
};

template <int SUBS>
struct Int4 {
    static constexpr int kSubs = SUBS;  // of a step
    static constexpr int kUnits = 1;    // of 16 bytes a lane
    static constexpr int kScaleBytes = 4;
    static constexpr bool kHasZeros = true;
    static constexpr int32_t kFormat = CT_FORMAT_INT4;

    // A code below the bits of 128 is 128 + code.
    __device__ __forceinline__ static void decode(uint32_t (&w)[4], const Vec16 (&units)[1], int mma,
                                                  const Zeros& zeros) {
        const uint32_t word = mma == 0 ? units[0].x : mma == 1 ? units[0].y : mma == 2 ? units[0].z : units[0].w;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            w[j] = fma_bf16x2((word >> (4 * j) & 0x000f000fu) | 0x43004300u, 0x3f803f80u, zeros.at[j % 2]);
        }
    }
};

struct Mxfp4 {
    static constexpr int kSubs = 2;
    static constexpr int kUnits = 1;
    static constexpr int kScaleBytes = 1;
    static constexpr bool kHasZeros = false;
    static constexpr int32_t kFormat = CT_FORMAT_MXFP4;

    // Twice the value: exponent and fraction at their place lack 2^127.
    __device__ __forceinline__ static void decode(uint32_t (&w)[4], const Vec16 (&units)[1], int mma, const Zeros&) {
        const uint32_t word = mma == 0 ? units[0].x : mma == 1 ? units[0].y : mma == 2 ? units[0].z : units[0].w;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const uint32_t magnitude = j < 2 ? word << (6 - 4 * j) : word >> (4 * j - 6);
            const uint32_t moved = (word << (12 - 4 * j) & 0x80008000u) | (magnitude & 0x01c001c0u);
            w[j] = fma_bf16x2(moved, kTwoTo127, kMinusZeros);
        }
    }
};

struct E4m3 {
    static constexpr int kSubs = 1;
    static constexpr int kUnits = 2;
    static constexpr int kScaleBytes = 4;
    static constexpr bool kHasZeros = false;
    static constexpr int32_t kFormat = CT_FORMAT_F8_E4M3;

    // As e4m3x2_to_bf16x2, of codes that are not NaN.
    __device__ __forceinline__ static void decode(uint32_t (&w)[4], const Vec16 (&units)[2], int mma, const Zeros&) {
        const Vec16& unit = units[mma / 2];
        const uint32_t words[2] = {mma % 2 == 0 ? unit.x : unit.z, mma % 2 == 0 ? unit.y : unit.w};
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const uint32_t word = words[j / 2];
            const uint32_t sign = j % 2 == 0 ? word << 8 : word;
            const uint32_t magnitude = j % 2 == 0 ? word << 4 : word >> 4;
            w[j] = fma_bf16x2((sign & 0x80008000u) | (magnitude & 0x07f007f0u), kTwoTo120, kMinusZeros);
        }
    }
};

// A stage of a tile: its codes, and its rows' scales and zeros in each sub-block.
template <typename F>
struct CodeTile {
    static constexpr int kScaleUnits = F::kScaleBytes;  // of 16 bytes, a sub-block: 16 rows
    static constexpr int kSideUnits = kScaleUnits + (F::kHasZeros ? 1 : 0);
    unsigned char codes[F::kUnits * kWarp * 16];
    unsigned char side[F::kSubs][kSideUnits * 16];

    // The lane reads what it copied itself.
    __device__ __forceinline__ void load(Vec16 (&units)[F::kUnits]) const {
#pragma unroll
        for (int i = 0; i < F::kUnits; ++i) units[i] = load16(codes + (i * kWarp + lane()) * 16);
    }
    __device__ __forceinline__ float scale(int sub, int row) const {
        if constexpr (F::kScaleBytes == 1) return ct::linear::mxfp4_scale(side[sub][row]);
        return reinterpret_cast<const float*>(side[sub])[row];
    }
    __device__ __forceinline__ Zeros zeros(int sub) const {
        Zeros zeros = {};
        if constexpr (F::kHasZeros) {
            const unsigned char* at = side[sub] + kScaleUnits * 16 + lane() / 4;
            zeros.at[0] = 0xc300c300u + at[0] * 0x00010001u;
            zeros.at[1] = 0xc300c300u + at[8] * 0x00010001u;
        }
        return zeros;
    }
};

// TILES tiles of a warp on their way to its stages. Lane i < TILES * kSubs * kSideUnits also copies unit i of what lies
// beside the codes.
template <typename F, int TILES>
struct CodeStaging {
    static constexpr int kSide = CodeTile<F>::kSideUnits;
    static_assert(TILES * F::kSubs * kSide <= kWarp);
    ct::linear::GpuCodes layout;
    const unsigned char* codes[TILES];  // the lane's unit of the first step
    const unsigned char* side;          // the lane's unit of the first group; null: none
    int64_t side_stride;                // from a group to the next
    int side_tile, side_sub, side_unit;

    // tile(i): the matrix of tile i and its first row.
    template <typename TileOf>
    __device__ __forceinline__ CodeStaging(const ct::linear::GpuCodes& w, const TileOf& tile)
        : layout(w), side(nullptr), side_stride(0) {
        side_tile = lane() / (F::kSubs * kSide);
        side_sub = lane() / kSide % F::kSubs;
        side_unit = lane() % kSide;
#pragma unroll
        for (int i = 0; i < TILES; ++i) {
            int64_t row = 0;
            const unsigned char* matrix = tile(i, row);
            codes[i] = matrix + row / kTileRows * layout.steps() * kBytes + lane() * 16;
            if (side_tile != i) continue;
            const bool is_zero = F::kHasZeros && side_unit == kSide - 1;
            side_stride = layout.padded_rows() * (is_zero ? 1 : F::kScaleBytes);
            side = matrix + (is_zero ? layout.zeros_at() + row
                                     : layout.scales_at() + row * F::kScaleBytes + side_unit * 16);
        }
    }

    __device__ __forceinline__ void copy(CodeTile<F> (&to)[TILES], int64_t step) const {
#pragma unroll
        for (int i = 0; i < TILES; ++i) {
#pragma unroll
            for (int unit = 0; unit < F::kUnits; ++unit) {
                copy_async16(to[i].codes + (unit * kWarp + lane()) * 16, codes[i] + step * kBytes + unit * kWarp * 16);
            }
        }
        if (!side) return;
        const int64_t group = layout.group_of(step * gemm::kStepK + side_sub * (gemm::kStepK / F::kSubs));
        copy_async16(to[side_tile].side[side_sub] + side_unit * 16, side + group * side_stride);
    }

    static constexpr int64_t kBytes = F::kUnits * kWarp * 16;
};

}  // namespace
}  // namespace gpu::moe
