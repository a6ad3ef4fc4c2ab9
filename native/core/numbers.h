// numbers.h: the stored forms of numbers (bf16, f16, e4m3) and their exact conversions, for the host compiler and for
// nvcc. In device code the conversions that the GPU has as instructions use them (gpu/gpu_cuda.h); results are equal
// but for the payload of a NaN.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__CUDACC__)
#define CT_HOST_DEVICE __host__ __device__
#else
#define CT_HOST_DEVICE
#endif

namespace ct {

// bfloat16: the upper half of a float.
struct bf16 {
    uint16_t bits;
};

// IEEE half precision.
struct f16 {
    uint16_t bits;
};

// fp8 e4m3 as OCP and PTX define it: bias 7, no infinity, 0x7f is NaN, 448 the largest.
struct e4m3 {
    uint8_t bits;
};

}  // namespace ct

#if defined(__CUDA_ARCH__)
namespace gpu::convert {  // bodies in gpu/gpu_cuda.h
__device__ uint16_t bf16_bits(float value);
__device__ uint16_t f16_bits(float value);
__device__ uint8_t e4m3_bits(float value);
__device__ float f16_value(uint16_t bits);
}  // namespace gpu::convert
#endif

namespace ct {

// Inlined always: a copy that the compiler emitted in an _avx512 file could be the one that the linker keeps for all.

CT_HOST_DEVICE [[gnu::always_inline]] inline uint32_t float_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}
CT_HOST_DEVICE [[gnu::always_inline]] inline float bits_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

// `bits` shifted right, the dropped part rounded to nearest even. shift in [1, 31].
CT_HOST_DEVICE [[gnu::always_inline]] inline uint32_t shift_to_even(uint32_t bits, int shift) {
    return (bits + ((1u << (shift - 1)) - 1) + ((bits >> shift) & 1u)) >> shift;
}

CT_HOST_DEVICE [[gnu::always_inline]] inline float to_float(float value) { return value; }
CT_HOST_DEVICE [[gnu::always_inline]] inline float to_float(bf16 value) {
    return bits_float(static_cast<uint32_t>(value.bits) << 16);
}

CT_HOST_DEVICE [[gnu::always_inline]] inline float to_float(f16 value) {
#if defined(__CUDA_ARCH__)
    return gpu::convert::f16_value(value.bits);
#else
    const uint32_t sign = (value.bits & 0x8000u) << 16;
    const uint32_t exponent = (value.bits >> 10) & 0x1fu;
    const uint32_t fraction = value.bits & 0x3ffu;
    if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
        return bits_float(sign | float_bits(static_cast<float>(fraction) * 0x1p-24f));
    }
    const uint32_t wide = exponent == 0x1f ? 0xffu : exponent + (127 - 15);
    return bits_float(sign | (wide << 23) | (fraction << 13));
#endif
}

CT_HOST_DEVICE [[gnu::always_inline]] inline float to_float(e4m3 value) {
    const uint32_t sign = (value.bits & 0x80u) << 24;
    const uint32_t magnitude = value.bits & 0x7fu;
    if (magnitude == 0x7f) return bits_float(sign | 0x7fc00000u);
    // The exponent's field is 120 too small (2^120 in all): one exact product also makes subnormals normal.
    return bits_float(sign | float_bits(bits_float(magnitude << 20) * 0x1p120f));
}

// The conversions from float round to nearest even; NaN stays NaN.

CT_HOST_DEVICE [[gnu::always_inline]] inline bf16 to_bf16(float value) {
#if defined(__CUDA_ARCH__)
    return {gpu::convert::bf16_bits(value)};
#else
    const uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
    return {static_cast<uint16_t>(shift_to_even(bits, 16))};
#endif
}

CT_HOST_DEVICE [[gnu::always_inline]] inline f16 to_f16(float value) {
#if defined(__CUDA_ARCH__)
    return {gpu::convert::f16_bits(value)};
#else
    const uint32_t bits = float_bits(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu))};
    if (magnitude >= 0x47800000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // 2^16 and more: infinity
    if (magnitude >= 0x38800000u) {  // normal from 2^-14; a carry out of the fraction may give infinity, as it should
        return {static_cast<uint16_t>(sign | shift_to_even(magnitude - (112u << 23), 13))};
    }
    if (magnitude < 0x33000000u) return {static_cast<uint16_t>(sign)};  // below 2^-25
    const int shift = 126 - static_cast<int>(magnitude >> 23);          // 14 to 24
    return {static_cast<uint16_t>(sign | shift_to_even((magnitude & 0x7fffffu) | 0x800000u, shift))};
#endif
}

// Saturates: what is beyond 448, infinity included, becomes 448.
CT_HOST_DEVICE [[gnu::always_inline]] inline e4m3 to_e4m3(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    return {gpu::convert::e4m3_bits(value)};
#else
    const uint32_t bits = float_bits(value);
    const uint32_t sign = (bits >> 24) & 0x80u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {0x7f};
    if (magnitude >= 0x43e00000u) return {static_cast<uint8_t>(sign | 0x7eu)};  // 448 and more
    if (magnitude >= 0x3c800000u) {                                             // normal from 2^-6
        const uint32_t rounded = shift_to_even(magnitude - (120u << 23), 20);
        return {static_cast<uint8_t>(sign | rounded)};
    }
    if (magnitude < 0x3a800000u) return {static_cast<uint8_t>(sign)};  // below 2^-10
    const int shift = 141 - static_cast<int>(magnitude >> 23);         // 21 to 24
    return {static_cast<uint8_t>(sign | shift_to_even((magnitude & 0x7fffffu) | 0x800000u, shift))};
#endif
}

template <typename T>
CT_HOST_DEVICE [[gnu::always_inline]] inline T from_float(float value) {
    if constexpr (std::is_same_v<T, float>) {
        return value;
    } else if constexpr (std::is_same_v<T, bf16>) {
        return to_bf16(value);
    } else if constexpr (std::is_same_v<T, f16>) {
        return to_f16(value);
    } else {
        static_assert(std::is_same_v<T, e4m3>, "float, bf16, f16 or e4m3");
        return to_e4m3(value);
    }
}

}  // namespace ct
