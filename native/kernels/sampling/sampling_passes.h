// sampling_passes.h: the passes over the vocabulary, for the instruction set of the including file.
#pragma once

#include "kernels/sampling/weight_lanes.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();

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

uint64_t mass(const float* logits, const float* maxima, int64_t n, const Weigher& weigher, float low, float high) {
    const WeightLanes lanes(weigher);
    auto sum = WeightLanes::zero();
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        if (maxima[begin / kChunk] < low) continue;
        const int64_t end = n - begin < kChunk ? n : begin + kChunk;
        int64_t i = begin;
        for (; i + WeightLanes::kCount <= end; i += WeightLanes::kCount) {
            sum = lanes.add_in(sum, logits + i, low, high);
        }
        if (i < end) {
            float rest[WeightLanes::kCount];
            for (int64_t j = 0; j < WeightLanes::kCount; ++j) rest[j] = i + j < end ? logits[i + j] : -kInfinity;
            sum = lanes.add_in(sum, rest, low, high);
        }
    }
    return WeightLanes::total(sum);
}

void add_masses(uint64_t* masses, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher,
                const Buckets& buckets) {
    const WeightLanes lanes(weigher);
    float logits[kChunk] = {};
    uint64_t weights[kChunk];
    int32_t places[kChunk];
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t size = n - begin < kChunk ? n - begin : kChunk;
        for (int64_t i = 0; i < size; ++i) logits[i] = code.logit(keys[begin + i]);
        for (int64_t i = 0; i < size; i += WeightLanes::kCount) {
            WeightLanes::store(weights + i, lanes.weights(logits + i));
            WeightLanes::buckets(places + i, logits + i, buckets);
        }
        for (int64_t i = 0; i < size; ++i) masses[places[i]] += weights[i];
    }
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

// Appends the keys of the lanes in `in`, of the logits from id on.
int64_t append_keys(uint64_t* keys, int64_t size, const float* logits, int64_t id, uint32_t in, const KeyCode& code) {
#if defined(__AVX512F__)
    if (__builtin_popcount(in) > 2) {
        const __m512i bits = _mm512_castps_si512(_mm512_add_ps(_mm512_loadu_ps(logits + id), _mm512_setzero_ps()));
        const __m512i flips = _mm512_or_si512(_mm512_srai_epi32(bits, 31), _mm512_set1_epi32(INT32_MIN));
        const __m512i ordered = _mm512_xor_si512(bits, flips);
        const __m512i steps = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
        for (int half = 0; half < 2; ++half) {
            const __m256i eight = half ? _mm512_extracti64x4_epi64(ordered, 1) : _mm512_castsi512_si256(ordered);
            const __m512i places = _mm512_sub_epi64(_mm512_set1_epi64(code.size - 1 - id - 8 * half), steps);
            const __m512i all = _mm512_or_si512(
                _mm512_sll_epi64(_mm512_cvtepu32_epi64(eight), _mm_cvtsi32_si128(code.id_bits)), places);
            const auto mask = static_cast<__mmask8>(in >> 8 * half);
            // Writes eight: there are not more keys than logits up to here, so that all lie within the array.
            _mm512_storeu_si512(keys + size, _mm512_maskz_compress_epi64(mask, all));
            size += __builtin_popcount(mask);
        }
        return size;
    }
#endif
    for (; in != 0; in &= in - 1) {
        const int64_t at = id + __builtin_ctz(in);
        keys[size++] = code.key(logits[at], at);
    }
    return size;
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
            const uint32_t in = not_less(v, broadcast(low)) & not_less(broadcast(high), v);
            size = append_keys(keys, size, logits, i, in, code);
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

constexpr SamplingPasses kPasses{chunk_maxima, chunk_maxima_bf16, largest_of, mass, add_masses, count, gather, mask};

}  // namespace
}  // namespace ct
