// formats.cpp: the table of formats, the kept block formats taken apart, and ct_dequantize. Layouts and the order of the
// float32 operations are ggml's (ggml-common.h, ggml-quants.c), so that every value has its bits.
#include "kernels/quant/formats.h"

#include <algorithm>
#include <cmath>

#include "core/core.h"

namespace ct::quant {
namespace {

// Halves of a byte: column j of the block is in the low nibble of byte j, column j + n in the high one.
void split_nibbles(uint8_t* code, const uint8_t* bytes, int n) {
    for (int j = 0; j < n; ++j) {
        code[j] = bytes[j] & 0xf;
        code[j + n] = bytes[j] >> 4;
    }
}

uint16_t load_u16(const uint8_t* at) { return static_cast<uint16_t>(at[0] | at[1] << 8); }
float load_half(const uint8_t* at) { return to_float(f16{load_u16(at)}); }

void split_one(Block& block, float d, float min) {
    block.d = d;
    block.dmin = -min;
    block.sub_scale[0] = 1;
    block.sub_min[0] = 1;
}

void split_q4_0(Block& block, const uint8_t* bytes) {
    split_one(block, load_half(bytes), 0);
    split_nibbles(block.code, bytes + 2, 16);
}

void split_q4_1(Block& block, const uint8_t* bytes) {
    split_one(block, load_half(bytes), load_half(bytes + 2));
    split_nibbles(block.code, bytes + 4, 16);
}

void add_fifth_bits(uint8_t* code, const uint8_t* bytes) {
    for (int j = 0; j < 32; ++j) code[j] |= static_cast<uint8_t>((bytes[j / 8] >> j % 8 & 1) << 4);
}

void split_q5_0(Block& block, const uint8_t* bytes) {
    split_one(block, load_half(bytes), 0);
    split_nibbles(block.code, bytes + 6, 16);
    add_fifth_bits(block.code, bytes + 2);
}

void split_q5_1(Block& block, const uint8_t* bytes) {
    split_one(block, load_half(bytes), load_half(bytes + 2));
    split_nibbles(block.code, bytes + 8, 16);
    add_fifth_bits(block.code, bytes + 4);
}

void split_q8_0(Block& block, const uint8_t* bytes) {
    split_one(block, load_half(bytes), 0);
    std::copy(bytes + 2, bytes + 34, block.code);
}

void split_mxfp4(Block& block, const uint8_t* bytes) {
    split_one(block, half_power(bytes[0]), 0);
    split_nibbles(block.code, bytes + 1, 16);
}

// Four runs of 32 columns lie in the bit pairs of 32 bytes.
void split_pairs(uint8_t* code, const uint8_t* bytes) {
    for (int run = 0; run < 8; ++run) {
        for (int j = 0; j < 32; ++j) code[run * 32 + j] = bytes[run / 4 * 32 + j] >> run % 4 * 2 & 3;
    }
}

void split_q2_k(Block& block, const uint8_t* bytes) {
    for (int s = 0; s < 16; ++s) {
        block.sub_scale[s] = static_cast<int16_t>(bytes[s] & 0xf);
        block.sub_min[s] = bytes[s] >> 4;
    }
    split_pairs(block.code, bytes + 16);
    block.d = load_half(bytes + 80);
    block.dmin = load_half(bytes + 82);
}

void split_q3_k(Block& block, const uint8_t* bytes) {
    split_pairs(block.code, bytes + 32);
    for (int i = 0; i < 256; ++i) block.code[i] |= static_cast<uint8_t>((bytes[i % 32] >> i / 32 & 1) << 2);
    const uint8_t* scales = bytes + 96;
    for (int s = 0; s < 16; ++s) {
        const int low = scales[s % 8] >> s / 8 * 4 & 0xf;
        const int high = scales[8 + s % 4] >> s / 4 * 2 & 3;
        block.sub_scale[s] = static_cast<int16_t>((low | high << 4) - 32);
    }
    block.d = load_half(bytes + 108);
    block.dmin = 0;
}

// Eight scales and eight minima of 6 bits in 12 bytes.
void split_six_bits(Block& block, const uint8_t* bytes) {
    for (int s = 0; s < 4; ++s) {
        block.sub_scale[s] = static_cast<int16_t>(bytes[s] & 0x3f);
        block.sub_min[s] = bytes[s + 4] & 0x3f;
        block.sub_scale[s + 4] = static_cast<int16_t>((bytes[s + 8] & 0xf) | (bytes[s] >> 6) << 4);
        block.sub_min[s + 4] = static_cast<uint8_t>((bytes[s + 8] >> 4) | (bytes[s + 4] >> 6) << 4);
    }
}

void split_q4_k(Block& block, const uint8_t* bytes) {
    block.d = load_half(bytes);
    block.dmin = load_half(bytes + 2);
    split_six_bits(block, bytes + 4);
    for (int i = 0; i < 4; ++i) split_nibbles(block.code + i * 64, bytes + 16 + i * 32, 32);
}

void split_q5_k(Block& block, const uint8_t* bytes) {
    block.d = load_half(bytes);
    block.dmin = load_half(bytes + 2);
    split_six_bits(block, bytes + 4);
    for (int i = 0; i < 4; ++i) split_nibbles(block.code + i * 64, bytes + 48 + i * 32, 32);
    for (int i = 0; i < 256; ++i) {
        block.code[i] |= static_cast<uint8_t>((bytes[16 + i % 32] >> i / 32 & 1) << 4);
    }
}

void split_q6_k(Block& block, const uint8_t* bytes) {
    for (int half = 0; half < 2; ++half) {
        const uint8_t* low = bytes + half * 64;
        const uint8_t* high = bytes + 128 + half * 32;
        uint8_t* code = block.code + half * 128;
        split_nibbles(code, low, 64);
        for (int i = 0; i < 128; ++i) code[i] |= static_cast<uint8_t>((high[i % 32] >> i / 32 * 2 & 3) << 4);
    }
    for (int s = 0; s < 16; ++s) {
        const int scale = bytes[192 + s];
        block.sub_scale[s] = static_cast<int16_t>(scale < 128 ? scale : scale - 256);
    }
    block.d = load_half(bytes + 208);
    block.dmin = 0;
}

void split_iq4_xs(Block& block, const uint8_t* bytes) {
    block.d = load_half(bytes);
    block.dmin = 0;
    const int high = load_u16(bytes + 2);
    for (int s = 0; s < 8; ++s) {
        const int low = bytes[4 + s / 2] >> s % 2 * 4 & 0xf;
        block.sub_scale[s] = static_cast<int16_t>((low | (high >> 2 * s & 3) << 4) - 32);
        split_nibbles(block.code + s * 32, bytes + 8 + s * 16, 16);
    }
}

void dequantize_tq1_0(float* y, const uint8_t* bytes) {
    constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};
    const float d = load_half(bytes + 52);
    const auto run = [&](int first, int width, int count) {
        for (int n = 0; n < count; ++n) {
            for (int j = 0; j < width; ++j) {
                const auto digit = static_cast<uint8_t>(bytes[first + j] * kPowers[n]);
                *y++ = d * static_cast<float>((digit * 3 >> 8) - 1);
            }
        }
    };
    run(0, 32, 5);
    run(32, 16, 5);
    run(48, 4, 4);
}

void dequantize_tq2_0(float* y, const uint8_t* bytes) {
    uint8_t code[256];
    split_pairs(code, bytes);
    const float d = load_half(bytes + 64);
    for (int i = 0; i < 256; ++i) y[i] = d * static_cast<float>(code[i] - 1);
}

// Twice the values of e2m1, so that they are whole.
constexpr int8_t kE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
constexpr int8_t kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// e4m3 without a sign and without NaN: the top bit does not count, but that 0x7f is zero and 0xff is 480.
float nvfp4_scale(uint8_t bits) {
    if (bits == 0x7f) return 0;
    if (bits == 0xff) return 0.5f * 480;
    return 0.5f * to_float(e4m3{static_cast<uint8_t>(bits & 0x7f)});
}

void dequantize_nvfp4(float* y, const uint8_t* bytes) {
    for (int s = 0; s < 4; ++s) {
        const float d = nvfp4_scale(bytes[s]);
        uint8_t code[16];
        split_nibbles(code, bytes + 4 + s * 8, 8);
        for (int i = 0; i < 16; ++i) *y++ = d * static_cast<float>(kE2m1[code[i]]);
    }
}

// Values of codes less an offset.
template <int SIZE, int OFFSET>
struct Shifted {
    int8_t at[SIZE];
    constexpr Shifted() : at{} {
        for (int i = 0; i < SIZE; ++i) at[i] = static_cast<int8_t>(i - OFFSET);
    }
};
constexpr Shifted<32, 0> kWhole;
constexpr Shifted<16, 8> kLess8;
constexpr Shifted<32, 16> kLess16;
constexpr Shifted<8, 4> kLess4;
constexpr Shifted<64, 32> kLess32;

constexpr Format kept(const char* name, int32_t block, int32_t bytes, int32_t sub_block, bool has_min,
                      void (*split)(Block&, const uint8_t*), const int8_t* values) {
    return {name, block, bytes, sub_block, has_min, split, values, nullptr};
}

template <auto ONE_BLOCK, int BLOCK, int BYTES>
constexpr Format dense(const char* name) {
    return {name, BLOCK, BYTES, 0, false, nullptr, nullptr, [](float* y, const uint8_t* bytes, int64_t blocks) {
                for (int64_t i = 0; i < blocks; ++i) ONE_BLOCK(y + i * BLOCK, bytes + i * BYTES);
            }};
}

// The bare formats, one element (INT4 and F4: two) at a time.
void f32_element(float* y, const uint8_t* bytes) { std::memcpy(y, bytes, 4); }
void bf16_element(float* y, const uint8_t* bytes) { *y = to_float(bf16{load_u16(bytes)}); }
void f16_element(float* y, const uint8_t* bytes) { *y = load_half(bytes); }
void e4m3_element(float* y, const uint8_t* bytes) { *y = to_float(e4m3{bytes[0]}); }
// e5m2 is the upper half of an f16.
void e5m2_element(float* y, const uint8_t* bytes) { *y = to_float(f16{static_cast<uint16_t>(bytes[0] << 8)}); }
void e8m0_element(float* y, const uint8_t* bytes) {
    *y = bits_float(bytes[0] == 0     ? 0x00400000u
                    : bytes[0] == 255 ? 0x7fc00000u
                                      : static_cast<uint32_t>(bytes[0]) << 23);
}
void int4_elements(float* y, const uint8_t* bytes) {
    y[0] = static_cast<float>((bytes[0] & 0xf) - 8);
    y[1] = static_cast<float>((bytes[0] >> 4) - 8);
}
void e2m1_elements(float* y, const uint8_t* bytes) {
    for (int i = 0; i < 2; ++i) {
        const int code = bytes[0] >> 4 * i & 0xf;
        y[i] = code == 8 ? -0.0f : 0.5f * static_cast<float>(kE2m1[code]);
    }
}

constexpr Format kBare[] = {
    dense<f32_element, 1, 4>("F32"),      dense<bf16_element, 1, 2>("BF16"),  dense<f16_element, 1, 2>("F16"),
    dense<e4m3_element, 1, 1>("F8_E4M3"), dense<int4_elements, 2, 1>("INT4"),
};
constexpr Format kBlocks[] = {
    kept("Q4_0", 32, 18, 32, false, split_q4_0, kLess8.at),
    kept("Q4_1", 32, 20, 32, true, split_q4_1, kWhole.at),
    kept("Q5_0", 32, 22, 32, false, split_q5_0, kLess16.at),
    kept("Q5_1", 32, 24, 32, true, split_q5_1, kWhole.at),
    kept("Q8_0", 32, 34, 32, false, split_q8_0, nullptr),
    kept("Q2_K", 256, 84, 16, true, split_q2_k, kWhole.at),
    kept("Q3_K", 256, 110, 16, false, split_q3_k, kLess4.at),
    kept("Q4_K", 256, 144, 32, true, split_q4_k, kWhole.at),
    kept("Q5_K", 256, 176, 32, true, split_q5_k, kWhole.at),
    kept("Q6_K", 256, 210, 16, false, split_q6_k, kLess32.at),
    kept("IQ4_NL", 32, 18, 32, false, split_q4_0, kIq4),
    kept("IQ4_XS", 256, 136, 32, false, split_iq4_xs, kIq4),
    kept("MXFP4", 32, 17, 32, false, split_mxfp4, kE2m1),
    dense<dequantize_iq1_s, 256, 50>("IQ1_S"),
    dense<dequantize_iq1_m, 256, 56>("IQ1_M"),
    dense<dequantize_iq2_xxs, 256, 66>("IQ2_XXS"),
    dense<dequantize_iq2_xs, 256, 74>("IQ2_XS"),
    dense<dequantize_iq2_s, 256, 82>("IQ2_S"),
    dense<dequantize_iq3_xxs, 256, 98>("IQ3_XXS"),
    dense<dequantize_iq3_s, 256, 110>("IQ3_S"),
    dense<dequantize_tq1_0, 256, 54>("TQ1_0"),
    dense<dequantize_tq2_0, 256, 66>("TQ2_0"),
    dense<dequantize_nvfp4, 64, 36>("NVFP4"),
};
constexpr Format kOnlyDequantized[] = {
    dense<e5m2_element, 1, 1>("F8_E5M2"),
    dense<e8m0_element, 1, 1>("F8_E8M0"),
    dense<e2m1_elements, 2, 1>("F4_E2M1"),
};

template <size_t N>
const Format* find(const Format (&formats)[N], int64_t index) {
    return index >= 0 && index < static_cast<int64_t>(N) ? &formats[index] : nullptr;
}

void dequantize_kept(float* y, const uint8_t* bytes, const Format& format) {
    Block block{};
    format.split(block, bytes);
    const uint8_t* next = block.code;
    for (int s = 0; s < format.block / format.sub_block; ++s) {
        const float scale = block.d * static_cast<float>(block.sub_scale[s]);
        const float min = format.has_min ? block.dmin * static_cast<float>(block.sub_min[s]) : 0;
        for (int i = 0; i < format.sub_block; ++i) {
            const uint8_t code = *next++;
            const float product =
                scale * static_cast<float>(format.values ? format.values[code] : static_cast<int8_t>(code));
            *y++ = format.has_min ? product - min : product;
        }
    }
}

}  // namespace

float half_power(uint8_t exponent) {
    return bits_float(exponent < 2 ? 0x00200000u << exponent : static_cast<uint32_t>(exponent - 1) << 23);
}

const Format* format_of(int32_t format) {
    if (const Format* bare = find(kBare, format)) return bare;
    if (const Format* block = find(kBlocks, int64_t{format} - CT_FORMAT_Q4_0)) return block;
    return find(kOnlyDequantized, int64_t{format} - CT_FORMAT_F8_E5M2);
}

bool bytes_of(int64_t* bytes, const Format& format, int64_t elements) {
    return elements % format.block == 0 && multiply(elements / format.block, format.bytes, bytes);
}

void dequantize(float* y, const uint8_t* bytes, int64_t elements, const Format& format) {
    const int64_t blocks = elements / format.block;
    if (format.dequantize) {
        format.dequantize(y, bytes, blocks);
        return;
    }
    for (int64_t i = 0; i < blocks; ++i) dequantize_kept(y + i * format.block, bytes + i * format.bytes, format);
}

bool are_finite(const uint8_t* bytes, int64_t blocks, const Format& format) {
    for (int64_t i = 0; i < blocks; ++i) {
        if (format.split) {
            Block block;
            format.split(block, bytes + i * format.bytes);
            if (!std::isfinite(block.d) || !std::isfinite(block.dmin)) return false;
        } else {
            float values[kMaxBlock];
            format.dequantize(values, bytes + i * format.bytes, 1);
            if (!std::all_of(values, values + format.block, [](float v) { return std::isfinite(v); })) return false;
        }
    }
    return true;
}

}  // namespace ct::quant

extern "C" int32_t ct_dequantize(float* y, const void* data, int64_t elements, int64_t data_bytes, int32_t format) {
    CT_REQUIRE(y, "y is null");
    CT_REQUIRE(data, "data is null");
    const ct::quant::Format* found = ct::quant::format_of(format);
    CT_REQUIRE(found, "format=%d is not a ct_weights_format", format);
    CT_REQUIRE(elements >= 0 && elements % found->block == 0,
               "elements=%lld must be a multiple of %d, the block of %s, and not negative",
               static_cast<long long>(elements), found->block, found->name);
    int64_t expected = 0;
    CT_REQUIRE(ct::quant::bytes_of(&expected, *found, elements) && data_bytes == expected,
               "data_bytes=%lld must be what elements=%lld of %s come to: %lld", static_cast<long long>(data_bytes),
               static_cast<long long>(elements), found->name, static_cast<long long>(expected));
    ct::quant::dequantize(y, static_cast<const uint8_t*>(data), elements, *found);
    return ct::ok();
}
