// rough_mass.h: the largest logit of every chunk and, in the same look at the row, about what all of it weighs. Whoever asks
// whether a coin is below a share learns it from that in all but few cases; row_bounds.cpp says how far off it can be.
//
// Floor: one read of the row. On top of it (8 lanes of AVX2, cycles of one port aside) 3 operations for the maximum and the
// NaNs, 5 for a loose weight, 13 for a tight one, against 38 for an exact one.
#pragma once

#include "core/vec.h"
#include "kernels/sampling/row.h"

namespace ct {
namespace {

constexpr int64_t kChunkVecs = kChunk / kLanes;

// 2^n * p, where z = n + 1.5 * 2^23 as a float32 and p in (1/2, 2); and the float32 whose bits are a whole number.
#if defined(__AVX512F__)
inline Vec times_power(Vec p, Vec z) {
    return {_mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(p.v), _mm512_slli_epi32(_mm512_castps_si512(z.v), 23)))};
}
inline Vec float_of_bits(Vec bits) { return {_mm512_castsi512_ps(_mm512_cvtps_epi32(bits.v))}; }
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
inline void load_pair(Vec& a, Vec& b, const bf16* at) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    a.v = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
    b.v = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(INT32_C(-65536))));
}
#else
inline Vec times_power(Vec p, Vec z) { return {bits_float(float_bits(p.v) + (float_bits(z.v) << 23))}; }
inline Vec float_of_bits(Vec bits) { return {bits_float(static_cast<uint32_t>(bits.v))}; }
inline void load_pair(Vec& a, Vec& b, const bf16* at) {
    a = load(at);
    b = load(at + 1);
}
#endif
inline void load_pair(Vec& a, Vec& b, const float* at) {
    a = load(at);
    b = load(at + kLanes);
}

// The logits of a chunk, in some order.
struct ChunkVecs {
    Vec v[kChunkVecs];

    template <typename T>
    explicit ChunkVecs(const T* at) {
        for (int64_t i = 0; i < kChunkVecs; i += 2) load_pair(v[i], v[i + 1], at + i * kLanes);
    }

    // +inf where one is a NaN or +inf.
    float largest_logit() const {
        Vec best = v[0];
        Vec all = v[0];
        for (int64_t i = 1; i < kChunkVecs; ++i) {
            best = max(v[i], best);
            all = all + v[i];
        }
        // The sum of a NaN or of both infinities is a NaN; finite logits may add up to both infinities too.
        if (not_less(all, all) != (1u << kLanes) - 1) return slow_largest();
        return largest(best);
    }
    float slow_largest() const {
        float found = -__builtin_inff();
        float lanes[kLanes];
        for (int64_t i = 0; i < kChunkVecs; ++i) {
            store(lanes, v[i]);
            for (float lane : lanes) {
                if (!(lane < __builtin_inff())) return __builtin_inff();
                found = lane > found ? lane : found;
            }
        }
        return found;
    }

    // In pairs, so that no weight goes through more than log2(kChunk) sums.
    template <typename Weigh>
    float sum_of(const Weigh& weigh) const {
        Vec sums[kChunkVecs];
        for (int64_t i = 0; i < kChunkVecs; ++i) sums[i] = weigh(v[i]);
        for (int64_t half = kChunkVecs / 2; half > 0; half /= 2) {
            for (int64_t i = 0; i < half; ++i) sums[i] = sums[i] + sums[i + half];
        }
        return sum(sums[0]);
    }
};

// 2^t by a float32 whose exponent and fraction are t: (1 + f) / 2^f times too much, at most kLooseExcess.
struct LooseWeigh {
    Vec from, rate;
    Vec operator()(Vec v) const {
        const Vec bits = fma(v - from, rate * broadcast(0x1p23f), broadcast(127 * 0x1p23f));
        return float_of_bits(max(bits, broadcast(0)));
    }
};

// 2^t by a polynomial over [-1/2, 1/2] that is right to 7.5e-8, and with its roundings to 3e-7.
struct TightWeigh {
    Vec from, rate;
    Vec operator()(Vec v) const {
        const Vec t = max((v - from) * rate, broadcast(-126));
        const Vec z = t + broadcast(0x1.8p23f);
        const Vec f = t - (z - broadcast(0x1.8p23f));
        Vec p = broadcast(0.00132764725f);
        p = fma(p, f, broadcast(0.00967554189f));
        p = fma(p, f, broadcast(0.0555071309f));
        p = fma(p, f, broadcast(0.240221202f));
        p = fma(p, f, broadcast(0.693146944f));
        p = fma(p, f, broadcast(1.00000012f));
        return times_power(p, z);
    }
};

template <typename Weigh, typename T>
RoughMass rough_mass_of(float* maxima, const T* logits, int64_t n, double rate) {
    const auto narrow_rate = static_cast<float>(rate);
    RoughMass rough{0, -__builtin_inff()};
    Weigh weigh{broadcast(0), broadcast(narrow_rate)};
    auto add = [&](const ChunkVecs& chunk, float* maximum) {
        const float largest_logit = *maximum = chunk.largest_logit();
        if (!((largest_logit - rough.from) * narrow_rate < kRoughReach)) {
            if (!(largest_logit >= -FLT_MAX && largest_logit <= FLT_MAX)) return;
            const double depth = static_cast<double>(rough.from) - static_cast<double>(largest_logit);
            rough.sum = rough.sum > 0 ? rough.sum * std::exp2(depth * rate) : 0;
            rough.from = largest_logit;
            weigh.from = broadcast(largest_logit);
        }
        rough.sum += static_cast<double>(chunk.sum_of(weigh));
    };
    int64_t begin = 0;
    for (; begin + kChunk <= n; begin += kChunk) add(ChunkVecs(logits + begin), maxima + begin / kChunk);
    if (begin == n) return rough;
    float rest[kChunk];
    for (int64_t i = 0; i < kChunk; ++i) rest[i] = begin + i < n ? to_float(logits[begin + i]) : -__builtin_inff();
    add(ChunkVecs(rest), maxima + begin / kChunk);
    return rough;
}

RoughMass rough_mass(float* maxima, const void* logits, int32_t dtype, bool tight, int64_t n, double rate) {
    if (dtype == CT_BF16) {
        const auto* halves = static_cast<const bf16*>(logits);
        return tight ? rough_mass_of<TightWeigh>(maxima, halves, n, rate)
                     : rough_mass_of<LooseWeigh>(maxima, halves, n, rate);
    }
    const auto* floats = static_cast<const float*>(logits);
    return tight ? rough_mass_of<TightWeigh>(maxima, floats, n, rate)
                 : rough_mass_of<LooseWeigh>(maxima, floats, n, rate);
}

}  // namespace
}  // namespace ct
