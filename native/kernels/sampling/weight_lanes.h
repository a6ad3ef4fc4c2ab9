// weight_lanes.h: the weights of a few logits at a time, for the instruction set of the including file: weight.h's
// arithmetic, lane by lane.
#pragma once

#include "core/vec.h"
#include "kernels/sampling/row.h"

namespace ct {
namespace {

// WeightLanes has
//   weights(logits)                     of kCount logits, which are as many as a Vec has
//   where_greater(weights, v, split)    those of the logits above it, else 0
//   add_in(sum, logits, low, high)      the sum and the weights of those in [low, high], which have to weigh something
//   buckets(at, logits, buckets)        theirs
#if defined(__AVX512F__)

class WeightLanes {
public:
    static constexpr int64_t kCount = 16;
    struct Sum {
        __m512i low, high;
    };

    explicit WeightLanes(const Weigher& w)
        : top_(_mm512_set1_pd(w.top)),
          rate_(_mm512_set1_pd(w.rate)),
          // The upper half of the double kExponentBase + t is this and t's whole part.
          base_(_mm512_set1_epi64(0x41300000 - w.id_bits)) {
        alignas(64) uint32_t steps[kWeightSteps];
        for (int i = 0; i < kWeightSteps; ++i) steps[i] = weight_step(i);
        low_steps_ = _mm512_load_si512(steps);
        high_steps_ = _mm512_load_si512(steps + 16);
    }

    static Sum zero() { return {_mm512_setzero_si512(), _mm512_setzero_si512()}; }
    static Sum add(Sum a, Sum b) { return {_mm512_add_epi64(a.low, b.low), _mm512_add_epi64(a.high, b.high)}; }
    static uint64_t total(Sum a) {
        return static_cast<uint64_t>(_mm512_reduce_add_epi64(_mm512_add_epi64(a.low, a.high)));
    }
    static void store(uint64_t* at, Sum a) {
        _mm512_storeu_si512(at, a.low);
        _mm512_storeu_si512(at + 8, a.high);
    }

    Sum weights(const float* logits) const { return weights(load(logits)); }
    Sum weights(Vec v) const {
        const __m512d end = _mm512_set1_pd(kExponentEnd);
        // The second operand where the first is a NaN.
        return {weights(_mm512_min_pd(exponents(_mm512_castps512_ps256(v.v)), end)),
                weights(_mm512_min_pd(exponents(_mm512_extractf32x8_ps(v.v, 1)), end))};
    }
    static Sum where_greater(Sum weights, Vec v, float split) {
        const __mmask16 in = _mm512_cmp_ps_mask(v.v, _mm512_set1_ps(split), _CMP_GT_OQ);
        return {_mm512_maskz_mov_epi64(static_cast<__mmask8>(in), weights.low),
                _mm512_maskz_mov_epi64(static_cast<__mmask8>(in >> 8), weights.high)};
    }

    Sum add_in(Sum sum, Vec v, float low, float high) const {
        const __mmask16 in = _mm512_cmp_ps_mask(v.v, _mm512_set1_ps(low), _CMP_GE_OQ) &
                             _mm512_cmp_ps_mask(v.v, _mm512_set1_ps(high), _CMP_LE_OQ);
        return {
            add_where(sum.low, static_cast<__mmask8>(in), weights(exponents(_mm512_castps512_ps256(v.v)))),
            add_where(sum.high, static_cast<__mmask8>(in >> 8), weights(exponents(_mm512_extractf32x8_ps(v.v, 1))))};
    }

    static void buckets(int32_t* at, const float* logits, const Buckets& b) {
        for (int64_t i = 0; i < kCount; i += 8) {
            const __m512d v = _mm512_cvtps_pd(_mm256_loadu_ps(logits + i));
            const __m512d depth = _mm512_abs_pd(_mm512_sub_pd(_mm512_set1_pd(b.center), v));
            const __m512d place =
                _mm512_min_pd(_mm512_mul_pd(depth, _mm512_set1_pd(b.scale)), _mm512_set1_pd(Buckets::kCount - 1));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(at + i), _mm512_cvttpd_epi32(place));
        }
    }

private:
    static __m512i add_where(__m512i sum, __mmask8 in, __m512i weights) {
        return _mm512_mask_add_epi64(sum, in, sum, weights);
    }

    // kExponentBase + t.
    __m512d exponents(__m256 logits) const {
        const __m512d depth = _mm512_sub_pd(top_, _mm512_cvtps_pd(logits));
        return _mm512_add_pd(_mm512_mul_pd(depth, rate_), _mm512_set1_pd(kExponentBase));
    }

    // Of t in [0, 128).
    __m512i weights(__m512d exponents) const {
        const __m512i bits = _mm512_castpd_si512(exponents);
        const __m512i step = _mm512_permutex2var_epi32(low_steps_, _mm512_srli_epi64(bits, 27), high_steps_);
        const __m512i s = _mm512_slli_epi64(bits, 5);
        const __m512i c = _mm512_srli_epi64(_mm512_mul_epu32(_mm512_set1_epi64(kWeightC), s), 32);
        const __m512i u = _mm512_sub_epi64(_mm512_set1_epi64(kWeightB), c);
        const __m512i b = _mm512_srli_epi64(_mm512_mul_epu32(u, s), 39);
        const __m512i a = _mm512_sub_epi64(_mm512_set1_epi64(kWeightA), b);
        const __m512i off = _mm512_srli_epi64(_mm512_mul_epu32(a, s), 37);
        const __m512i power = _mm512_sub_epi64(_mm512_set1_epi64(int64_t{1} << 31), off);
        const __m512i shift = _mm512_sub_epi64(_mm512_srli_epi64(bits, 32), base_);
        return _mm512_srlv_epi64(_mm512_mul_epu32(step, power), shift);
    }

    __m512d top_, rate_;
    __m512i base_, low_steps_, high_steps_;
};

#elif defined(__AVX2__)

class WeightLanes {
public:
    static constexpr int64_t kCount = 8;
    struct Sum {
        __m256i low, high;
    };

    explicit WeightLanes(const Weigher& w)
        : top_(_mm256_set1_pd(w.top)), rate_(_mm256_set1_pd(w.rate)), id_bits_(_mm256_set1_epi64x(w.id_bits)) {
        alignas(32) uint32_t steps[kWeightSteps];
        for (int i = 0; i < kWeightSteps; ++i) steps[i] = weight_step(i);
        for (int i = 0; i < 4; ++i) steps_[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(steps) + i);
    }

    static Sum zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    static Sum add(Sum a, Sum b) { return {_mm256_add_epi64(a.low, b.low), _mm256_add_epi64(a.high, b.high)}; }
    static uint64_t total(Sum a) {
        alignas(32) uint64_t lanes[4];
        _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_add_epi64(a.low, a.high));
        return lanes[0] + lanes[1] + lanes[2] + lanes[3];
    }
    static void store(uint64_t* at, Sum a) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), a.low);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at + 4), a.high);
    }

    Sum weights(const float* logits) const { return weights(load(logits)); }
    Sum weights(Vec v) const {
        const __m256i low = exponents(_mm256_castps256_ps128(v.v));
        const __m256i high = exponents(_mm256_extractf128_ps(v.v, 1));
        const __m256i steps = steps_of(_mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xaa));
        return {weights(low, steps), weights(high, _mm256_srli_epi64(steps, 32))};
    }
    static Sum where_greater(Sum weights, Vec v, float split) {
        const __m256i in = _mm256_castps_si256(_mm256_cmp_ps(v.v, _mm256_set1_ps(split), _CMP_GT_OQ));
        return {_mm256_and_si256(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(in)), weights.low),
                _mm256_and_si256(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(in, 1)), weights.high)};
    }

    Sum add_in(Sum sum, Vec v, float low, float high) const {
        const __m256i in = _mm256_castps_si256(_mm256_and_ps(_mm256_cmp_ps(v.v, _mm256_set1_ps(low), _CMP_GE_OQ),
                                                             _mm256_cmp_ps(v.v, _mm256_set1_ps(high), _CMP_LE_OQ)));
        const Sum w = weights(v);
        return {add_where(sum.low, _mm256_castsi256_si128(in), w.low),
                add_where(sum.high, _mm256_extracti128_si256(in, 1), w.high)};
    }

    static void buckets(int32_t* at, const float* logits, const Buckets& b) {
        for (int64_t i = 0; i < kCount; i += 4) {
            const __m256d depth =
                _mm256_andnot_pd(_mm256_set1_pd(-0.0),
                                 _mm256_sub_pd(_mm256_set1_pd(b.center), _mm256_cvtps_pd(_mm_loadu_ps(logits + i))));
            const __m256d place =
                _mm256_min_pd(_mm256_mul_pd(depth, _mm256_set1_pd(b.scale)), _mm256_set1_pd(Buckets::kCount - 1));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(at + i), _mm256_cvttpd_epi32(place));
        }
    }

private:
    static __m256i add_where(__m256i sum, __m128i in, __m256i weights) {
        return _mm256_add_epi64(sum, _mm256_and_si256(_mm256_cvtepi32_epi64(in), weights));
    }

    // kExponentBase + t, as bits.
    __m256i exponents(__m128 logits) const {
        const __m256d depth = _mm256_sub_pd(top_, _mm256_cvtps_pd(logits));
        const __m256d t = _mm256_add_pd(_mm256_mul_pd(depth, rate_), _mm256_set1_pd(kExponentBase));
        return _mm256_castpd_si256(_mm256_min_pd(t, _mm256_set1_pd(kExponentEnd)));
    }

    // Eight steps by five bits at the head of each number: by three of four tables of eight, by two of those.
    __m256i steps_of(__m256i fractions) const {
        const __m256i at = _mm256_srli_epi32(fractions, 27);
        const __m256 odd = _mm256_castsi256_ps(_mm256_slli_epi32(fractions, 1));
        auto of_table = [&](int i) { return _mm256_castsi256_ps(_mm256_permutevar8x32_epi32(steps_[i], at)); };
        const __m256 first = _mm256_blendv_ps(of_table(0), of_table(1), odd);
        const __m256 second = _mm256_blendv_ps(of_table(2), of_table(3), odd);
        return _mm256_castps_si256(_mm256_blendv_ps(first, second, _mm256_castsi256_ps(fractions)));
    }

    // step: in the lower halves.
    __m256i weights(__m256i bits, __m256i step) const {
        const __m256i s = _mm256_slli_epi64(bits, 5);
        const __m256i c = _mm256_srli_epi64(_mm256_mul_epu32(_mm256_set1_epi64x(kWeightC), s), 32);
        const __m256i u = _mm256_sub_epi64(_mm256_set1_epi64x(kWeightB), c);
        const __m256i b = _mm256_srli_epi64(_mm256_mul_epu32(u, s), 39);
        const __m256i a = _mm256_sub_epi64(_mm256_set1_epi64x(kWeightA), b);
        const __m256i off = _mm256_srli_epi64(_mm256_mul_epu32(a, s), 37);
        const __m256i power = _mm256_sub_epi64(_mm256_set1_epi64x(int64_t{1} << 31), off);
        const __m256i whole = _mm256_and_si256(_mm256_srli_epi64(bits, 32), _mm256_set1_epi64x(127));
        return _mm256_srlv_epi64(_mm256_mul_epu32(step, power), _mm256_add_epi64(whole, id_bits_));
    }

    __m256d top_, rate_;
    __m256i id_bits_, steps_[4];
};

#else

class WeightLanes {
public:
    static constexpr int64_t kCount = 1;
    using Sum = uint64_t;

    explicit WeightLanes(const Weigher& w) : w_(w) {
        for (int i = 0; i < kWeightSteps; ++i) steps_[i] = weight_step(i);
    }

    static Sum zero() { return 0; }
    static Sum add(Sum a, Sum b) { return a + b; }
    static uint64_t total(Sum a) { return a; }
    static void store(uint64_t* at, Sum a) { *at = a; }

    Sum weights(const float* logits) const { return weights(load(logits)); }
    Sum weights(Vec v) const { return w_.weight(w_.exponent(v.v), steps_); }
    static Sum where_greater(Sum weights, Vec v, float split) { return v.v > split ? weights : 0; }

    Sum add_in(Sum sum, Vec v, float low, float high) const {
        return v.v >= low && v.v <= high ? sum + weights(v) : sum;
    }

    static void buckets(int32_t* at, const float* logits, const Buckets& b) { *at = b.of(*logits); }

private:
    Weigher w_;
    uint32_t steps_[kWeightSteps];
};

#endif

}  // namespace
}  // namespace ct
