// sampling_passes.h: the passes over the vocabulary, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/sampling/row.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();

// ---- weights of a few logits at a time: weight.h's arithmetic, lane by lane ------------------------------------------

#if defined(__AVX512F__)

class WeightLanes {
public:
    static constexpr int64_t kCount = 8;
    using Sum = __m512i;

    explicit WeightLanes(const Weigher& w)
        : top_(_mm512_set1_pd(w.top)), rate_(_mm512_set1_pd(w.rate)), id_bits_(_mm512_set1_epi64(w.id_bits)) {
        alignas(64) uint32_t steps[kWeightSteps];
        for (int i = 0; i < kWeightSteps; ++i) steps[i] = weight_step(i);
        low_steps_ = _mm512_load_si512(steps);
        high_steps_ = _mm512_load_si512(steps + 16);
    }

    static Sum zero() { return _mm512_setzero_si512(); }
    static Sum add(Sum a, Sum b) { return _mm512_add_epi64(a, b); }
    static uint64_t total(Sum a) { return static_cast<uint64_t>(_mm512_reduce_add_epi64(a)); }
    static void store(uint64_t* at, Sum a) { _mm512_storeu_si512(at, a); }

    Sum weights(const float* logits) const { return weights(_mm256_loadu_ps(logits)); }

    // Of the logits in [low, high]; others weigh 0.
    Sum weights_in(const float* logits, float low, float high) const {
        const __m256 v = _mm256_loadu_ps(logits);
        const __mmask8 in = _mm256_cmp_ps_mask(v, _mm256_set1_ps(low), _CMP_GE_OQ) &
                            _mm256_cmp_ps_mask(v, _mm256_set1_ps(high), _CMP_LE_OQ);
        return _mm512_maskz_mov_epi64(in, weights(v));
    }

private:
    Sum weights(__m256 v) const {
        const __m512d depth = _mm512_sub_pd(top_, _mm512_cvtps_pd(v));
        const __m512d t = _mm512_add_pd(_mm512_mul_pd(depth, rate_), _mm512_set1_pd(kExponentBase));
        // The second operand where the first is a NaN.
        const __m512i bits = _mm512_castpd_si512(_mm512_min_pd(t, _mm512_set1_pd(kExponentEnd)));
        const __m512i step = _mm512_permutex2var_epi32(low_steps_, _mm512_srli_epi64(bits, 27), high_steps_);
        const __m512i s = _mm512_slli_epi64(bits, 5);
        const __m512i c = _mm512_srli_epi64(_mm512_mul_epu32(_mm512_set1_epi64(kWeightC), s), 32);
        const __m512i u = _mm512_sub_epi64(_mm512_set1_epi64(kWeightB), c);
        const __m512i b = _mm512_srli_epi64(_mm512_mul_epu32(u, s), 39);
        const __m512i a = _mm512_sub_epi64(_mm512_set1_epi64(kWeightA), b);
        const __m512i off = _mm512_srli_epi64(_mm512_mul_epu32(a, s), 37);
        const __m512i power = _mm512_sub_epi64(_mm512_set1_epi64(int64_t{1} << 31), off);
        const __m512i whole = _mm512_and_si512(_mm512_srli_epi64(bits, 32), _mm512_set1_epi64(127));
        return _mm512_srlv_epi64(_mm512_mul_epu32(step, power), _mm512_add_epi64(whole, id_bits_));
    }

    __m512d top_, rate_;
    __m512i id_bits_, low_steps_, high_steps_;
};

#elif defined(__AVX2__)

class WeightLanes {
public:
    static constexpr int64_t kCount = 4;
    using Sum = __m256i;

    explicit WeightLanes(const Weigher& w)
        : top_(_mm256_set1_pd(w.top)), rate_(_mm256_set1_pd(w.rate)), id_bits_(_mm256_set1_epi64x(w.id_bits)) {
        for (int i = 0; i < kWeightSteps; ++i) steps_[i] = weight_step(i);
    }

    static Sum zero() { return _mm256_setzero_si256(); }
    static Sum add(Sum a, Sum b) { return _mm256_add_epi64(a, b); }
    static uint64_t total(Sum a) {
        alignas(32) uint64_t lanes[kCount];
        store(lanes, a);
        return lanes[0] + lanes[1] + lanes[2] + lanes[3];
    }
    static void store(uint64_t* at, Sum a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), a); }

    Sum weights(const float* logits) const { return weights(_mm_loadu_ps(logits)); }

    Sum weights_in(const float* logits, float low, float high) const {
        const __m128 v = _mm_loadu_ps(logits);
        const __m128 in = _mm_and_ps(_mm_cmpge_ps(v, _mm_set1_ps(low)), _mm_cmple_ps(v, _mm_set1_ps(high)));
        return _mm256_and_si256(_mm256_cvtepi32_epi64(_mm_castps_si128(in)), weights(v));
    }

private:
    Sum weights(__m128 v) const {
        const __m256d depth = _mm256_sub_pd(top_, _mm256_cvtps_pd(v));
        const __m256d t = _mm256_add_pd(_mm256_mul_pd(depth, rate_), _mm256_set1_pd(kExponentBase));
        const __m256i bits = _mm256_castpd_si256(_mm256_min_pd(t, _mm256_set1_pd(kExponentEnd)));
        const __m256i index = _mm256_and_si256(_mm256_srli_epi64(bits, 27), _mm256_set1_epi64x(kWeightSteps - 1));
        const __m256i step = _mm256_cvtepu32_epi64(
            _mm256_i64gather_epi32(reinterpret_cast<const int*>(steps_), index, sizeof(uint32_t)));
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
    __m256i id_bits_;
    uint32_t steps_[kWeightSteps];
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

    Sum weights(const float* logits) const { return w_.weight(w_.exponent(*logits), steps_); }
    Sum weights_in(const float* logits, float low, float high) const {
        return *logits >= low && *logits <= high ? weights(logits) : 0;
    }

private:
    Weigher w_;
    uint32_t steps_[kWeightSteps];
};

#endif

// ---- passes --------------------------------------------------------------------------------------------------------

template <typename T>
void chunk_maxima_of(float* maxima, float* copy, const T* logits, int64_t n) {
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t size = n - begin < kChunk ? n - begin : kChunk;
        Vec best = broadcast(-kInfinity);
        int64_t finite = 0;
        int64_t i = 0;
        for (; i + kLanes <= size; i += kLanes) {
            const Vec v = load(logits + begin + i);
            best = max(v, best);
            finite += count_greater(broadcast(kInfinity), v);
            if (copy) store(copy + begin + i, v);
        }
        float largest_logit = largest(best);
        for (; i < size; ++i) {
            const float v = to_float(logits[begin + i]);
            largest_logit = v > largest_logit ? v : largest_logit;
            finite += v < kInfinity;
            if (copy) copy[begin + i] = v;
        }
        maxima[begin / kChunk] = finite == size ? largest_logit : kInfinity;
    }
}

void chunk_maxima(float* maxima, float* copy, const float* logits, int64_t n) {
    chunk_maxima_of(maxima, copy, logits, n);
}
void chunk_maxima_bf16(float* maxima, float* copy, const bf16* logits, int64_t n) {
    chunk_maxima_of(maxima, copy, logits, n);
}

uint64_t mass(const float* logits, int64_t n, const Weigher& weigher, float low, float high) {
    const WeightLanes lanes(weigher);
    auto sum = WeightLanes::zero();
    int64_t i = 0;
    for (; i + WeightLanes::kCount <= n; i += WeightLanes::kCount) {
        sum = WeightLanes::add(sum, lanes.weights_in(logits + i, low, high));
    }
    if (i < n) {
        float rest[WeightLanes::kCount];
        for (int64_t j = 0; j < WeightLanes::kCount; ++j) rest[j] = i + j < n ? logits[i + j] : -kInfinity;
        sum = WeightLanes::add(sum, lanes.weights_in(rest, low, high));
    }
    return WeightLanes::total(sum);
}

void weights(uint64_t* weights, const float* logits, int64_t n, const Weigher& weigher) {
    const WeightLanes lanes(weigher);
    int64_t i = 0;
    for (; i + WeightLanes::kCount <= n; i += WeightLanes::kCount) {
        WeightLanes::store(weights + i, lanes.weights(logits + i));
    }
    if (i < n) {
        float rest[WeightLanes::kCount];
        uint64_t last[WeightLanes::kCount];
        for (int64_t j = 0; j < WeightLanes::kCount; ++j) rest[j] = i + j < n ? logits[i + j] : -kInfinity;
        WeightLanes::store(last, lanes.weights(rest));
        for (int64_t j = 0; i + j < n; ++j) weights[i + j] = last[j];
    }
}

int64_t count(const float* logits, int64_t n, float low, float high) {
    int64_t sum = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Vec v = load(logits + i);
        sum += __builtin_popcount(not_less(v, broadcast(low)) & not_less(broadcast(high), v));
    }
    for (; i < n; ++i) sum += logits[i] >= low && logits[i] <= high;
    return sum;
}

int64_t gather(uint64_t* keys, const float* logits, const float* maxima, int64_t n, const KeyCode& code, float low,
               float high) {
    int64_t size = 0;
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        if (maxima[begin / kChunk] < low) continue;
        const int64_t end = n - begin < kChunk ? n : begin + kChunk;
        int64_t i = begin;
        for (; i + kLanes <= end; i += kLanes) {
            const Vec v = load(logits + i);
            uint32_t in = not_less(v, broadcast(low)) & not_less(broadcast(high), v);
            for (; in != 0; in &= in - 1) {
                const int64_t id = i + __builtin_ctz(in);
                keys[size++] = code.key(logits[id], id);
            }
        }
        for (; i < end; ++i) {
            if (logits[i] >= low && logits[i] <= high) keys[size++] = code.key(logits[i], i);
        }
    }
    return size;
}

void mask(float* logits, const int32_t* mask, int64_t n) {
    for (int64_t begin = 0; begin < n; begin += 32) {
        const auto word = static_cast<uint32_t>(mask[begin / 32]);
        const int64_t size = n - begin < 32 ? n - begin : 32;
        if (word == UINT32_MAX) continue;
        for (int64_t i = 0; i < size; ++i) logits[begin + i] = word >> i & 1 ? logits[begin + i] : -kInfinity;
    }
}

constexpr SamplingPasses kPasses{chunk_maxima, chunk_maxima_bf16, mass, weights, count, gather, mask};

}  // namespace
}  // namespace ct
