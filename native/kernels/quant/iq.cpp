// iq.cpp: ggml's IQ1 to IQ3 formats, which are dequantised at load: groups of elements are entries of a codebook, with
// signs beside (ggml-quants.c: dequantize_row_iq1_s and its neighbours).
#include <bit>

#include "core/core.h"
#include "kernels/quant/formats.h"
#include "kernels/quant/iq_grids.h"

namespace ct::quant {
namespace {

uint32_t load_u16(const uint8_t* at) { return static_cast<uint32_t>(at[0] | at[1] << 8); }
uint32_t load_u32(const uint8_t* at) { return load_u16(at) | load_u16(at + 2) << 16; }
float load_half(const uint8_t* at) { return to_float(f16{static_cast<uint16_t>(load_u16(at))}); }

constexpr float kIq2Values[] = {8, 25, 43, 0};
constexpr float kIq3XxsValues[] = {4, 12, 20, 28, 36, 44, 52, 62};

// Seven signs are stored; the eighth makes their number even.
uint32_t with_parity(uint32_t seven) { return seven | (std::popcount(seven) % 2 != 0 ? 0x80u : 0u); }

float sign_of(uint32_t signs, int j) { return signs >> j & 1 ? -1.0f : 1.0f; }

float* eight_of_iq2(float* y, float scale, uint32_t entry, uint32_t signs) {
    for (int j = 0; j < 8; ++j) *y++ = scale * kIq2Values[entry >> 2 * j & 3] * sign_of(signs, j);
    return y;
}

float* eight_of_iq1(float* y, float scale, uint32_t entry, float delta) {
    for (int j = 0; j < 8; ++j) *y++ = scale * (static_cast<float>(static_cast<int>(entry >> 2 * j & 3) - 1) + delta);
    return y;
}

}  // namespace

void dequantize_iq1_s(float* y, const uint8_t* bytes) {
    const float d = load_half(bytes);
    for (int group = 0; group < 8; ++group) {
        const uint32_t high = load_u16(bytes + 34 + 2 * group);
        const float scale = d * static_cast<float>(2 * (high >> 12 & 7) + 1);
        const float delta = high & 0x8000 ? -0.125f : 0.125f;
        for (int l = 0; l < 4; ++l) {
            const uint32_t index = bytes[2 + 4 * group + l] | (high >> 3 * l & 7) << 8;
            y = eight_of_iq1(y, scale, kIq1Grid[index], delta);
        }
    }
}

void dequantize_iq1_m(float* y, const uint8_t* bytes) {
    const uint8_t* scales = bytes + 48;
    uint32_t half = 0;
    for (int i = 0; i < 4; ++i) half |= (load_u16(scales + 2 * i) >> 12) << 4 * i;
    const float d = to_float(f16{static_cast<uint16_t>(half)});
    for (int group = 0; group < 8; ++group) {
        for (int l = 0; l < 4; ++l) {
            const int pair = group * 2 + l / 2;  // 16 elements share a scale of 3 bits
            const uint32_t bits = load_u16(scales + pair / 4 * 2) >> pair % 4 * 3 & 7;
            const float scale = d * static_cast<float>(2 * bits + 1);
            const uint32_t high = bytes[32 + pair] >> l % 2 * 4;
            const uint32_t index = bytes[4 * group + l] | (high & 7) << 8;
            y = eight_of_iq1(y, scale, kIq1Grid[index], high & 8 ? -0.125f : 0.125f);
        }
    }
}

void dequantize_iq2_xxs(float* y, const uint8_t* bytes) {
    const float d = load_half(bytes);
    for (int group = 0; group < 8; ++group) {
        const uint8_t* at = bytes + 2 + 8 * group;
        const uint32_t signs = load_u32(at + 4);
        const float scale = d * (0.5f + static_cast<float>(signs >> 28)) * 0.25f;
        for (int l = 0; l < 4; ++l) {
            y = eight_of_iq2(y, scale, kIq2XxsGrid[at[l]], with_parity(signs >> 7 * l & 0x7f));
        }
    }
}

void dequantize_iq2_xs(float* y, const uint8_t* bytes) {
    const float d = load_half(bytes);
    for (int i = 0; i < 32; ++i) {
        const uint32_t code = load_u16(bytes + 2 + 2 * i);
        const uint32_t nibble = bytes[66 + i / 4] >> i / 2 % 2 * 4 & 0xf;
        const float scale = d * (0.5f + static_cast<float>(nibble)) * 0.25f;
        y = eight_of_iq2(y, scale, kIq2XsGrid[code & 511], with_parity(code >> 9));
    }
}

void dequantize_iq2_s(float* y, const uint8_t* bytes) {
    const float d = load_half(bytes);
    for (int i = 0; i < 32; ++i) {
        const uint32_t index = bytes[2 + i] | static_cast<uint32_t>(bytes[66 + i / 4] >> i % 4 * 2 & 3) << 8;
        const uint32_t nibble = bytes[74 + i / 4] >> i / 2 % 2 * 4 & 0xf;
        const float scale = d * (0.5f + static_cast<float>(nibble)) * 0.25f;
        y = eight_of_iq2(y, scale, kIq2SGrid[index], bytes[34 + i]);
    }
}

void dequantize_iq3_xxs(float* y, const uint8_t* bytes) {
    const float d = load_half(bytes);
    for (int group = 0; group < 8; ++group) {
        const uint32_t signs = load_u32(bytes + 66 + 4 * group);
        const float scale = d * (0.5f + static_cast<float>(signs >> 28)) * 0.5f;
        for (int j = 0; j < 32; ++j) {
            const uint32_t entry = kIq3XxsGrid[bytes[2 + 8 * group + j / 4]];
            const uint32_t eight = with_parity(signs >> j / 8 * 7 & 0x7f);
            *y++ = scale * kIq3XxsValues[entry >> j % 4 * 4 & 7] * sign_of(eight, j % 8);
        }
    }
}

void dequantize_iq3_s(float* y, const uint8_t* bytes) {
    const float d = load_half(bytes);
    for (int group = 0; group < 8; ++group) {
        const uint32_t nibble = bytes[106 + group / 2] >> group % 2 * 4 & 0xf;
        const float scale = d * static_cast<float>(1 + 2 * nibble);
        for (int j = 0; j < 32; ++j) {
            const int four = group * 8 + j / 4;
            const uint32_t index = bytes[2 + four] | static_cast<uint32_t>(bytes[66 + group] >> j / 4 & 1) << 8;
            const uint32_t number = kIq3SGrid[index] >> j % 4 * 4 & 7;
            *y++ = scale * static_cast<float>(2 * number + 1) * sign_of(bytes[74 + group * 4 + j / 8], j % 8);
        }
    }
}

}  // namespace ct::quant
