// sampling_passes.h: the passes over the vocabulary, for the instruction set of the including file.
#pragma once

#include "kernels/sampling/gather_passes.h"
#include "kernels/sampling/rest_passes.h"
#include "kernels/sampling/rough_mass.h"
#include "kernels/sampling/weight_lanes.h"

namespace ct {
namespace {

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

float largest_of(const float* values, int64_t n) {
    Vec best = broadcast(-kInfinity);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) best = max(load(values + i), best);
    float found = largest(best);
    for (; i < n; ++i) found = values[i] > found ? values[i] : found;
    return found;
}

int64_t count_from(const float* values, int64_t n, float least) {
    int64_t sum = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) sum += __builtin_popcount(not_less(load(values + i), broadcast(least)));
    for (; i < n; ++i) sum += values[i] >= least;
    return sum;
}

uint64_t mass(const float* logits, const float* maxima, int64_t n, const Weigher& weigher, float low, float high) {
    const WeightLanes lanes(weigher);
    auto sum = WeightLanes::zero();
    auto add = [&](const float* at) { sum = lanes.add_in(sum, load(at), low, high); };
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        if (maxima[begin / kChunk] < low) continue;
        const int64_t end = n - begin < kChunk ? n : begin + kChunk;
        int64_t i = begin;
        for (; i + WeightLanes::kCount <= end; i += WeightLanes::kCount) add(logits + i);
        if (i < end) {
            float rest[WeightLanes::kCount];
            for (int64_t j = 0; j < WeightLanes::kCount; ++j) rest[j] = i + j < end ? logits[i + j] : -kInfinity;
            add(rest);
        }
    }
    return WeightLanes::total(sum);
}

template <bool kSplits, typename T>
Masses masses_of(const T* logits, const float* maxima, int64_t n, const Weigher& weigher, float split) {
    const WeightLanes lanes(weigher);
    const float least = least_weighty(weigher);
    auto all = WeightLanes::zero();
    auto above = WeightLanes::zero();
    auto add = [&](Vec v) {
        const auto weights = lanes.weights(v);
        all = WeightLanes::add(all, weights);
        if constexpr (kSplits) above = WeightLanes::add(above, WeightLanes::where_greater(weights, v, split));
    };
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        if (maxima[begin / kChunk] < least) continue;
        const int64_t end = n - begin < kChunk ? n : begin + kChunk;
        int64_t i = begin;
        for (; i + kLanes <= end; i += kLanes) add(load(logits + i));
        if (i < end) {
            float rest[kLanes];
            for (int64_t j = 0; j < kLanes; ++j) rest[j] = i + j < end ? to_float(logits[i + j]) : -kInfinity;
            add(load(rest));
        }
    }
    return {WeightLanes::total(all), WeightLanes::total(above)};
}

template <typename T>
Masses masses_of(const void* logits, const float* maxima, int64_t n, const Weigher& weigher, float split) {
    const auto* at = static_cast<const T*>(logits);
    return split == FLT_MAX ? masses_of<false>(at, maxima, n, weigher, split)
                            : masses_of<true>(at, maxima, n, weigher, split);
}

Masses masses(const void* logits, int32_t dtype, const float* maxima, int64_t n, const Weigher& weigher, float split) {
    return dtype == CT_BF16 ? masses_of<bf16>(logits, maxima, n, weigher, split)
                            : masses_of<float>(logits, maxima, n, weigher, split);
}

int64_t count(const float* logits, const float* maxima, int64_t begin, int64_t end, float low, float high) {
    int64_t sum = 0;
    while (begin < end) {
        const int64_t next = (begin / kChunk + 1) * kChunk < end ? (begin / kChunk + 1) * kChunk : end;
        int64_t i = maxima[begin / kChunk] < low ? next : begin;
        for (; i + kLanes <= next; i += kLanes) {
            const Vec v = load(logits + i);
            sum += __builtin_popcount(not_less(v, broadcast(low)) & not_less(broadcast(high), v));
        }
        for (; i < next; ++i) sum += logits[i] >= low && logits[i] <= high;
        begin = next;
    }
    return sum;
}

#if defined(__AVX512F__)

void logits_of(float* logits, const uint64_t* keys, int64_t n, const KeyCode& code) {
    const __m128i id_bits = _mm_cvtsi32_si128(code.id_bits);
    for (int64_t i = 0; i < n; i += 8) {
        const auto there = static_cast<__mmask8>(first_lanes(n - i < 8 ? n - i : 8));
        const __m512i key = _mm512_maskz_loadu_epi64(there, keys + i);
        const __m256i ordered = _mm512_cvtepi64_epi32(_mm512_srl_epi64(key, id_bits));
        const __m256i flips =
            _mm256_or_si256(_mm256_cmpgt_epi32(ordered, _mm256_set1_epi32(-1)), _mm256_set1_epi32(INT32_MIN));
        _mm256_storeu_ps(logits + i, _mm256_castsi256_ps(_mm256_xor_si256(ordered, flips)));
    }
}

#else

void logits_of(float* logits, const uint64_t* keys, int64_t n, const KeyCode& code) {
    for (int64_t i = 0; i < n; ++i) logits[i] = code.logit(keys[i]);
}

#endif

// body(begin, size, logits, weights) for a chunk of keys after the other.
template <typename Body>
void each_weighed(const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher, const Body& body) {
    const WeightLanes lanes(weigher);
    float logits[kChunk] = {};
    uint64_t weights[kChunk];
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t size = n - begin < kChunk ? n - begin : kChunk;
        logits_of(logits, keys + begin, size, code);
        for (int64_t i = 0; i < size; i += WeightLanes::kCount) {
            WeightLanes::store(weights + i, lanes.weights(logits + i));
        }
        body(begin, size, logits, weights);
    }
}

void weigh(uint64_t* weights, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher) {
    each_weighed(keys, n, code, weigher, [&](int64_t begin, int64_t size, const float*, const uint64_t* found) {
        for (int64_t i = 0; i < size; ++i) weights[begin + i] = found[i];
    });
}

void add_masses(uint64_t* masses, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher,
                const Buckets& buckets) {
    each_weighed(keys, n, code, weigher, [&](int64_t, int64_t size, const float* logits, const uint64_t* weights) {
        int32_t places[kChunk];
        for (int64_t i = 0; i < size; i += WeightLanes::kCount) WeightLanes::buckets(places + i, logits + i, buckets);
        for (int64_t i = 0; i < size; ++i) masses[places[i]] += weights[i];
    });
}

void mask(float* logits, const int32_t* mask, int64_t n) {
    for (int64_t begin = 0; begin < n; begin += 32) {
        const auto word = static_cast<uint32_t>(mask[begin / 32]);
        const int64_t size = n - begin < 32 ? n - begin : 32;
        if (word == UINT32_MAX) continue;
        for (int64_t i = 0; i < size; ++i) logits[begin + i] = word >> i & 1 ? logits[begin + i] : -kInfinity;
    }
}

constexpr SamplingPasses kPasses{chunk_maxima, chunk_maxima_bf16, rough_mass, largest_of, count_from,  mass, masses,
                                 weigh,        add_masses,        count,      gather,     gather_bf16, mask, begin_rest,
                                 subtract_rest};

}  // namespace
}  // namespace ct
