// sampling_passes.h: the passes over the vocabulary, for the instruction set of the including file.
#pragma once

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

// Tokens that were found in a piece of a row, until they become keys: not at once, since a load that is wider than the
// stores before it waits for them.
constexpr int64_t kPiece = 16 * kChunk;
struct Found {
    alignas(64) float logits[kPiece + kLanes];
    alignas(64) int32_t ids[kPiece + kLanes];
};

#if defined(__AVX512F__)

// Those of [low, high] of a chunk of n logits, behind `size` others: no branch on which they are. Returns their number.
template <typename T>
int64_t find_in_chunk(Found& found, int64_t size, const T* logits, int64_t begin, int64_t n, float low, float high) {
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    auto find = [&](Vec v, int64_t i, __mmask16 there) {
        const __mmask16 in = _mm512_mask_cmp_ps_mask(_mm512_mask_cmp_ps_mask(there, v.v, broadcast(low).v, _CMP_GE_OQ),
                                                     v.v, broadcast(high).v, _CMP_LE_OQ);
        const __m512i id = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int32_t>(begin + i)), steps);
        _mm512_storeu_ps(found.logits + size, _mm512_maskz_compress_ps(in, v.v));
        _mm512_storeu_si512(found.ids + size, _mm512_maskz_compress_epi32(in, id));
        size += __builtin_popcount(in);
    };
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) find(load(logits + begin + i), i, first_lanes(kLanes));
    if (i < n) find(load(logits + begin + i, n - i), i, first_lanes(n - i));
    return size;
}

void write_keys(uint64_t* keys, const Found& found, int64_t size, const KeyCode& code) {
    const __m128i id_bits = _mm_cvtsi32_si128(code.id_bits);
    for (int64_t i = 0; i < size; i += 8) {
        const __m256i bits = _mm256_castps_si256(_mm256_add_ps(_mm256_load_ps(found.logits + i), _mm256_setzero_ps()));
        const __m256i flips = _mm256_or_si256(_mm256_srai_epi32(bits, 31), _mm256_set1_epi32(INT32_MIN));
        const __m512i ordered = _mm512_cvtepu32_epi64(_mm256_xor_si256(bits, flips));
        const __m512i id = _mm512_cvtepu32_epi64(_mm256_load_si256(reinterpret_cast<const __m256i*>(found.ids + i)));
        const __m512i places = _mm512_sub_epi64(_mm512_set1_epi64(code.size - 1), id);
        const int64_t there = size - i < 8 ? size - i : 8;
        _mm512_mask_storeu_epi64(keys + i, static_cast<__mmask8>(first_lanes(there)),
                                 _mm512_or_si512(_mm512_sll_epi64(ordered, id_bits), places));
    }
}

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

#elif defined(__AVX2__)

// The numbers of the bits of a byte, in a byte each.
struct BitNumbers {
    uint64_t of[256] = {};
    constexpr BitNumbers() {
        for (int byte = 0; byte < 256; ++byte) {
            int found = 0;
            for (uint64_t bit = 0; bit < 8; ++bit) {
                if (byte >> bit & 1) of[byte] |= bit << 8 * found++;
            }
        }
    }
};
constexpr BitNumbers kBitNumbers;

// As with AVX-512, which has the instruction that brings some lanes to the front.
template <typename T>
int64_t find_in_chunk(Found& found, int64_t size, const T* logits, int64_t begin, int64_t n, float low, float high) {
    const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Vec v = load(logits + begin + i);
        const __m256 is_in = _mm256_and_ps(_mm256_cmp_ps(v.v, broadcast(low).v, _CMP_GE_OQ),
                                           _mm256_cmp_ps(v.v, broadcast(high).v, _CMP_LE_OQ));
        const auto in = static_cast<uint32_t>(_mm256_movemask_ps(is_in));
        const __m256i to_front = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(kBitNumbers.of[in])));
        const __m256i id = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int32_t>(begin + i)), steps);
        _mm256_storeu_ps(found.logits + size, _mm256_permutevar8x32_ps(v.v, to_front));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(found.ids + size), _mm256_permutevar8x32_epi32(id, to_front));
        size += __builtin_popcount(in);
    }
    for (; i < n; ++i) {
        const float logit = to_float(logits[begin + i]);
        found.logits[size] = logit;
        found.ids[size] = static_cast<int32_t>(begin + i);
        size += logit >= low && logit <= high;
    }
    return size;
}

void write_keys(uint64_t* keys, const Found& found, int64_t size, const KeyCode& code) {
    const __m128i id_bits = _mm_cvtsi32_si128(code.id_bits);
    int64_t i = 0;
    for (; i + 4 <= size; i += 4) {
        const __m128i bits = _mm_castps_si128(_mm_add_ps(_mm_load_ps(found.logits + i), _mm_setzero_ps()));
        const __m128i flips = _mm_or_si128(_mm_srai_epi32(bits, 31), _mm_set1_epi32(INT32_MIN));
        const __m256i ordered = _mm256_cvtepu32_epi64(_mm_xor_si128(bits, flips));
        const __m256i id = _mm256_cvtepu32_epi64(_mm_load_si128(reinterpret_cast<const __m128i*>(found.ids + i)));
        const __m256i places = _mm256_sub_epi64(_mm256_set1_epi64x(code.size - 1), id);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(keys + i),
                            _mm256_or_si256(_mm256_sll_epi64(ordered, id_bits), places));
    }
    for (; i < size; ++i) keys[i] = code.key(found.logits[i], found.ids[i]);
}

#else

template <typename T>
int64_t find_in_chunk(Found& found, int64_t size, const T* logits, int64_t begin, int64_t n, float low, float high) {
    for (int64_t i = begin; i < begin + n; ++i) {
        const float logit = to_float(logits[i]);
        found.logits[size] = logit;
        found.ids[size] = static_cast<int32_t>(i);
        size += logit >= low && logit <= high;
    }
    return size;
}

void write_keys(uint64_t* keys, const Found& found, int64_t size, const KeyCode& code) {
    for (int64_t i = 0; i < size; ++i) keys[i] = code.key(found.logits[i], found.ids[i]);
}

#endif

#if !defined(__AVX512F__)

void logits_of(float* logits, const uint64_t* keys, int64_t n, const KeyCode& code) {
    for (int64_t i = 0; i < n; ++i) logits[i] = code.logit(keys[i]);
}

#endif

void weigh(uint64_t* weights, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher) {
    const WeightLanes lanes(weigher);
    float logits[kChunk] = {};
    uint64_t found[kChunk];
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t size = n - begin < kChunk ? n - begin : kChunk;
        logits_of(logits, keys + begin, size, code);
        for (int64_t i = 0; i < size; i += WeightLanes::kCount) {
            WeightLanes::store(found + i, lanes.weights(logits + i));
        }
        std::memcpy(weights + begin, found, static_cast<size_t>(size) * sizeof(uint64_t));
    }
}

void add_masses(uint64_t* masses, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher,
                const Buckets& buckets) {
    const WeightLanes lanes(weigher);
    float logits[kChunk] = {};
    uint64_t weights[kChunk];
    int32_t places[kChunk];
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        const int64_t size = n - begin < kChunk ? n - begin : kChunk;
        logits_of(logits, keys + begin, size, code);
        for (int64_t i = 0; i < size; i += WeightLanes::kCount) {
            WeightLanes::store(weights + i, lanes.weights(logits + i));
            WeightLanes::buckets(places + i, logits + i, buckets);
        }
        for (int64_t i = 0; i < size; ++i) masses[places[i]] += weights[i];
    }
}

// Bit i: the i-th of n maxima reaches low.
uint32_t reaching(const float* maxima, int64_t n, float low) {
    uint32_t bits = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) bits |= not_less(load(maxima + i), broadcast(low)) << i;
    for (; i < n; ++i) bits |= uint32_t{maxima[i] >= low} << i;
    return bits;
}

template <typename T>
int64_t gather_of(uint64_t* keys, const T* logits, const float* maxima, int64_t n, const KeyCode& code, float low,
                  float high) {
    Found found;
    int64_t size = 0;
    for (int64_t piece = 0; piece < n; piece += kPiece) {
        const int64_t end = n - piece < kPiece ? n : piece + kPiece;
        int64_t more = 0;
        for (uint32_t chunks = reaching(maxima + piece / kChunk, (end - piece + kChunk - 1) / kChunk, low); chunks != 0;
             chunks &= chunks - 1) {
            const int64_t begin = piece + __builtin_ctz(chunks) * kChunk;
            more = find_in_chunk(found, more, logits, begin, end - begin < kChunk ? end - begin : kChunk, low, high);
        }
        write_keys(keys + size, found, more, code);
        size += more;
    }
    return size;
}

int64_t gather(uint64_t* keys, const float* logits, const float* maxima, int64_t n, const KeyCode& code, float low,
               float high) {
    return gather_of(keys, logits, maxima, n, code, low, high);
}
int64_t gather_bf16(uint64_t* keys, const bf16* logits, const float* maxima, int64_t n, const KeyCode& code, float low,
                    float high) {
    return gather_of(keys, logits, maxima, n, code, low, high);
}

void mask(float* logits, const int32_t* mask, int64_t n) {
    for (int64_t begin = 0; begin < n; begin += 32) {
        const auto word = static_cast<uint32_t>(mask[begin / 32]);
        const int64_t size = n - begin < 32 ? n - begin : 32;
        if (word == UINT32_MAX) continue;
        for (int64_t i = 0; i < size; ++i) logits[begin + i] = word >> i & 1 ? logits[begin + i] : -kInfinity;
    }
}

constexpr SamplingPasses kPasses{chunk_maxima, chunk_maxima_bf16, rough_mass, largest_of, mass,        masses,
                                 weigh,        add_masses,        count,      gather,     gather_bf16, mask,
                                 begin_rest,   subtract_rest};

}  // namespace
}  // namespace ct
