// gpu_codes.h: a matrix of experts that stays quantised on a GPU: its layout, for the host that packs it and for the
// kernels (kernels/moe/experts_codes.cu).
//
// Layout. Rows are padded to 64, columns to steps of 64. 16 rows of a step make a tile: what a warp's four mma.m16n8k16
// take of W, in the order of the fragments. A lane has 32 codes of it, eight an mma: pair j (0 to 3) is what register j of
// the first operand holds, an even column and the next one, so the tile serves as 16 rows of the first operand or as two
// times 8 columns of the second. Tiles follow each other along a row. A tile of
//   4 bits  is 32 lanes x 16 bytes: a word an mma, pair j's codes at bits 4j and 16 + 4j
//   8 bits  is 2 x 32 lanes x 16 bytes, the second half for the third and fourth mma: two words an mma; pair 2w + b has the
//           bytes b and b + 2 of word w
// so that one or two 16-byte copies a lane bring what the lane alone reads. Behind the codes lie the scales
// [groups][padded rows], a group being 2^group_shift columns: float32, of MXFP4 the exponent's byte; and behind those, of
// INT4, the zeros, bytes of the same shape.
#pragma once

#include "core/numbers.h"
#include "cortado.h"

namespace ct::linear {

inline constexpr int kOneGroup = 62;  // group_shift of a row with one scale

struct GpuCodes {
    int64_t rows;  // as they are
    int64_t cols;
    int32_t format;  // CT_FORMAT_F8_E4M3, CT_FORMAT_INT4 or CT_FORMAT_MXFP4
    int32_t group_shift;

    static constexpr int64_t pad(int64_t n) { return (n + 63) / 64 * 64; }
    static constexpr bool is(int32_t any) {
        return any == CT_FORMAT_F8_E4M3 || any == CT_FORMAT_INT4 || any == CT_FORMAT_MXFP4;
    }
    constexpr int64_t padded_rows() const { return pad(rows); }
    constexpr int64_t steps() const { return pad(cols) / 64; }
    constexpr int64_t groups() const { return ((cols - 1) >> group_shift) + 1; }
    constexpr int64_t tile_bytes() const { return format == CT_FORMAT_F8_E4M3 ? 1024 : 512; }
    constexpr int64_t scale_bytes() const { return format == CT_FORMAT_MXFP4 ? 1 : 4; }
    constexpr int64_t scales_at() const { return padded_rows() / 16 * steps() * tile_bytes(); }
    constexpr int64_t zeros_at() const { return scales_at() + groups() * padded_rows() * scale_bytes(); }
    constexpr int64_t bytes() const { return zeros_at() + (format == CT_FORMAT_INT4 ? groups() * padded_rows() : 0); }

    // Columns beyond the last one are the last group's.
    constexpr int64_t group_of(int64_t col) const {
        const int64_t group = col >> group_shift;
        return group < groups() ? group : groups() - 1;
    }

    struct Code {
        int64_t byte;
        int shift;  // 0 or 4
    };
    constexpr Code code_at(int64_t row, int64_t col) const {
        const auto r = static_cast<int>(row % 16), c = static_cast<int>(col % 64);
        const int mma = c / 16, lane = r % 8 * 4 + c % 8 / 2;
        const int pair = r / 8 + c % 16 / 8 * 2, odd = c % 2;
        const int64_t tile = (row / 16 * steps() + col / 64) * tile_bytes();
        if (format != CT_FORMAT_F8_E4M3) return {tile + lane * 16 + mma * 4 + odd * 2 + pair / 2, pair % 2 * 4};
        return {tile + mma / 2 * 512 + lane * 16 + mma % 2 * 8 + pair / 2 * 4 + pair % 2 + odd * 2, 0};
    }
};

// Of MXFP4, for values that are doubled: as ggml's, 255 being a number.
CT_HOST_DEVICE [[gnu::always_inline]] inline float mxfp4_scale(uint32_t exponent) {
    return bits_float(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

// Twice the value of an e2m1 code.
CT_HOST_DEVICE [[gnu::always_inline]] inline float mxfp4_value(int code) {
    const int exponent = code >> 1 & 3, fraction = code & 1;
    const int magnitude = exponent == 0 ? fraction : (2 + fraction) << (exponent - 1);
    return static_cast<float>((code & 8) != 0 ? -magnitude : magnitude);
}

// The element (row, col) of a packed matrix, as ct_dequantize and the caller's scales give it.
CT_HOST_DEVICE [[gnu::always_inline]] inline float gpu_code_value(const GpuCodes& w, const void* matrix, int64_t row,
                                                                  int64_t col) {
    const auto* bytes = static_cast<const unsigned char*>(matrix);
    const GpuCodes::Code at = w.code_at(row, col);
    const int64_t scale = w.group_of(col) * w.padded_rows() + row;
    if (w.format == CT_FORMAT_MXFP4) {
        return mxfp4_value(bytes[at.byte] >> at.shift & 15) * mxfp4_scale(bytes[w.scales_at() + scale]);
    }
    const float factor = reinterpret_cast<const float*>(bytes + w.scales_at())[scale];
    if (w.format == CT_FORMAT_F8_E4M3) return to_float(e4m3{bytes[at.byte]}) * factor;
    const int code = (bytes[at.byte] >> at.shift & 15) - bytes[w.zeros_at() + scale];
    return static_cast<float>(code) * factor;
}

}  // namespace ct::linear
