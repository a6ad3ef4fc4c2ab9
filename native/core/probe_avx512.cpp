// probe_avx512.cpp: the probe's loops with AVX-512 and its bf16 products.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/probe.h"

namespace ct {

namespace {

constexpr int kSums = 24;  // independent, more than latency x units; leaves registers for the operands

uint64_t read_avx512(const void* data, int64_t bytes) {
    const auto* at = static_cast<const unsigned char*>(data);
    __m512i sums[8] = {};
    for (int64_t i = 0; i < bytes; i += 512) {
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) sums[j] = _mm512_add_epi64(sums[j], _mm512_load_si512(at + i + 64 * j));
    }
    for (int j = 1; j < 8; ++j) sums[0] = _mm512_add_epi64(sums[0], sums[j]);
    return static_cast<uint64_t>(_mm512_reduce_add_epi64(sums[0]));
}

// Equal sums would be computed once: hides from the compiler that they are.
void hide(__m512 (&sums)[kSums]) {
    for (__m512& sum : sums) asm volatile("" : "+v"(sum));
}

float f32_avx512(int64_t iterations, float value) {
    __m512 sums[kSums] = {};
    __m512 factor = _mm512_set1_ps(value);
    hide(sums);
    for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 24
        for (int j = 0; j < kSums; ++j) sums[j] = _mm512_fmadd_ps(sums[j], factor, factor);
    }
    for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_ps(sums[0], sums[j]);
    return _mm512_cvtss_f32(sums[0]);
}

float bf16_avx512(int64_t iterations, float value) {
    __m512 sums[kSums] = {};
    __m512bh operand = _mm512_cvtne2ps_pbh(_mm512_set1_ps(value), _mm512_set1_ps(value));
    hide(sums);
    for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 24
        for (int j = 0; j < kSums; ++j) sums[j] = _mm512_dpbf16_ps(sums[j], operand, operand);
    }
    for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_ps(sums[0], sums[j]);
    return _mm512_cvtss_f32(sums[0]);
}

}  // namespace

constinit const Probe kProbeAvx512{read_avx512, f32_avx512, bf16_avx512, kSums * 32, kSums * 64};

}  // namespace ct
#endif
