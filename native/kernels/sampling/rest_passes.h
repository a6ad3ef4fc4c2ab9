// rest_passes.h: what is left of a row once others have been taken off it (kernels/speculate/rest.h), for the instruction set
// of the including file.
#pragma once

#include "kernels/sampling/weight_lanes.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();

#if defined(__AVX512F__)

__m512i rest_part(__m512i weights, double rate) {
    return _mm512_cvttpd_epi64(_mm512_mul_pd(_mm512_cvtepi64_pd(weights), _mm512_set1_pd(rate)));
}

// 16 of them; there: which of them there are.
void begin_lanes(uint64_t* rest, WeightLanes::Sum weights, uint32_t there, double rate) {
    _mm512_mask_storeu_epi64(rest, static_cast<__mmask8>(there), rest_part(weights.low, rate));
    _mm512_mask_storeu_epi64(rest + 8, static_cast<__mmask8>(there >> 8), rest_part(weights.high, rate));
}
__m512i subtract_half(uint64_t* rest, __m512i weights, uint32_t there, double rate) {
    const auto half = static_cast<__mmask8>(there);
    const __m512i part = rest_part(weights, rate);
    const __m512i left = _mm512_sub_epi64(_mm512_max_epi64(_mm512_maskz_loadu_epi64(half, rest), part), part);
    _mm512_mask_storeu_epi64(rest, half, left);
    return _mm512_maskz_mov_epi64(half, left);
}
WeightLanes::Sum subtract_lanes(WeightLanes::Sum sum, uint64_t* rest, WeightLanes::Sum weights, uint32_t there,
                                double rate) {
    return {_mm512_add_epi64(sum.low, subtract_half(rest, weights.low, there, rate)),
            _mm512_add_epi64(sum.high, subtract_half(rest + 8, weights.high, there >> 8, rate))};
}

template <typename T>
void begin_rest_of(uint64_t* rest, const T* logits, int64_t n, const Weigher& weigher, float low, float high,
                   double rate) {
    const WeightLanes lanes(weigher);
    for_lanes(n, [&](int64_t i, int64_t size) {
        const Vec v = load_lanes(logits + i, size);
        begin_lanes(rest + i, lanes.add_in(WeightLanes::zero(), v, low, high), first_lanes(size), rate);
    });
}

template <typename T>
uint64_t subtract_rest_of(uint64_t* rest, const T* logits, int64_t n, const Weigher& weigher, float low, float high,
                          double rate) {
    const WeightLanes lanes(weigher);
    auto sum = WeightLanes::zero();
    for_lanes(n, [&](int64_t i, int64_t size) {
        const Vec v = load_lanes(logits + i, size);
        sum = subtract_lanes(sum, rest + i, lanes.add_in(WeightLanes::zero(), v, low, high), first_lanes(size), rate);
    });
    return WeightLanes::total(sum);
}

#else

// body(i, weight).
template <typename T, typename Body>
void each_weight_of(const T* logits, int64_t begin, int64_t n, const Weigher& weigher, float low, float high,
                    const Body& body) {
    constexpr int64_t kCount = WeightLanes::kCount;
    const WeightLanes lanes(weigher);
    uint64_t weights[kCount];
    for (int64_t i = begin; i < n; i += kCount) {
        float some[kCount];
        for (int64_t j = 0; j < kCount; ++j) some[j] = i + j < n ? to_float(logits[i + j]) : -kInfinity;
        WeightLanes::store(weights, lanes.add_in(WeightLanes::zero(), load(some), low, high));
        for (int64_t j = 0; j < kCount && i + j < n; ++j) body(i + j, weights[j]);
    }
}

// Below 2^63, as weights are; signed numbers are converted in one instruction.
uint64_t rest_part(uint64_t weight, double rate) {
    return static_cast<uint64_t>(static_cast<int64_t>(static_cast<double>(static_cast<int64_t>(weight)) * rate));
}

#if defined(__AVX2__)

// Weights of a vocabulary of more than 1024 tokens are below 2^52: with 2^52 in front they are doubles.
__m256i rest_part(__m256i weights, double rate) {
    const __m256i front = _mm256_set1_epi64x(0x4330000000000000);
    const __m256d two52 = _mm256_set1_pd(0x1p52);
    const __m256d weight = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(weights, front)), two52);
    const __m256d exact = _mm256_mul_pd(weight, _mm256_set1_pd(rate));
    const __m256d high = _mm256_floor_pd(_mm256_mul_pd(exact, _mm256_set1_pd(0x1p-32)));
    const __m256d low = _mm256_floor_pd(_mm256_sub_pd(exact, _mm256_mul_pd(high, _mm256_set1_pd(0x1p32))));
    const __m256i high_bits = _mm256_castpd_si256(_mm256_add_pd(high, two52));
    const __m256i low_bits = _mm256_castpd_si256(_mm256_add_pd(low, two52));
    return _mm256_or_si256(_mm256_slli_epi64(high_bits, 32), _mm256_xor_si256(low_bits, front));
}
constexpr int32_t kLeastBits = 11;

// Of as many as fill lanes; gives their number.
template <typename T>
int64_t begin_lanes(uint64_t* rest, const T* logits, int64_t n, const Weigher& weigher, float low, float high,
                    double rate) {
    if (weigher.id_bits < kLeastBits) return 0;
    const WeightLanes lanes(weigher);
    int64_t i = 0;
    for (; i + WeightLanes::kCount <= n; i += WeightLanes::kCount) {
        const WeightLanes::Sum w = lanes.add_in(WeightLanes::zero(), load(logits + i), low, high);
        WeightLanes::store(rest + i, {rest_part(w.low, rate), rest_part(w.high, rate)});
    }
    return i;
}

__m256i subtract_half(uint64_t* rest, __m256i weights, double rate) {
    const __m256i part = rest_part(weights, rate);
    const __m256i there = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rest));
    const __m256i left = _mm256_and_si256(_mm256_cmpgt_epi64(there, part), _mm256_sub_epi64(there, part));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(rest), left);
    return left;
}
template <typename T>
int64_t subtract_lanes(uint64_t* sum, uint64_t* rest, const T* logits, int64_t n, const Weigher& weigher, float low,
                       float high, double rate) {
    if (weigher.id_bits < kLeastBits) return 0;
    const WeightLanes lanes(weigher);
    WeightLanes::Sum sums = WeightLanes::zero();
    int64_t i = 0;
    for (; i + WeightLanes::kCount <= n; i += WeightLanes::kCount) {
        const WeightLanes::Sum w = lanes.add_in(WeightLanes::zero(), load(logits + i), low, high);
        sums.low = _mm256_add_epi64(sums.low, subtract_half(rest + i, w.low, rate));
        sums.high = _mm256_add_epi64(sums.high, subtract_half(rest + i + 4, w.high, rate));
    }
    *sum = WeightLanes::total(sums);
    return i;
}

#else

template <typename T>
int64_t begin_lanes(uint64_t*, const T*, int64_t, const Weigher&, float, float, double) {
    return 0;
}
template <typename T>
int64_t subtract_lanes(uint64_t*, uint64_t*, const T*, int64_t, const Weigher&, float, float, double) {
    return 0;
}

#endif

template <typename T>
void begin_rest_of(uint64_t* rest, const T* logits, int64_t n, const Weigher& weigher, float low, float high,
                   double rate) {
    const int64_t begin = begin_lanes(rest, logits, n, weigher, low, high, rate);
    each_weight_of(logits, begin, n, weigher, low, high,
                   [&](int64_t i, uint64_t weight) { rest[i] = rest_part(weight, rate); });
}

template <typename T>
uint64_t subtract_rest_of(uint64_t* rest, const T* logits, int64_t n, const Weigher& weigher, float low, float high,
                          double rate) {
    uint64_t sum = 0;
    const int64_t begin = subtract_lanes(&sum, rest, logits, n, weigher, low, high, rate);
    each_weight_of(logits, begin, n, weigher, low, high, [&](int64_t i, uint64_t weight) {
        const uint64_t part = rest_part(weight, rate);
        rest[i] = rest[i] > part ? rest[i] - part : 0;
        sum += rest[i];
    });
    return sum;
}

#endif

void begin_rest(uint64_t* rest, const void* logits, int32_t dtype, int64_t n, const Weigher& weigher, float low,
                float high, double rate) {
    return dtype == CT_BF16 ? begin_rest_of(rest, static_cast<const bf16*>(logits), n, weigher, low, high, rate)
                            : begin_rest_of(rest, static_cast<const float*>(logits), n, weigher, low, high, rate);
}

uint64_t subtract_rest(uint64_t* rest, const void* logits, int32_t dtype, int64_t n, const Weigher& weigher, float low,
                       float high, double rate) {
    return dtype == CT_BF16 ? subtract_rest_of(rest, static_cast<const bf16*>(logits), n, weigher, low, high, rate)
                            : subtract_rest_of(rest, static_cast<const float*>(logits), n, weigher, low, high, rate);
}

}  // namespace
}  // namespace ct
