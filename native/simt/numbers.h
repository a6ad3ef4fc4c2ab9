// numbers.h: the host bodies of gpu.h's numbers: conversions, packing, elementary functions.
#pragma once

#include <bit>
#include <cmath>
#include <limits>

namespace gpu {

// ---- bits ----------------------------------------------------------------------------------------------------------

inline uint32_t float_bits(float value) { return std::bit_cast<uint32_t>(value); }
inline float bits_float(uint32_t bits) { return std::bit_cast<float>(bits); }

inline float infinity() { return std::numeric_limits<float>::infinity(); }
inline float nan() { return std::numeric_limits<float>::quiet_NaN(); }
inline bool is_nan(float value) { return value != value; }

// ---- conversions ---------------------------------------------------------------------------------------------------

using ct::to_float;

inline float to_float(f16 value) {
    uint32_t sign = (value.bits & 0x8000u) << 16;
    uint32_t magnitude = value.bits & 0x7fffu;
    if (magnitude >= 0x7c00u) return bits_float(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
    // Subnormal numbers too: the scale's product is exact.
    return bits_float(sign | float_bits(bits_float(magnitude << 13) * 0x1p112f));
}

inline float to_float(e4m3 value) {
    uint32_t sign = (value.bits & 0x80u) << 24;
    uint32_t magnitude = value.bits & 0x7fu;
    if (magnitude == 0x7fu) return bits_float(sign | 0x7fc00000u);
    return bits_float(sign | float_bits(bits_float(magnitude << 20) * 0x1p120f));
}

// Nearest even; infinity where it is too large.
inline f16 to_f16(float value) {
    uint32_t bits = float_bits(value);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u)};
    if (magnitude >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // from 65520 on
    if (magnitude < 0x38800000u) {
        // Subnormal: adding 2^-1 of float makes its last place that of f16, 2^-24.
        return {static_cast<uint16_t>(sign | (float_bits(bits_float(magnitude) + 0.5f) - 0x3f000000u))};
    }
    return {static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13))};
}

// Nearest even; 448 where it is too large.
inline e4m3 to_e4m3(float value) {
    uint32_t bits = float_bits(value);
    uint32_t sign = bits >> 24 & 0x80u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint8_t>(sign | 0x7fu)};
    if (magnitude >= 0x43e00000u) return {static_cast<uint8_t>(sign | 0x7eu)};  // from 448 on
    if (magnitude < 0x3c800000u) {
        // Subnormal below 2^-6: adding 2^14 makes float's last place 2^-9.
        return {static_cast<uint8_t>(sign | (float_bits(bits_float(magnitude) + 0x1p14f) - 0x46800000u))};
    }
    return {static_cast<uint8_t>(sign | ((magnitude - 0x3c000000u + 0x7ffffu + (magnitude >> 20 & 1)) >> 20))};
}

template <typename T>
inline T from_float(float value) {
    if constexpr (std::is_same_v<T, float>) {
        return value;
    } else if constexpr (std::is_same_v<T, f16>) {
        return to_f16(value);
    } else if constexpr (std::is_same_v<T, e4m3>) {
        return to_e4m3(value);
    } else {
        static_assert(std::is_same_v<T, bf16>, "float, bf16, f16 or e4m3");
        return ct::to_bf16(value);
    }
}

inline uint32_t pack_bf16(float low, float high) {
    return ct::to_bf16(low).bits | static_cast<uint32_t>(ct::to_bf16(high).bits) << 16;
}
inline uint32_t pack_f16(float low, float high) {
    return to_f16(low).bits | static_cast<uint32_t>(to_f16(high).bits) << 16;
}
inline void unpack_bf16(uint32_t pair, float& low, float& high) {
    low = bits_float(pair << 16);
    high = bits_float(pair & 0xffff0000u);
}
inline void unpack_f16(uint32_t pair, float& low, float& high) {
    low = to_float(f16{static_cast<uint16_t>(pair)});
    high = to_float(f16{static_cast<uint16_t>(pair >> 16)});
}
inline uint32_t e4m3x2_to_bf16x2(uint16_t pair) {
    return pack_bf16(to_float(e4m3{static_cast<uint8_t>(pair)}), to_float(e4m3{static_cast<uint8_t>(pair >> 8)}));
}
inline uint32_t e4m3x2_to_f16x2(uint16_t pair) {
    return pack_f16(to_float(e4m3{static_cast<uint8_t>(pair)}), to_float(e4m3{static_cast<uint8_t>(pair >> 8)}));
}

// ---- functions -----------------------------------------------------------------------------------------------------

// Subnormal arguments and results are zero, as on the GPU.
inline float exp2(float x) {
    float result = std::exp2(x);
    return result < std::numeric_limits<float>::min() ? 0.0f : result;
}
inline float exp(float x) { return std::exp(x); }
inline float log(float x) { return std::log(x); }
inline float sqrt(float x) { return std::sqrt(x); }
inline float rsqrt(float x) { return 1.0f / std::sqrt(x); }
inline float tanh(float x) { return std::tanh(x); }
inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
inline float abs(float x) { return std::fabs(x); }
inline float floor(float x) { return std::floor(x); }
inline float max(float a, float b) { return a > b || is_nan(b) ? a : b; }
inline float min(float a, float b) { return a < b || is_nan(b) ? a : b; }

// Rounded up; both non-negative.
template <typename A, typename B>
constexpr std::common_type_t<A, B> ceil_div(A a, B b) {
    return (a + b - 1) / b;
}

inline uint32_t multiply_high(uint32_t a, uint32_t b) { return static_cast<uint32_t>(uint64_t{a} * b >> 32); }

}  // namespace gpu
