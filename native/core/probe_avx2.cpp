// probe_avx2.cpp: the probe's loops with AVX2 and FMA.
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/probe.h"

namespace ct {

namespace {

uint64_t read_avx2(const void* data, int64_t bytes) {
    const auto* at = static_cast<const __m256i*>(data);
    __m256i sums[8] = {};
    for (int64_t i = 0; i < bytes / 32; i += 8) {
        for (int j = 0; j < 8; ++j) sums[j] = _mm256_add_epi64(sums[j], _mm256_load_si256(at + i + j));
    }
    for (int j = 1; j < 8; ++j) sums[0] = _mm256_add_epi64(sums[0], sums[j]);
    return static_cast<uint64_t>(_mm256_extract_epi64(sums[0], 0) + _mm256_extract_epi64(sums[0], 1) +
                                 _mm256_extract_epi64(sums[0], 2) + _mm256_extract_epi64(sums[0], 3));
}

// Equal sums would be computed once: hides from the compiler that they are.
void hide(__m256 (&sums)[12]) {
    for (__m256& sum : sums) asm volatile("" : "+x"(sum));
}

// Two units of latency 4 or 5 need ten independent sums.
float f32_avx2(int64_t iterations, float value) {
    __m256 sums[12] = {};
    __m256 factor = _mm256_set1_ps(value);
    hide(sums);
    for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < 12; ++j) sums[j] = _mm256_fmadd_ps(sums[j], factor, factor);
    }
    for (int j = 1; j < 12; ++j) sums[0] = _mm256_add_ps(sums[0], sums[j]);
    return _mm256_cvtss_f32(sums[0]);
}

}  // namespace

constinit const Probe kProbeAvx2{read_avx2, f32_avx2, nullptr, 12 * 16, 0};

}  // namespace ct
#endif
