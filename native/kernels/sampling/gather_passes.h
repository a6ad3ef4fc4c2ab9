// gather_passes.h: the tokens of a row whose logits lie in a range, as keys, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/sampling/row.h"

namespace ct {
namespace {

// Tokens that were found in a piece of a row, until they become keys: not at once, since a load that is wider than the
// stores before it waits for them. A place is an id within the piece.
constexpr int64_t kPiece = 16 * kChunk;
template <typename T>
struct Found {
    alignas(64) float logits[kPiece + kLanes];
    alignas(64) int32_t places[kPiece + kLanes];
};
// A bf16 as a float32 leaves its lower half to the place.
template <>
struct Found<bf16> {
    alignas(64) int32_t words[kPiece + kLanes];
};

#if defined(__AVX512F__)

void put_some(Found<float>& found, int64_t size, __mmask16 which, Vec v, __m512i places) {
    _mm512_storeu_ps(found.logits + size, _mm512_maskz_compress_ps(which, v.v));
    _mm512_storeu_si512(found.places + size, _mm512_maskz_compress_epi32(which, places));
}
void put_some(Found<bf16>& found, int64_t size, __mmask16 which, Vec v, __m512i places) {
    const __m512i words = _mm512_or_si512(_mm512_castps_si512(v.v), places);
    _mm512_storeu_si512(found.words + size, _mm512_maskz_compress_epi32(which, words));
}

// Those in [low, high] of a chunk of n logits, the first of which has that place, behind `size` others: no branch on which
// they are. Returns their number.
template <typename T>
int64_t find_in_chunk(Found<T>& found, int64_t size, const T* logits, int64_t n, int64_t place, float low, float high) {
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for_lanes(n, [&](int64_t i, int64_t there) {
        const Vec v = load_lanes(logits + i, there);
        const __mmask16 which =
            _mm512_mask_cmp_ps_mask(_mm512_mask_cmp_ps_mask(first_lanes(there), v.v, broadcast(low).v, _CMP_GE_OQ), v.v,
                                    broadcast(high).v, _CMP_LE_OQ);
        put_some(found, size, which, v, _mm512_add_epi32(_mm512_set1_epi32(static_cast<int32_t>(place + i)), steps));
        size += __builtin_popcount(which);
    });
    return size;
}

constexpr int64_t kTaken = 8;
void take_some(__m256* logits, __m256i* places, const Found<float>& found, int64_t i) {
    *logits = _mm256_load_ps(found.logits + i);
    *places = _mm256_load_si256(reinterpret_cast<const __m256i*>(found.places + i));
}
void take_some(__m256* logits, __m256i* places, const Found<bf16>& found, int64_t i) {
    const __m256i words = _mm256_load_si256(reinterpret_cast<const __m256i*>(found.words + i));
    *logits = _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(INT32_C(-65536))));
    *places = _mm256_and_si256(words, _mm256_set1_epi32(0xffff));
}

// first: the id of place 0.
template <typename T>
void write_keys(uint64_t* keys, const Found<T>& found, int64_t size, int64_t first, const KeyCode& code) {
    const __m128i id_bits = _mm_cvtsi32_si128(code.id_bits);
    for (int64_t i = 0; i < size; i += kTaken) {
        __m256 logits;
        __m256i places;
        take_some(&logits, &places, found, i);
        const __m256i bits = _mm256_castps_si256(_mm256_add_ps(logits, _mm256_setzero_ps()));
        const __m256i flips = _mm256_or_si256(_mm256_srai_epi32(bits, 31), _mm256_set1_epi32(INT32_MIN));
        const __m512i ordered = _mm512_cvtepu32_epi64(_mm256_xor_si256(bits, flips));
        const __m512i behind =
            _mm512_sub_epi64(_mm512_set1_epi64(code.size - 1 - first), _mm512_cvtepu32_epi64(places));
        const int64_t there = size - i < kTaken ? size - i : kTaken;
        _mm512_mask_storeu_epi64(keys + i, static_cast<__mmask8>(first_lanes(there)),
                                 _mm512_or_si512(_mm512_sll_epi64(ordered, id_bits), behind));
    }
}

#else

void put_one(Found<float>& found, int64_t at, float logit, int64_t place) {
    found.logits[at] = logit;
    found.places[at] = static_cast<int32_t>(place);
}
void put_one(Found<bf16>& found, int64_t at, float logit, int64_t place) {
    found.words[at] = static_cast<int32_t>(float_bits(logit) | static_cast<uint32_t>(place));
}
uint64_t key_of_one(const Found<float>& found, int64_t at, int64_t first, const KeyCode& code) {
    return code.key(found.logits[at], first + found.places[at]);
}
uint64_t key_of_one(const Found<bf16>& found, int64_t at, int64_t first, const KeyCode& code) {
    const auto word = static_cast<uint32_t>(found.words[at]);
    return code.key(bits_float(word & 0xffff0000), first + static_cast<int64_t>(word & 0xffff));
}

#if defined(__AVX2__)

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

void put_some(Found<float>& found, int64_t size, __m256i to_front, Vec v, __m256i places) {
    _mm256_storeu_ps(found.logits + size, _mm256_permutevar8x32_ps(v.v, to_front));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(found.places + size), _mm256_permutevar8x32_epi32(places, to_front));
}
void put_some(Found<bf16>& found, int64_t size, __m256i to_front, Vec v, __m256i places) {
    const __m256i words = _mm256_or_si256(_mm256_castps_si256(v.v), places);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(found.words + size), _mm256_permutevar8x32_epi32(words, to_front));
}

// As with AVX-512, which has the instruction that brings some lanes to the front; of as many as fill lanes.
template <typename T>
int64_t find_in_lanes(Found<T>& found, int64_t size, const T* logits, int64_t n, int64_t place, float low, float high) {
    const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int64_t i = 0; i + kLanes <= n; i += kLanes) {
        const Vec v = load(logits + i);
        const uint32_t which = not_less(v, broadcast(low)) & not_less(broadcast(high), v);
        const __m256i to_front = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(kBitNumbers.of[which])));
        put_some(found, size, to_front, v, _mm256_add_epi32(_mm256_set1_epi32(static_cast<int32_t>(place + i)), steps));
        size += __builtin_popcount(which);
    }
    return size;
}

constexpr int64_t kTaken = 4;
void take_some(__m128* logits, __m128i* places, const Found<float>& found, int64_t i) {
    *logits = _mm_load_ps(found.logits + i);
    *places = _mm_load_si128(reinterpret_cast<const __m128i*>(found.places + i));
}
void take_some(__m128* logits, __m128i* places, const Found<bf16>& found, int64_t i) {
    const __m128i words = _mm_load_si128(reinterpret_cast<const __m128i*>(found.words + i));
    *logits = _mm_castsi128_ps(_mm_and_si128(words, _mm_set1_epi32(INT32_C(-65536))));
    *places = _mm_and_si128(words, _mm_set1_epi32(0xffff));
}

// Of as many as fill lanes; gives their number.
template <typename T>
int64_t write_some_keys(uint64_t* keys, const Found<T>& found, int64_t size, int64_t first, const KeyCode& code) {
    const __m128i id_bits = _mm_cvtsi32_si128(code.id_bits);
    int64_t i = 0;
    for (; i + kTaken <= size; i += kTaken) {
        __m128 logits;
        __m128i places;
        take_some(&logits, &places, found, i);
        const __m128i bits = _mm_castps_si128(_mm_add_ps(logits, _mm_setzero_ps()));
        const __m128i flips = _mm_or_si128(_mm_srai_epi32(bits, 31), _mm_set1_epi32(INT32_MIN));
        const __m256i ordered = _mm256_cvtepu32_epi64(_mm_xor_si128(bits, flips));
        const __m256i behind =
            _mm256_sub_epi64(_mm256_set1_epi64x(code.size - 1 - first), _mm256_cvtepu32_epi64(places));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(keys + i),
                            _mm256_or_si256(_mm256_sll_epi64(ordered, id_bits), behind));
    }
    return i;
}

#else

template <typename T>
int64_t find_in_lanes(Found<T>&, int64_t size, const T*, int64_t, int64_t, float, float) {
    return size;
}
template <typename T>
int64_t write_some_keys(uint64_t*, const Found<T>&, int64_t, int64_t, const KeyCode&) {
    return 0;
}

#endif

template <typename T>
int64_t find_in_chunk(Found<T>& found, int64_t size, const T* logits, int64_t n, int64_t place, float low, float high) {
    constexpr int64_t kAtOnce = kLanes > 1 ? kLanes : kChunk + 1;  // none at once with plain C++
    size = find_in_lanes(found, size, logits, n, place, low, high);
    for (int64_t i = n / kAtOnce * kAtOnce; i < n; ++i) {
        const float logit = to_float(logits[i]);
        put_one(found, size, logit, place + i);
        size += logit >= low && logit <= high;
    }
    return size;
}

template <typename T>
void write_keys(uint64_t* keys, const Found<T>& found, int64_t size, int64_t first, const KeyCode& code) {
    for (int64_t i = write_some_keys(keys, found, size, first, code); i < size; ++i) {
        keys[i] = key_of_one(found, i, first, code);
    }
}

#endif

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
    Found<T> found;
    int64_t size = 0;
    for (int64_t piece = 0; piece < n; piece += kPiece) {
        const int64_t end = n - piece < kPiece ? n : piece + kPiece;
        int64_t more = 0;
        for (uint32_t chunks = reaching(maxima + piece / kChunk, (end - piece + kChunk - 1) / kChunk, low); chunks != 0;
             chunks &= chunks - 1) {
            const int64_t begin = piece + __builtin_ctz(chunks) * kChunk;
            const int64_t length = end - begin < kChunk ? end - begin : kChunk;
            more = find_in_chunk(found, more, logits + begin, length, begin - piece, low, high);
        }
        write_keys(keys + size, found, more, piece, code);
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

}  // namespace
}  // namespace ct
