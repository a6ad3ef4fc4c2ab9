// weight.h: the arithmetic of ct_sample that every device shares: the total order as keys, weights as integers, random
// numbers, edits of logits. No result depends on the order in which sums are made.
#pragma once

#include <cfloat>
#include <cmath>

#include "core/core.h"

namespace ct {

inline constexpr float kGreedyBelow = 1e-5f;
inline constexpr double kLog2E = 1.4426950408889634;
inline constexpr double kLn2 = 0.6931471805599453;

// ---- the order -----------------------------------------------------------------------------------------------------

// A logit's bits in ascending order. -0 and +0 are the same logit.
CT_HOST_DEVICE [[gnu::always_inline]] inline uint32_t ordered_bits(float logit) {
    const uint32_t bits = float_bits(logit + 0.0f);
    return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}
CT_HOST_DEVICE [[gnu::always_inline]] inline float ordered_float(uint32_t ordered) {
    return bits_float(ordered >> 31 ? ordered & 0x7fffffffu : ~ordered);
}

// A token as one number: its logit's bits above its id's complement, the larger first in the order.
struct KeyCode {
    int64_t size;
    int32_t id_bits;  // 2^id_bits >= size

    CT_HOST_DEVICE [[gnu::always_inline]] uint64_t key(float logit, int64_t id) const {
        return uint64_t{ordered_bits(logit)} << id_bits | static_cast<uint64_t>(size - 1 - id);
    }
    CT_HOST_DEVICE [[gnu::always_inline]] int64_t id(uint64_t key) const {
        return size - 1 - static_cast<int64_t>(key & ((uint64_t{1} << id_bits) - 1));
    }
    CT_HOST_DEVICE [[gnu::always_inline]] float logit(uint64_t key) const {
        return ordered_float(static_cast<uint32_t>(key >> id_bits));
    }
    // The first and the last that a token of this logit may have.
    CT_HOST_DEVICE [[gnu::always_inline]] uint64_t first_key(float logit) const {
        return key(logit, 0) | ((uint64_t{1} << id_bits) - 1);
    }
    CT_HOST_DEVICE [[gnu::always_inline]] uint64_t last_key(float logit) const {
        return uint64_t{ordered_bits(logit)} << id_bits;
    }
};

CT_HOST_DEVICE inline KeyCode key_code(int64_t size) {
    KeyCode code{size, 1};
    while (int64_t{1} << code.id_bits < size) ++code.id_bits;
    return code;
}

// Both ends belong to it.
struct KeyRange {
    uint64_t low, high;
    CT_HOST_DEVICE [[gnu::always_inline]] bool contains(uint64_t key) const { return key >= low && key <= high; }
};

// Every token above -inf.
CT_HOST_DEVICE inline KeyRange whole_range(const KeyCode& code) { return {code.last_key(-FLT_MAX), UINT64_MAX}; }

// ---- weights -------------------------------------------------------------------------------------------------------

inline constexpr int kWeightSteps = 32;

// 2^31 * 2^(-i / 32), rounded.
CT_HOST_DEVICE inline uint32_t weight_step(int i) {
    constexpr uint32_t kSteps[kWeightSteps] = {
        2147483648, 2101467502, 2056437387, 2012372174, 1969251188, 1927054196, 1885761398, 1845353420,
        1805811301, 1767116489, 1729250827, 1692196547, 1655936265, 1620452965, 1585730000, 1551751076,
        1518500250, 1485961921, 1454120821, 1422962010, 1392470869, 1362633090, 1333434672, 1304861917,
        1276901417, 1249540052, 1222764986, 1196563654, 1170923762, 1145833280, 1121280436, 1097253708};
    return kSteps[i];
}

// 2^(-s / 32) over s in [0, 1) is 1 - s (a - s (b - s c)), right to 3e-10: c and b in units of 2^-43, a of 2^-36.
inline constexpr uint32_t kWeightA = 1488522216;
inline constexpr uint32_t kWeightB = 2063484881;
inline constexpr uint32_t kWeightC = 14778834;

// Added to an exponent in [0, 128), leaves it in the low 52 bits of the double in units of 2^-32.
inline constexpr double kExponentBase = 0x1p20;
inline constexpr double kExponentEnd = 0x1p20 + 127;

// What turns logits into weights: 2^-t in units of 2^-(62 - id_bits), t = (top - logit) * rate.
struct Weigher {
    double top;
    double rate;  // log2(e) / temperature
    int32_t id_bits;

    // t in units of 2^-32; beyond 127 all weigh nothing. A logit of -inf at a rate of 0 gives a NaN, which does too.
    CT_HOST_DEVICE [[gnu::always_inline]] uint64_t exponent(float logit) const {
        const double t = (top - static_cast<double>(logit)) * rate + kExponentBase;
        const double bounded = t < kExponentEnd ? t : kExponentEnd;
        uint64_t bits;
        std::memcpy(&bits, &bounded, 8);
        return bits & ((uint64_t{1} << 52) - 1);
    }

    // steps: weight_step of every i, where the device reads it fast.
    CT_HOST_DEVICE [[gnu::always_inline]] uint64_t weight(uint64_t exponent, const uint32_t* steps) const {
        const auto fraction = static_cast<uint32_t>(exponent);
        const uint64_t s = fraction << 5;
        const uint64_t u = kWeightB - (kWeightC * s >> 32);
        const uint64_t v = kWeightA - (u * s >> 39);
        const uint64_t power = (uint64_t{1} << 31) - (v * s >> 37);
        const uint64_t shift = (exponent >> 32) + static_cast<uint64_t>(id_bits);
        return steps[fraction >> 27] * power >> (shift < 63 ? shift : 63);
    }

    CT_HOST_DEVICE [[gnu::always_inline]] double unit() const {
        return static_cast<double>(uint64_t{1} << (62 - id_bits));
    }
};

// floor(weight * t), exact: the exponent's 32 binary places against both halves of the weight.
CT_HOST_DEVICE [[gnu::always_inline]] inline uint64_t weight_times(uint64_t weight, uint64_t exponent) {
    const uint64_t whole = exponent >> 32;
    const uint64_t part = exponent & 0xffffffffu;
    return weight * whole + (weight >> 32) * part + ((weight & 0xffffffffu) * part >> 32);
}

// The smallest integer that is not below share, in [1, whole].
CT_HOST_DEVICE inline uint64_t target_of(double share, uint64_t whole) {
    if (!(share > 1)) return 1;
    if (share >= static_cast<double>(whole)) return whole;
    auto target = static_cast<uint64_t>(share);
    if (static_cast<double>(target) < share) ++target;
    return target < whole ? target : whole;
}

// The least float32 that is not below exact, within [-FLT_MAX, most]; -FLT_MAX for a NaN.
CT_HOST_DEVICE inline float least_float(double exact, float most) {
    if (!(exact > -static_cast<double>(FLT_MAX))) return -FLT_MAX;
    if (exact >= static_cast<double>(most)) return most;
    const auto rounded = static_cast<float>(exact);
    if (static_cast<double>(rounded) >= exact) return rounded;
    return ordered_float(ordered_bits(rounded) + 1);
}

// ---- random numbers ------------------------------------------------------------------------------------------------

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

enum RandomUse : uint32_t { kUseDraw = 0, kUseXtc = 1 };

// A number of the row in (0, 1): counter (position, stream tag, use), key seed.
CT_HOST_DEVICE inline double uniform_of(int64_t seed, int64_t position, int32_t stream_tag, uint32_t use) {
    constexpr uint32_t kTag = 0x73616d70;  // "samp"
    const auto key = static_cast<uint64_t>(seed);
    const auto at = static_cast<uint64_t>(position);
    uint32_t counter[4] = {static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32),
                           kTag + static_cast<uint32_t>(stream_tag), use};
    philox4x32(counter, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
    const uint64_t bits = (uint64_t{counter[1]} << 32 | counter[0]) >> 12;
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

// ---- edits ---------------------------------------------------------------------------------------------------------

// A slot of the state, in words: a head (the number of its distinct tokens, mu as float bits), the tokens' counts (the
// sign bit: in the prompt), the distinct tokens.
inline constexpr int64_t kSlotHead = 16;
inline constexpr int64_t kSlotDistinct = 0;
inline constexpr int64_t kSlotMu = 1;
inline constexpr uint32_t kInPrompt = 0x80000000u;
CT_HOST_DEVICE inline int64_t padded_vocab(int64_t vocab_size) { return (vocab_size + 15) / 16 * 16; }
CT_HOST_DEVICE inline int64_t slot_words(int64_t vocab_size) { return kSlotHead + 2 * padded_vocab(vocab_size); }

// A ban is -inf and final; a sum that overflows is none.
CT_HOST_DEVICE [[gnu::always_inline]] inline float no_ban(float sum) { return sum < -FLT_MAX ? -FLT_MAX : sum; }

CT_HOST_DEVICE [[gnu::always_inline]] inline float biased(float logit, float bias) {
    if (logit < -FLT_MAX) return logit;
    return bias < -FLT_MAX ? bias : no_ban(logit + bias);
}

CT_HOST_DEVICE inline bool has_penalties(const ct_sample_row& p) {
    return (p.repetition_penalty > 0 && p.repetition_penalty != 1) || p.frequency_penalty != 0 ||
           p.presence_penalty != 0;
}

// The logit of a token that stands `word` times in prompt or output.
CT_HOST_DEVICE inline float penalised(float logit, uint32_t word, const ct_sample_row& p) {
    if (logit < -FLT_MAX || word == 0) return logit;
    if (p.repetition_penalty > 0 && p.repetition_penalty != 1) {
        logit = no_ban(logit < 0 ? logit * p.repetition_penalty : logit / p.repetition_penalty);
    }
    const uint32_t count = word & ~kInPrompt;
    if (count == 0 || (p.frequency_penalty == 0 && p.presence_penalty == 0)) return logit;
    const double off =
        static_cast<double>(count) * static_cast<double>(p.frequency_penalty) + static_cast<double>(p.presence_penalty);
    return no_ban(static_cast<float>(static_cast<double>(logit) - off));
}

CT_HOST_DEVICE inline bool assumes(const ct_sample_row& p) { return (p.flags & CT_SAMPLE_ASSUME) != 0; }

// The history of a row that assumes it: counted on top of what the slot holds.
struct Assumed {
    const int32_t* ids = nullptr;
    int32_t num_prompt = 0, size = 0;
    uint64_t filter = 0;  // bit id % 64 of every id

    Assumed() = default;
    CT_HOST_DEVICE Assumed(const ct_sample_row& p, const int32_t* history_ids) {
        if (!assumes(p) || p.state_slot < 0) return;
        ids = history_ids + p.prompt_begin;
        num_prompt = p.output_begin - p.prompt_begin;
        size = p.history_end - p.prompt_begin;
        for (int32_t i = 0; i < size; ++i) filter |= uint64_t{1} << (ids[i] & 63);
    }
    // The slot's word of a token, and these on top.
    CT_HOST_DEVICE [[gnu::always_inline]] uint32_t on(uint32_t word, int32_t id) const {
        return (filter >> (id & 63) & 1) == 0 ? word : add(word, id);
    }
    CT_HOST_DEVICE uint32_t add(uint32_t word, int32_t id) const {
        for (int32_t i = 0; i < size; ++i) {
            if (ids[i] == id) word = i < num_prompt ? word | kInPrompt : word + 1;
        }
        return word;
    }
    CT_HOST_DEVICE bool is_first(int32_t at) const {
        int32_t i = 0;
        while (ids[i] != ids[at]) ++i;
        return i == at;
    }
};

// What a row points at lies within the tables, and its order within the steps.
CT_HOST_DEVICE inline bool is_valid(const ct_sample_row& p, int64_t vocab_size, int64_t num_bias, int64_t num_history,
                                    int64_t num_masks, int64_t num_slots, int64_t max_top, bool shares_slots) {
    bool valid = p.forced < vocab_size && p.state_slot < num_slots && p.mask_row < num_masks &&
                 p.allowed_row < num_masks && p.bias_begin >= 0 && p.bias_begin <= p.bias_end &&
                 p.bias_end <= num_bias && p.dry_begin >= 0 && p.dry_begin <= p.dry_end && p.dry_end <= num_bias &&
                 p.prompt_begin >= 0 && p.prompt_begin <= p.output_begin && p.output_begin <= p.history_end &&
                 p.history_end <= num_history && p.num_top <= max_top;
    const bool has_slot = p.state_slot >= 0;
    valid = valid && (has_slot || (!has_penalties(p) && !(p.mirostat_tau > 0) && p.prompt_begin == p.history_end));
    // What changes the slot is for the row that owns it.
    const bool changes = (p.flags & CT_SAMPLE_RESET) != 0 || p.mirostat_tau > 0;
    valid = valid && (!assumes(p) || (shares_slots && !changes));
    for (int i = 0; i < CT_MAX_SAMPLE_STEPS; ++i) valid = valid && p.order[i] <= CT_STEP_MIROSTAT;
    return valid;
}

}  // namespace ct
