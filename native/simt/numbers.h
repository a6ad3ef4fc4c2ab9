// numbers.h: the host bodies of gpu.h's numbers: packed pairs, elementary functions. Conversions are core/numbers.h's.
#pragma once

#include <cmath>
#include <limits>

#include "core/numbers.h"

namespace gpu {

using ct::bits_float;
using ct::float_bits;
using ct::from_float;
using ct::to_bf16;
using ct::to_e4m3;
using ct::to_f16;
using ct::to_float;

inline float infinity() { return std::numeric_limits<float>::infinity(); }
inline float nan() { return std::numeric_limits<float>::quiet_NaN(); }
inline bool is_nan(float value) { return value != value; }

// ---- pairs ---------------------------------------------------------------------------------------------------------

inline uint32_t pack_bf16(float low, float high) {
    return to_bf16(low).bits | static_cast<uint32_t>(to_bf16(high).bits) << 16;
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
inline uint32_t fma_bf16x2(uint32_t a, uint32_t b, uint32_t c) {
    float low[3], high[3];
    unpack_bf16(a, low[0], high[0]);
    unpack_bf16(b, low[1], high[1]);
    unpack_bf16(c, low[2], high[2]);
    return pack_bf16(std::fma(low[0], low[1], low[2]), std::fma(high[0], high[1], high[2]));
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
inline double log(double x) { return std::log(x); }
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
