// vec.h: one vector of float32 of the width of the instruction set that the including file is compiled for. A kernel's
// body is written once with it, in a header that NAME_scalar.cpp, NAME_avx2.cpp and NAME_avx512.cpp include.
//
// All of it is in an unnamed namespace: every file keeps its own copies, so that the linker cannot give a file for old
// processors the copy that was compiled for new ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/core.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace ct {
namespace {

#if defined(__AVX512BF16__)

inline constexpr int64_t kLanes = 16;

struct Vec {
    __m512 v;
};

inline __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
inline Vec broadcast(float value) { return {_mm512_set1_ps(value)}; }
inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// The second operand where either is NaN; the same in every variant.
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vec round(Vec a) { return {_mm512_roundscale_ps(a.v, 0)}; }
inline Vec power_of_two(Vec a) {  // 2^a for whole a in [-126, 127]
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtps_epi32(_mm512_add_ps(a.v, _mm512_set1_ps(127))), 23))};
}
inline Vec load(const float* at) { return {_mm512_loadu_ps(at)}; }
inline Vec load(const float* at, int64_t n) { return {_mm512_maskz_loadu_ps(first_lanes(n), at)}; }
inline __m512 widen(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }
inline Vec load(const bf16* at) { return {widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)))}; }
inline Vec load(const bf16* at, int64_t n) { return {widen(_mm256_maskz_loadu_epi16(first_lanes(n), at))}; }
inline void store(float* at, Vec a) { _mm512_storeu_ps(at, a.v); }
inline void store(float* at, Vec a, int64_t n) { _mm512_mask_storeu_ps(at, first_lanes(n), a.v); }
inline __m256i narrow(__m512 v) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)); }
inline void store(bf16* at, Vec a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), narrow(a.v)); }
inline void store(bf16* at, Vec a, int64_t n) { _mm256_mask_storeu_epi16(at, first_lanes(n), narrow(a.v)); }
inline void store(f16* at, Vec a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
// As to_e4m3: sizes from 2^-6 on lose 20 bits, a sum with 2^14 rounds smaller ones to multiples of 2^-9.
inline void store(e4m3* at, Vec a) {
    const __m512i bits = _mm512_castps_si512(a.v);
    const __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(size, 20), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(size, odd), _mm512_set1_epi32(0x7ffff - (120 << 23)));
    const __m512i sum = _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(size), _mm512_set1_ps(0x1p14f)));
    __m512i code = _mm512_mask_sub_epi32(_mm512_srli_epi32(rounded, 20),
                                         _mm512_cmplt_epi32_mask(size, _mm512_set1_epi32(0x3c800000)), sum,
                                         _mm512_castps_si512(_mm512_set1_ps(0x1p14f)));
    code = _mm512_min_epu32(code, _mm512_set1_epi32(0x7e));
    code = _mm512_or_si512(code, _mm512_and_si512(_mm512_srli_epi32(bits, 24), _mm512_set1_epi32(0x80)));
    code = _mm512_mask_mov_epi32(code, _mm512_cmpgt_epi32_mask(size, _mm512_set1_epi32(0x7f800000)),
                                 _mm512_set1_epi32(0x7f));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(code));
}
inline float sum(Vec a) { return _mm512_reduce_add_ps(a.v); }
inline float largest(Vec a) { return _mm512_reduce_max_ps(a.v); }
inline int64_t count_greater(Vec a, Vec b) { return __builtin_popcount(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)); }
inline int64_t count_equal(Vec a, Vec b) { return __builtin_popcount(_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)); }
// Bit i: a[i] >= b[i]; and v where that is so, else 0.
inline uint32_t not_less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
inline Vec where_not_less(Vec v, Vec a, Vec b) {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ), v.v)};
}

#elif defined(__AVX2__)

inline constexpr int64_t kLanes = 8;

struct Vec {
    __m256 v;
};

inline __m256i first_lanes(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec broadcast(float value) { return {_mm256_set1_ps(value)}; }
inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vec round(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Vec power_of_two(Vec a) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_add_ps(a.v, _mm256_set1_ps(127))), 23))};
}
inline Vec load(const float* at) { return {_mm256_loadu_ps(at)}; }
inline Vec load(const float* at, int64_t n) { return {_mm256_maskload_ps(at, first_lanes(n))}; }
inline Vec load(const bf16* at) {
    __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
}
inline Vec load(const bf16* at, int64_t n) {
    bf16 lanes[8] = {};
    for (int64_t i = 0; i < n; ++i) lanes[i] = at[i];
    return load(lanes);
}
inline void store(float* at, Vec a) { _mm256_storeu_ps(at, a.v); }
inline void store(float* at, Vec a, int64_t n) { _mm256_maskstore_ps(at, first_lanes(n), a.v); }
inline void store(bf16* at, Vec a) {
    __m256i bits = _mm256_castps_si256(a.v);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
    __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
    __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), packed);
}
inline void store(bf16* at, Vec a, int64_t n) {
    bf16 lanes[8];
    store(lanes, a);
    for (int64_t i = 0; i < n; ++i) at[i] = lanes[i];
}
inline void store(f16* at, Vec a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
inline void store(e4m3* at, Vec a) {
    const __m256i bits = _mm256_castps_si256(a.v);
    const __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(size, 20), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(size, odd), _mm256_set1_epi32(0x7ffff - (120 << 23)));
    const __m256i magic = _mm256_castps_si256(_mm256_set1_ps(0x1p14f));
    const __m256i sum = _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(size), _mm256_castsi256_ps(magic)));
    __m256i code = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 20), _mm256_sub_epi32(sum, magic),
                                      _mm256_cmpgt_epi32(_mm256_set1_epi32(0x3c800000), size));
    code = _mm256_min_epu32(code, _mm256_set1_epi32(0x7e));
    code = _mm256_or_si256(code, _mm256_and_si256(_mm256_srli_epi32(bits, 24), _mm256_set1_epi32(0x80)));
    code = _mm256_blendv_epi8(code, _mm256_set1_epi32(0x7f), _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x7f800000)));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packus_epi16(words, words));
}
inline float sum(Vec a) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}
inline float largest(Vec a) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    __m128 quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)));
}
inline int64_t count_greater(Vec a, Vec b) {
    return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ))));
}
inline int64_t count_equal(Vec a, Vec b) {
    return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))));
}
inline uint32_t not_less(Vec a, Vec b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)));
}
inline Vec where_not_less(Vec v, Vec a, Vec b) { return {_mm256_and_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ), v.v)}; }

#else

inline constexpr int64_t kLanes = 1;

struct Vec {
    float v;
};

inline Vec broadcast(float value) { return {value}; }
inline Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
inline Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
inline Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
inline Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
inline Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
inline Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
inline Vec round(Vec a) { return {std::nearbyint(a.v)}; }
inline Vec power_of_two(Vec a) {
    // NaN must not reach the conversion; its power is multiplied with NaN in any case.
    uint32_t bits = a.v >= -127 ? static_cast<uint32_t>(static_cast<int32_t>(a.v) + 127) << 23 : 0;
    float result;
    std::memcpy(&result, &bits, 4);
    return {result};
}
template <typename T>
inline Vec load(const T* at) {
    return {to_float(*at)};
}
template <typename T>
inline Vec load(const T* at, int64_t) {
    return {to_float(*at)};
}
template <typename T>
inline void store(T* at, Vec a) {
    *at = from_float<T>(a.v);
}
template <typename T>
inline void store(T* at, Vec a, int64_t) {
    *at = from_float<T>(a.v);
}
inline float sum(Vec a) { return a.v; }
inline float largest(Vec a) { return a.v; }
inline int64_t count_greater(Vec a, Vec b) { return a.v > b.v; }
inline int64_t count_equal(Vec a, Vec b) { return a.v == b.v; }
inline uint32_t not_less(Vec a, Vec b) { return a.v >= b.v; }
inline Vec where_not_less(Vec v, Vec a, Vec b) { return {a.v >= b.v ? v.v : 0.0f}; }

#endif

// e^x to about 2 ulp: 0 below -104, inf above 89, NaN for NaN. Splits x = n ln 2 + r, e^r by its series up to r^7 / 7!
// (|r| <= 0.35, the next term is 5e-9), and multiplies with 2^n in two steps, since n may exceed the exponent's range.
inline Vec exp(Vec x) {
    x = min(broadcast(90.0f), max(broadcast(-110.0f), x));
    Vec n = round(x * broadcast(1.44269504f));
    Vec r = fma(n, broadcast(-0.693359375f), x);
    r = fma(n, broadcast(2.12194440e-4f), r);
    Vec p = broadcast(1.0f / 5040);
    p = fma(p, r, broadcast(1.0f / 720));
    p = fma(p, r, broadcast(1.0f / 120));
    p = fma(p, r, broadcast(1.0f / 24));
    p = fma(p, r, broadcast(1.0f / 6));
    p = fma(p, r, broadcast(0.5f));
    p = fma(p, r, broadcast(1.0f));
    p = fma(p, r, broadcast(1.0f));
    Vec half = round(n * broadcast(0.5f));
    return p * power_of_two(half) * power_of_two(n - half);
}

// body(begin, n): all full vectors (n = kLanes), then the rest (0 < n < kLanes).
template <typename Body>
inline void for_lanes(int64_t count, const Body& body) {
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) body(i, kLanes);
    if (i < count) body(i, count - i);
}

template <typename T>
inline Vec load_lanes(const T* at, int64_t n) {
    return n == kLanes ? load(at) : load(at, n);
}
template <typename T>
inline void store_lanes(T* at, Vec a, int64_t n) {
    if (n == kLanes) {
        store(at, a);
    } else {
        store(at, a, n);
    }
}

// The first n lanes, zeros behind them.
inline Vec first_of(Vec a, int64_t n) {
    if (n == kLanes) return a;
    float lanes[kLanes];
    store(lanes, a);
    return load(lanes, n);
}

// The sum of term(sum, v(begin, n)) in four sums that are added in a fixed order; lanes behind the end are zeros.
template <typename Values, typename Term>
inline float sum_terms(int64_t count, const Values& values, const Term& term) {
    Vec sums[4] = {broadcast(0), broadcast(0), broadcast(0), broadcast(0)};
    int64_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
        for (int j = 0; j < 4; ++j) sums[j] = term(sums[j], values(i + j * kLanes, kLanes));
    }
    for (; i + kLanes <= count; i += kLanes) sums[0] = term(sums[0], values(i, kLanes));
    if (i < count) sums[1] = term(sums[1], values(i, count - i));
    return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <typename Values>
inline float sum_of(int64_t count, const Values& values) {
    return sum_terms(count, values, [](Vec sum, Vec v) { return sum + v; });
}

template <typename Values>
inline float sum_of_squares(int64_t count, const Values& values) {
    return sum_terms(count, values, [](Vec sum, Vec v) { return fma(v, v, sum); });
}

}  // namespace
}  // namespace ct
