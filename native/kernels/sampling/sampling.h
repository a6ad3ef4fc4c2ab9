// sampling.h: the passes over the vocabulary, the draw of one row, and its random number.
#pragma once

#include "core/core.h"

namespace ct {

inline constexpr int64_t kChunk = 64;  // logits that share one maximum

// Logits that share one sum: few enough for a float32 sum that loses nothing, doubles above it.
inline constexpr int64_t kPiece = 1024;

// A slot of the state, in words: kSlotHead (number of distinct tokens, mu as float bits), the tokens' counts (bit 31: in the
// prompt), the list of the distinct tokens.
inline constexpr int64_t kSlotHead = 16;
CT_HOST_DEVICE inline int64_t padded_vocab(int64_t vocab_size) { return (vocab_size + 15) / 16 * 16; }
CT_HOST_DEVICE inline int64_t slot_words(int64_t vocab_size) { return kSlotHead + 2 * padded_vocab(vocab_size); }

// Passes over n logits; the sums are made in a fixed order.
struct SamplingPasses {
    // Largest logit of every chunk; false if there is a NaN or a +inf.
    bool (*chunk_maxima)(float* maxima, const float* logits, int64_t n);
    // weights[i] = exp((logits[i] - shift) * factor), 0 below floor and for -inf; sums has one a piece. Both nullable.
    // Returns the whole sum.
    double (*weigh)(float* weights, double* sums, const float* logits, int64_t n, float shift, float factor,
                    float floor);
    // Sums, one a piece, of the weights of the tokens above `value`, and at it up to the id `last`. Returns their sum.
    double (*sum_kept)(double* sums, const float* weights, const float* logits, int64_t n, float value, int64_t last);
    // Keys, by id, of the tokens in [low, high); returns their number and adds the weights of those above to *above.
    int64_t (*between)(uint64_t* keys, double* above, const float* weights, const float* logits, int64_t n, float low,
                       float high);
    // 1 + the tokens before `token` in (logit descending, id ascending); maxima as chunk_maxima gives them.
    int64_t (*rank)(const float* logits, const float* maxima, int64_t n, int64_t token);
};

extern const SamplingPasses kSamplingScalar;
extern const SamplingPasses kSamplingAvx2;
extern const SamplingPasses kSamplingAvx512;

// A token in the total order: the larger key comes first. -0 and +0 are the same logit.
CT_HOST_DEVICE [[gnu::always_inline]] inline uint64_t order_key(float logit, int64_t id) {
    float value = logit + 0.0f;
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    bits ^= bits >> 31 ? 0xffffffffu : 0x80000000u;
    return uint64_t{bits} << 32 | (UINT32_MAX - static_cast<uint32_t>(id));
}
CT_HOST_DEVICE [[gnu::always_inline]] inline int64_t key_id(uint64_t key) {
    return UINT32_MAX - static_cast<uint32_t>(key);
}

// Philox4x32-10 (Salmon et al. 2011): encrypts the counter in place.
CT_HOST_DEVICE [[gnu::always_inline]] inline void philox4x32(uint32_t (&counter)[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
        uint64_t a = uint64_t{0xD2511F53u} * counter[0];
        uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
        uint32_t c1 = counter[1];
        uint32_t c3 = counter[3];
        counter[0] = static_cast<uint32_t>(b >> 32) ^ c1 ^ key0;
        counter[1] = static_cast<uint32_t>(b);
        counter[2] = static_cast<uint32_t>(a >> 32) ^ c3 ^ key1;
        counter[3] = static_cast<uint32_t>(a);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

// The row's random number in (0, 1): counter (position, tag of this use, 0), key seed.
CT_HOST_DEVICE [[gnu::always_inline]] inline double uniform_of(int64_t seed, int64_t position) {
    constexpr uint32_t kTag = 0x73616d70;  // "samp": other uses of the same seed and position draw other numbers
    auto key = static_cast<uint64_t>(seed);
    auto at = static_cast<uint64_t>(position);
    uint32_t counter[4] = {static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), kTag, 0};
    philox4x32(counter, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
    uint64_t bits = (uint64_t{counter[1]} << 32 | counter[0]) >> 12;
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

struct DrawOptions {
    float temperature;
    int32_t top_k;
    float top_p;
    float min_p;
    double uniform;
};

// Memory of one row's draw, in the thread's scratch.
struct DrawMemory {
    float* maxima;   // one a chunk
    float* spare;    // one a chunk
    float* weights;  // one a token
    double* sums;    // one a piece
    uint64_t* keys;  // one a token
};

// The first `count` tokens of the order (fewer if fewer are above -inf) into keys, in order; returns their number.
int64_t first_tokens(uint64_t* keys, const float* logits, int64_t n, const float* maxima, float* spare, int64_t count);

// Draws from finite logits, the largest of which is `largest`. *sum_exp: the sum of exp(logits[i] - largest) where the
// draw has made it, else unchanged.
int64_t draw(const SamplingPasses& passes, const DrawMemory& memory, const float* logits, int64_t n, float largest,
             const DrawOptions& options, double* sum_exp);

}  // namespace ct
