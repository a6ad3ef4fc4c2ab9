// rough_mass.h: the largest logit of every chunk and, in the same look at the row, about what all of it weighs. Whoever asks
// whether a coin is below a share learns it from that in all but few cases; row_bounds.cpp says how far off it can be.
//
// Floor: one read of the row. With AVX2 eight logits take 3 operations to be widened, compared and looked at for a NaN, a
// loose weight 4 more, a tight one 11, against 50 of an exact one. On an EPYC (Zen 5), ns a logit of a row in a cache with
// AVX-512 and with AVX2: a loose look 0.07 and 0.11, a tight one 0.10 and 0.21, the exact weights 0.34 and 0.96.
#pragma once

#include "core/vec.h"
#include "kernels/sampling/row.h"

namespace ct {
namespace {

constexpr int64_t kChunkVecs = kChunk / kLanes;

// The float32 whose bits are a whole number; a * b + c rounded once; sums of float32 in double; and 2^n * p, where
// z = n + 1.5 * 2^23 as a float32 and p in (1/2, 2).
#if defined(__AVX512F__)
inline Vec float_of_bits(Vec bits) { return {_mm512_castsi512_ps(_mm512_cvtps_epi32(bits.v))}; }
inline Vec fused(Vec a, Vec b, Vec c) { return fma(a, b, c); }
class WideSum {
public:
    void add(Vec a) {
        low_ = _mm512_add_pd(low_, _mm512_cvtps_pd(_mm512_castps512_ps256(a.v)));
        high_ = _mm512_add_pd(high_, _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1)));
    }
    void scale(double by) {
        low_ = _mm512_mul_pd(low_, _mm512_set1_pd(by));
        high_ = _mm512_mul_pd(high_, _mm512_set1_pd(by));
    }
    double total() const { return _mm512_reduce_add_pd(_mm512_add_pd(low_, high_)); }

private:
    __m512d low_ = _mm512_setzero_pd();
    __m512d high_ = _mm512_setzero_pd();
};
inline void load_pair(Vec& a, Vec& b, const bf16* at) {
    const __m512i both = _mm512_loadu_si512(at);
    a.v = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    b.v = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(INT32_C(-65536))));
}
#elif defined(__AVX2__)
inline Vec times_power(Vec p, Vec z) {
    return {_mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(p.v), _mm256_slli_epi32(_mm256_castps_si256(z.v), 23)))};
}
inline Vec float_of_bits(Vec bits) { return {_mm256_castsi256_ps(_mm256_cvtps_epi32(bits.v))}; }
inline Vec fused(Vec a, Vec b, Vec c) { return fma(a, b, c); }
class WideSum {
public:
    void add(Vec a) {
        low_ = _mm256_add_pd(low_, _mm256_cvtps_pd(_mm256_castps256_ps128(a.v)));
        high_ = _mm256_add_pd(high_, _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1)));
    }
    void scale(double by) {
        low_ = _mm256_mul_pd(low_, _mm256_set1_pd(by));
        high_ = _mm256_mul_pd(high_, _mm256_set1_pd(by));
    }
    double total() const {
        alignas(32) double lanes[4];
        _mm256_store_pd(lanes, _mm256_add_pd(low_, high_));
        return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    }

private:
    __m256d low_ = _mm256_setzero_pd();
    __m256d high_ = _mm256_setzero_pd();
};
inline void load_pair(Vec& a, Vec& b, const bf16* at) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    a.v = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
    b.v = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(INT32_C(-65536))));
}
#else
inline Vec times_power(Vec p, Vec z) { return {bits_float(float_bits(p.v) + (float_bits(z.v) << 23))}; }
inline Vec float_of_bits(Vec bits) { return {bits.v < 0x1p31f ? bits_float(static_cast<uint32_t>(bits.v)) : 0.0f}; }
inline Vec fused(Vec a, Vec b, Vec c) {
    return {static_cast<float>(static_cast<double>(a.v) * static_cast<double>(b.v) + static_cast<double>(c.v))};
}
class WideSum {
public:
    void add(Vec a) { sum_ += static_cast<double>(a.v); }
    void scale(double by) { sum_ *= by; }
    double total() const { return sum_; }

private:
    double sum_ = 0;
};
inline void load_pair(Vec& a, Vec& b, const bf16* at) {
    a = load(at);
    b = load(at + 1);
}
#endif
inline void load_pair(Vec& a, Vec& b, const float* at) {
    a = load(at);
    b = load(at + kLanes);
}

// Loops over a chunk's vectors are unrolled: the vectors have to stay in registers.
template <int64_t kCount>
[[gnu::always_inline]] inline Vec sum_in_pairs(Vec* v) {
    if constexpr (kCount > 1) {
#pragma GCC unroll 8
        for (int64_t i = 0; i < kCount / 2; ++i) v[i] = v[i] + v[i + kCount / 2];
        return sum_in_pairs<kCount / 2>(v);
    }
    return v[0];
}

// The largest of each of four.
inline void store_largest(float* at, const Vec (&of)[4]) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    auto halves = [](Vec a, Vec b) {
        return _mm256_max_ps(_mm256_unpacklo_ps(a.v, b.v), _mm256_unpackhi_ps(a.v, b.v));
    };
    const __m256 first = halves(of[0], of[1]);
    const __m256 second = halves(of[2], of[3]);
    const __m256 all = _mm256_max_ps(_mm256_shuffle_ps(first, second, 0x44), _mm256_shuffle_ps(first, second, 0xee));
    _mm_storeu_ps(at, _mm_max_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
#elif defined(__AVX512F__)
    // Quarters of two side by side, then of all four.
    auto halves = [](Vec a, Vec b) {
        return _mm512_max_ps(_mm512_shuffle_f32x4(a.v, b.v, 0x44), _mm512_shuffle_f32x4(a.v, b.v, 0xee));
    };
    const __m512 first = halves(of[0], of[1]);
    const __m512 second = halves(of[2], of[3]);
    __m512 all = _mm512_max_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xdd));
    all = _mm512_max_ps(all, _mm512_permute_ps(all, 0x4e));
    all = _mm512_max_ps(all, _mm512_permute_ps(all, 0xb1));
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    _mm_storeu_ps(at, _mm512_castps512_ps128(_mm512_permutexvar_ps(quarters, all)));
#else
    for (int i = 0; i < 4; ++i) at[i] = largest(of[i]);
#endif
}

// 2^(v * rate - at) by a float32 whose exponent and fraction are that: (1 + f) / 2^f times too much, at most kLooseExcess.
class LooseWeigh {
public:
    // Gives `at`, so that a logit of `from` weighs 1.
    double begin_at(float from, double rate) {
        const double at = static_cast<double>(from) * rate;
        rate_ = broadcast(static_cast<float>(rate * 0x1p23));
        base_ = broadcast(static_cast<float>((127 - at) * 0x1p23));
        return at;
    }
    Vec operator()(Vec v) const { return float_of_bits(max(fma(v, rate_, base_), broadcast(0))); }

private:
    Vec rate_ = broadcast(0);
    Vec base_ = broadcast(0);
};

// 2^(n + f) where z = n + f + kMagic as a float32, and f is what z has left out; with all roundings right to 2.4e-7.
#if defined(__AVX512F__)
// z is right to 1/32. A step of the table lacks what its number, the low bits of z, adds to the exponent below n.
class TightPower {
public:
    static constexpr float kMagic = 0x1.8p18f;

    TightPower() {
        alignas(64) uint32_t steps[32];
        for (uint32_t i = 0; i < 32; ++i) steps[i] = float_bits(static_cast<float>(std::exp2(i / 32.0))) - (i << 18);
        low_ = _mm512_load_si512(steps);
        high_ = _mm512_load_si512(steps + 16);
    }
    Vec operator()(Vec z, Vec f) const {
        Vec p = broadcast(0.240226507f);
        p = fma(p, f, broadcast(0.693157344f));
        p = fma(p, f, broadcast(1));
        const __m512i bits = _mm512_castps_si512(z.v);
        const __m512i step = _mm512_permutex2var_epi32(low_, bits, high_);
        return p * Vec{_mm512_castsi512_ps(_mm512_add_epi32(step, _mm512_slli_epi32(bits, 18)))};
    }

private:
    __m512i low_, high_;
};
#else
// z is whole: a polynomial over [-1/2, 1/2] that is right to 7.5e-8.
class TightPower {
public:
    static constexpr float kMagic = 0x1.8p23f;

    Vec operator()(Vec z, Vec f) const {
        Vec p = broadcast(0.00132764725f);
        p = fma(p, f, broadcast(0.00967554189f));
        p = fma(p, f, broadcast(0.0555071309f));
        p = fma(p, f, broadcast(0.240221202f));
        p = fma(p, f, broadcast(0.693146944f));
        p = fma(p, f, broadcast(1.00000012f));
        return times_power(p, z);
    }
};
#endif

// 2^(v * rate - at) at the float32 that is next to the rate. As `at` is whole, v * rate goes in exactly, less the number near
// it that has few binary places.
class TightWeigh {
public:
    // Gives `at`, so that a logit of `from` weighs about 1.
    double begin_at(float from, double rate) {
        const auto rounded = static_cast<float>(rate);
        const double at = std::nearbyint(static_cast<double>(from) * static_cast<double>(rounded));
        rate_ = broadcast(rounded);
        least_ = broadcast(static_cast<float>(static_cast<double>(from) - kDeepest / rate));
        shift_ = broadcast(static_cast<float>(static_cast<double>(TightPower::kMagic) - at));
        return at;
    }
    Vec operator()(Vec v) const {
        v = max(v, least_);
        const Vec z = fused(v, rate_, shift_);
        return power_(z, fused(v, rate_, shift_ - z));
    }

private:
    static constexpr double kDeepest = 120;  // doublings; what is deeper weighs as if it were not
    TightPower power_;
    Vec rate_ = broadcast(0);
    Vec least_ = broadcast(0);
    Vec shift_ = broadcast(0);
};

// A row, four chunks at a time. kExpects: what stands before a token is summed up as well.
template <typename Weigh, bool kExpects>
class RoughRow {
public:
    RoughRow(double rate, const Expected& expected)
        : rate_(rate), expected_chunk_(expected.id / kChunk), expected_(expected.logit) {}

    // chunk: the number of the first.
    template <typename T>
    void add(float* maxima, const T* logits, int64_t chunk) {
        Vec best[4];
        Vec all = broadcast(0);
        for (int64_t i = 0; i < 4; ++i) add_chunk(&best[i], &all, logits + i * kChunk, chunk + i);
        store_largest(maxima, best);
        // A sum with a NaN or with both infinities is a NaN; finite logits may add up to infinities too.
        if (not_less(all, all) == (1u << kLanes) - 1) return;
        for (int64_t i = 0; i < 4; ++i) maxima[i] = largest_number(logits + i * kChunk);
    }

    RoughMass mass() const { return {is_known_ ? weights_.total() : 0, at_, above_.total()}; }

private:
    template <typename T>
    [[gnu::always_inline]] void add_chunk(Vec* best, Vec* all, const T* logits, int64_t chunk) {
        Vec v[kChunkVecs];
#pragma GCC unroll 8
        for (int64_t i = 0; i < kChunkVecs; i += 2) load_pair(v[i], v[i + 1], logits + i * kLanes);
        Vec even = v[0];
        Vec odd = v[1];
        *best = max(v[0], v[1]);
#pragma GCC unroll 8
        for (int64_t i = 2; i < kChunkVecs; i += 2) {
            *best = max(max(v[i], v[i + 1]), *best);
            even = even + v[i];
            odd = odd + v[i + 1];
        }
        *all = *all + (even + odd);
        if (not_less(limit_, *best) != (1u << kLanes) - 1) rise_to(largest(*best));
        if (not_less(*best, floor_) == 0) return;
        if (kExpects && not_less(*best, broadcast(expected_)) != 0) return add_both(v, chunk);
#pragma GCC unroll 8
        for (int64_t i = 0; i < kChunkVecs; ++i) v[i] = weigh_(v[i]);
        add_up(weights_, v);
    }

    // In pairs, so that a weight goes through few sums of float32.
    [[gnu::always_inline]] static void add_up(WideSum& sum, Vec* v) {
        constexpr int64_t kPaired = kChunkVecs < 8 ? kChunkVecs : 8;
#pragma GCC unroll 8
        for (int64_t i = 0; i < kChunkVecs; i += kPaired) sum.add(sum_in_pairs<kPaired>(v + i));
    }

    [[gnu::always_inline]] void add_both(Vec* v, int64_t chunk) {
        const Vec least = broadcast(chunk < expected_chunk_ ? expected_ : ordered_float(ordered_bits(expected_) + 1));
        Vec before[kChunkVecs];
#pragma GCC unroll 8
        for (int64_t i = 0; i < kChunkVecs; ++i) {
            const Vec weight = weigh_(v[i]);
            before[i] = where_not_less(weight, v[i], least);
            v[i] = weight;
        }
        add_up(weights_, v);
        add_up(above_, before);
    }

    [[gnu::noinline]] void rise_to(float largest_logit) {
        if (!(largest_logit >= -FLT_MAX && largest_logit <= FLT_MAX)) return;
        const auto from = static_cast<double>(largest_logit);
        const double at = weigh_.begin_at(largest_logit, rate_);
        weights_.scale(std::exp2(at_ - at));
        above_.scale(std::exp2(at_ - at));
        at_ = at;
        // Half a doubling is for the limit's own rounding.
        limit_ = broadcast(static_cast<float>(from + (kRoughReach - 0.5) / rate_));
        floor_ = broadcast(static_cast<float>(from - kRoughDepth / rate_));
        is_known_ = is_known_ && std::fabs(from * rate_) < kRoughLargest;
    }

    template <typename T>
    static float largest_number(const T* logits) {
        float found = -__builtin_inff();
        for (int64_t i = 0; i < kChunk; ++i) {
            const float logit = to_float(logits[i]);
            if (!(logit < __builtin_inff())) return __builtin_inff();
            found = logit > found ? logit : found;
        }
        return found;
    }

    const double rate_;
    const int64_t expected_chunk_;
    const float expected_;
    double at_ = -__builtin_inf();
    bool is_known_ = true;
    WideSum weights_, above_;
    Vec limit_ = broadcast(-__builtin_inff());
    Vec floor_ = broadcast(-__builtin_inff());
    Weigh weigh_;
};

template <typename Weigh, bool kExpects, typename T>
RoughMass rough_mass_of(float* maxima, const T* logits, int64_t n, double rate, const Expected& expected) {
    constexpr int64_t kStep = 4 * kChunk;
    RoughRow<Weigh, kExpects> row(rate, expected);
    int64_t begin = 0;
    for (; begin + kStep <= n; begin += kStep) row.add(maxima + begin / kChunk, logits + begin, begin / kChunk);
    if (begin < n) {
        float rest[kStep], largest_of_rest[4];
        for (int64_t i = 0; i < kStep; ++i) rest[i] = begin + i < n ? to_float(logits[begin + i]) : -__builtin_inff();
        row.add(largest_of_rest, rest, begin / kChunk);
        for (int64_t i = 0; begin + i * kChunk < n; ++i) maxima[begin / kChunk + i] = largest_of_rest[i];
    }
    return row.mass();
}

template <typename T>
RoughMass rough_mass_of(float* maxima, const T* logits, bool tight, int64_t n, double rate, const Expected& expected) {
    return !tight            ? rough_mass_of<LooseWeigh, false>(maxima, logits, n, rate, expected)
           : expected.id < 0 ? rough_mass_of<TightWeigh, false>(maxima, logits, n, rate, expected)
                             : rough_mass_of<TightWeigh, true>(maxima, logits, n, rate, expected);
}

RoughMass rough_mass(float* maxima, const void* logits, int32_t dtype, bool tight, int64_t n, double rate,
                     const Expected& expected) {
    return dtype == CT_BF16 ? rough_mass_of(maxima, static_cast<const bf16*>(logits), tight, n, rate, expected)
                            : rough_mass_of(maxima, static_cast<const float*>(logits), tight, n, rate, expected);
}

}  // namespace
}  // namespace ct
