// formats.h: the stored formats of weights, block by block: what cortado.h lists as ct_weights_format.
#pragma once

#include <cstdint>

#include "cortado.h"

namespace ct::quant {

inline constexpr int kMaxBlock = 256;
inline constexpr int kMaxSubBlocks = 16;

// A block of a kept format, taken apart: element i is scale * value(code[i]) - min, scale = d * sub_scale and
// min = dmin * sub_min of its sub-block, each product one rounding.
struct Block {
    uint8_t code[kMaxBlock];
    float d;
    float dmin;
    int16_t sub_scale[kMaxSubBlocks];
    uint8_t sub_min[kMaxSubBlocks];
};

struct Format {
    const char* name;
    int32_t block;      // elements
    int32_t bytes;      // of a block
    int32_t sub_block;  // elements that share a scale; 0: not kept
    bool has_min;
    void (*split)(Block& block, const uint8_t* bytes);  // null: not kept, or without blocks
    const int8_t* values;                               // of the codes; null: the code itself as int8
    // Blocks one after the other; null: by split.
    void (*dequantize)(float* y, const uint8_t* bytes, int64_t blocks);
};

// Null where format is not a ct_weights_format.
const Format* format_of(int32_t format);

// Formats for ct_dequantize only.
inline bool is_bare_float(int32_t format) { return format >= CT_FORMAT_F8_E5M2; }

// Bytes of `elements` consecutive elements; false where they do not fill blocks or where the bytes overflow.
bool bytes_of(int64_t* bytes, const Format& format, int64_t elements);

// Whole blocks: y[0..elements).
void dequantize(float* y, const uint8_t* bytes, int64_t elements, const Format& format);

// false: the scale of one of these blocks is NaN or infinite.
bool are_finite(const uint8_t* bytes, int64_t blocks, const Format& format);

// ggml's "e8m0 half": 2^(byte - 128), 255 being a number.
float half_power(uint8_t exponent);

void dequantize_iq1_s(float* y, const uint8_t* bytes);
void dequantize_iq1_m(float* y, const uint8_t* bytes);
void dequantize_iq2_xxs(float* y, const uint8_t* bytes);
void dequantize_iq2_xs(float* y, const uint8_t* bytes);
void dequantize_iq2_s(float* y, const uint8_t* bytes);
void dequantize_iq3_xxs(float* y, const uint8_t* bytes);
void dequantize_iq3_s(float* y, const uint8_t* bytes);

}  // namespace ct::quant
