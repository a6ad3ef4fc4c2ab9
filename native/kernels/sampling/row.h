// row.h: one row of ct_sample on the CPU: its logits with their edits, the passes over them, and the answers that chain.h
// asks for. A row is looked at through the largest logit of every 64 (a bound that k of them reach is a bound that k logits
// reach), and becomes a list of its kept tokens as soon as they are few.
//
// Floor: rows * vocabulary * bytes of a logit, read once (greedy, top_k, min_p: that and the tokens near the top). Where a
// mass is asked for, every logit that weighs anything must be weighed, 21 operations of 8 lanes each with AVX-512: on a Xeon
// (Sapphire Rapids) 3 times one read. Bounds of the mass cost less (rough_mass.h) and mostly do. Which token reaches a mass is
// then a question to a list: of as many tokens as the maxima and a sample let hope (row_draw.cpp), of more, of all.
#pragma once

#include <algorithm>

#include "core/backend.h"
#include "kernels/sampling/chain.h"

namespace ct {

inline constexpr int64_t kChunk = 64;  // logits that share one maximum

// Buckets of equal depth: of the distance from a logit, the farthest in the last.
struct Buckets {
    static constexpr int kCount = 2048;
    double center, scale;

    int of(float logit) const {
        const double place = std::fabs(center - static_cast<double>(logit)) * scale;
        return place < kCount - 1 ? static_cast<int>(place) : kCount - 1;
    }
};

// What a row weighs, about: the sum of 2^(logit * rate - at).
struct RoughMass {
    double sum;
    double at;
    double above;  // of the sum what stands before a token: the larger logits, and of equal ones those of smaller ids
};
inline constexpr double kRoughReach = 8;   // doublings of the weight that a logit may stand above where a weight is 1
inline constexpr double kRoughDepth = 40;  // chunks that reach no further below that are not weighed
inline constexpr double kRoughLargest =
    4096;  // logits that are more doublings from 0 are not weighed roughly: sum is 0

struct MassBounds {
    uint64_t low, high;
};

// Of all logits, and of those above one.
struct Masses {
    uint64_t all, above;
};

// Logits between which a token is likely to stand that a mass is reached by. high FLT_MAX: from low on.
struct Band {
    float low, high;
};

// A token of which it will be asked whether it is drawn, or how probable it is; id -1: none.
struct Expected {
    int64_t id;
    float logit;
};

// How well a row's mass has to be known: whether a coin is below a share asks little, which token reaches a share more.
enum class Look { kLoose, kTight, kExact };

// Passes over n logits, in vectors of one instruction set. Where they take the maxima of the chunks, they pass by the chunks
// whose maximum does not reach low.
struct SamplingPasses {
    // Largest logit of every chunk, +inf for one with a NaN or a +inf; copies the logits where `copy` is not null.
    void (*chunk_maxima)(float* maxima, float* copy, const float* logits, int64_t n);
    void (*chunk_maxima_bf16)(float* maxima, float* copy, const bf16* logits, int64_t n);
    // The same maxima, and what the logits of a dtype weigh, about, at a rate.
    // `expected`: above is of a chunk's logits that are no less than its logit, of the chunks before its own, and else of
    // those that are larger; only where it is tight.
    RoughMass (*rough_mass)(float* maxima, const void* logits, int32_t dtype, bool tight, int64_t n, double rate,
                            const Expected& expected);
    // Of numbers; -inf where there are none.
    float (*largest_of)(const float* values, int64_t n);
    // How many are at least so large.
    int64_t (*count_from)(const float* values, int64_t n, float least);
    // The sum of the weights of the logits in [low, high], of which low has to weigh something.
    uint64_t (*mass)(const float* logits, const float* maxima, int64_t n, const Weigher& weigher, float low,
                     float high);
    // The same of all logits, and of those above `split`; FLT_MAX: none are.
    Masses (*masses)(const void* logits, int32_t dtype, const float* maxima, int64_t n, const Weigher& weigher,
                     float split);
    // The weight of every key.
    void (*weigh)(uint64_t* weights, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher);
    // Adds the weight of every key to the mass of its bucket.
    void (*add_masses)(uint64_t* masses, const uint64_t* keys, int64_t n, const KeyCode& code, const Weigher& weigher,
                       const Buckets& buckets);
    // The number of the logits in [low, high] of the tokens from begin to end.
    int64_t (*count)(const float* logits, const float* maxima, int64_t begin, int64_t end, float low, float high);
    // Keys of the logits in [low, high]; returns their number.
    int64_t (*gather)(uint64_t* keys, const float* logits, const float* maxima, int64_t n, const KeyCode& code,
                      float low, float high);
    int64_t (*gather_bf16)(uint64_t* keys, const bf16* logits, const float* maxima, int64_t n, const KeyCode& code,
                           float low, float high);
    // logits[i] = -inf where bit i of the mask is 0.
    void (*mask)(float* logits, const int32_t* mask, int64_t n);
    // rest[i] = weight * rate, or 0 where the logit is not in [low, high], of which low has to weigh something.
    void (*begin_rest)(uint64_t* rest, const void* logits, int32_t dtype, int64_t n, const Weigher& weigher, float low,
                       float high, double rate);
    // rest[i] = max(rest[i] - weight * rate, 0), of the same logits; returns the sum of rest.
    uint64_t (*subtract_rest)(uint64_t* rest, const void* logits, int32_t dtype, int64_t n, const Weigher& weigher,
                              float low, float high, double rate);
};

extern const SamplingPasses kSamplingScalar;
extern const SamplingPasses kSamplingAvx2;
extern const SamplingPasses kSamplingAvx512;

// A thread's memory for one row, in its scratch.
struct RowMemory {
    uint64_t* keys;    // one a token
    uint64_t* inside;  // one a token: those of one bucket
    uint64_t* masses;  // one a bucket
    float* values;     // one a token: bans, bias and penalties in it
    float* allowed;    // the same: bans only, where both are needed
    float* kept;       // the same: of a row that DRY edits in the midst of its chain
    float* maxima;     // one a chunk, of values
    float* reported;   // of allowed
    static size_t bytes(int64_t vocab_size);
    static RowMemory at(void* memory, int64_t vocab_size);
};

class Row {
public:
    static constexpr bool kFindsMass = true;

    KeyCode code;
    KeyRange range{0, 0};
    uint64_t best = 0;
    float top = 0;
    double temperature = 1;

    // maxima: of the logits as they are, where another has made them; else null.
    Row(const SampleArgs& args, const SamplingPasses& passes, const RowMemory& memory, int64_t row,
        const float* maxima);

    // Applies masks and bias; a ct_sample_status. look: what will be asked of the row's mass first. expected: with it a
    // top-p may be put off, until complete().
    int32_t begin(Look look, int64_t expected = -1);

    void edit(int step);
    bool edits(int step) const;
    int32_t survey();
    void begin_at(uint64_t key);
    void retemper(double to);
    uint64_t count();
    uint64_t mass();
    MassBounds mass_bounds(Look look);
    uint64_t weight_of(uint64_t key) const;
    uint64_t key_at_count(uint64_t k);
    // With less mass than the target where all that is kept has less.
    Reached key_at_mass(uint64_t target);
    Reached key_at_share(double share, uint64_t whole);
    // The key of key_at_share, where nobody asks for the mass.
    uint64_t token_at_share(double share);
    // Whether the token that was expected is the one that reaches a share of the row; false: it is not, or it is not sure.
    bool surely_reaches(double share);
    // Of a chain in which nothing comes after a top-p, and the row's mass is known about.
    bool puts_off(float top_p);
    bool is_put_off() const { return put_off_ < 1; }
    // How probable the expected token is where the top-p was put off. False: it is not known well enough.
    bool put_off_share(double* low, double* high);
    // What was put off.
    void complete();
    uint64_t first_of(uint64_t high);
    uint64_t last_of(uint64_t low);
    double near(double center, uint64_t target);
    Spread spread();
    double deviation();
    const uint64_t* first_keys(int* n);
    // 0: not kept.
    uint64_t key_of(int64_t id);
    // The number of kept tokens where they lie as keys; -1: they do not, and key_of and each_weight look at the row.
    int64_t listed() const { return listed_; }
    // body(id, weight) for what is kept.
    template <typename Body>
    void each_weight(const Body& body);
    // body(from, to, weigher, low, high) for parts of the ids from begin to end: there the kept tokens are those whose logit
    // is in [low, high]. Where they do not lie as keys.
    template <typename Body>
    void each_band(int64_t begin, int64_t end, const Body& body);
    // Of the tokens from an id on, in the dtype that they lie in.
    const void* logits(int64_t from) const {
        return halves_ ? static_cast<const void*>(halves_ + from) : values_ + from;
    }
    int32_t dtype() const { return halves_ ? CT_BF16 : CT_F32; }
    void narrow(uint64_t mass);

    // Writes logprob, rank and the likeliest tokens.
    void report(int64_t token);

private:
    bool is_list() const { return listed_ >= 0; }
    bool reports_raw() const { return (p_.flags & CT_SAMPLE_LOGPROBS) != 0 && (p_.flags & CT_SAMPLE_PROCESSED) == 0; }
    Weigher weigher() const { return {static_cast<double>(top), kLog2E / temperature, code.id_bits}; }
    bool has_all() const {
        const KeyRange all = whole_range(code);
        return range.low == all.low && range.high == all.high;
    }
    float low_logit() const { return code.logit(range.low); }
    float high_logit() const { return range.high == UINT64_MAX ? FLT_MAX : code.logit(range.high); }
    const int32_t* slot() const { return a_.state + p_.state_slot * slot_words(n_); }
    uint32_t word_of(const int32_t* counts, int64_t id) const {
        return assumed_.on(static_cast<uint32_t>(counts[id]), static_cast<int32_t>(id));
    }

    // row_edits.cpp
    void own();
    void put(int64_t id, float logit);
    void add_bias(int64_t begin, int64_t end, bool bans);
    void penalise_row();
    void penalise_keys(int64_t size);
    void settle();
    void rekey(int step);

    // row_bounds.cpp
    double temperature_of_mass() const;
    bool look_roughly(Look look);
    bool is_rough() const;
    MassBounds bounds_of(double sum) const;
    MassBounds above_expected() const;
    MassBounds target_bounds(double share);
    Reached confirmed(const Reached& reached, double share, const MassBounds& target);
    void widen();
    float logit_of(int64_t id) const { return halves_ ? to_float(halves_[id]) : values_[id]; }

    // row_draw.cpp
    Band likely_band(uint64_t target);
    uint64_t key_in_band(double share, const Band& band);

    // row.cpp
    template <typename Body>
    void each_key(const Body& body) const;
    int64_t keep(int64_t size, const KeyRange& wanted);
    int64_t gather(float low, float high);
    int64_t gather_first(int64_t wanted);
    int64_t ties_outside(int64_t* below) const;

    // row_mass.cpp
    Masses masses_of_all(float split) const;
    Reached key_from(uint64_t target, float low);
    void fill_buckets(int64_t size, double center, double deepest);
    int bucket_of(uint64_t target, uint64_t* above) const;
    KeyRange keys_of(int bucket) const;
    Reached cross_in_list(int64_t size, uint64_t target);
    Reached cross_in_row(uint64_t target);

    // row_report.cpp
    void report_raw(int64_t token);
    void report_processed(int64_t token);
    void write_tops(uint64_t* keys, int64_t n, float largest, double rate, double log_mass);

    const SampleArgs& a_;
    const SamplingPasses& passes_;
    const RowMemory& m_;
    const ct_sample_row& p_;
    const Assumed assumed_;
    int64_t r_;
    int64_t n_;
    int64_t chunks_;
    const float* values_ = nullptr;          // what the chain sees
    const float* maxima_ = nullptr;          // of values_
    const float* allowed_ = nullptr;         // what is reported
    const float* allowed_maxima_ = nullptr;  // of allowed_
    const float* found_maxima_;              // nullable
    const bf16* halves_ = nullptr;           // the logits that values_ have yet to hold; null: they do
    Look look_ = Look::kExact;               // that rough_ is good for
    RoughMass rough_{0, 0, 0};               // of all of values_
    Expected expected_{-1, 0};               // that rough_.above is of
    uint64_t ties_ = 0;                      // in its chunk, before it: above lacks them
    float put_off_ = 1;                      // a top-p; 1: none
    double rough_temperature_ = 0;           // at this temperature; 0: it is not known
    bool not_finite_ = false;
    bool has_run_ = false;  // surveyed once: further edits change only what is kept
    bool pending_ =
        false;  // values_ are without the penalties: settle() applies them, penalise_keys() to what is gathered
    int64_t listed_ = -1;   // keys in m_.keys that are all that is kept; -1: not yet
    int64_t gathered_ = 0;  // keys in m_.keys: all of the range from gathered_low_ on
    uint64_t gathered_low_ = 0;
    uint64_t known_mass_ = 0;   // of the range; 0: not known
    uint64_t bucket_mass_ = 0;  // of m_.masses, the beginning of the range at this top and temperature; 0: they are not
    Buckets buckets_{0, 0};     // of those
    uint64_t plain_mass_ = 0;   // of all of values_ at temperature 1; 0: not known
    uint32_t steps_[kWeightSteps];
};

// body(key, logit) for what is kept.
template <typename Body>
void Row::each_key(const Body& body) const {
    const bool all_gathered = gathered_ > 0 && gathered_low_ <= range.low;
    if (is_list() || all_gathered) {
        const int64_t size = is_list() ? listed_ : gathered_;
        for (int64_t i = 0; i < size; ++i) {
            if (range.contains(m_.keys[i])) body(m_.keys[i], code.logit(m_.keys[i]));
        }
        return;
    }
    const float low = low_logit();
    const float high = high_logit();
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
        if (maxima_[chunk] < low) continue;
        const int64_t end = std::min(n_, (chunk + 1) * kChunk);
        for (int64_t i = chunk * kChunk; i < end; ++i) {
            if (values_[i] < low || values_[i] > high) continue;
            const uint64_t key = code.key(values_[i], i);
            if (range.contains(key)) body(key, values_[i]);
        }
    }
}

template <typename Body>
void Row::each_weight(const Body& body) {
    settle();
    const Weigher w = weigher();
    if (!is_list()) {
        each_key([&](uint64_t key, float logit) { body(code.id(key), w.weight(w.exponent(logit), steps_)); });
        return;
    }
    uint64_t weights[kChunk];
    for (int64_t begin = 0; begin < listed_; begin += kChunk) {
        const int64_t size = std::min(kChunk, listed_ - begin);
        passes_.weigh(weights, m_.keys + begin, size, code, w);
        for (int64_t i = 0; i < size; ++i) body(code.id(m_.keys[begin + i]), weights[i]);
    }
}

// Deeper logits weigh nothing: a weight at the top is 2^(62 - id_bits).
inline float least_weighty(const Weigher& w) {
    return least_float(w.top - (64 - w.id_bits) / w.rate, static_cast<float>(w.top));
}

// Of equal logits at an end of the range those belong to it whose id is on its side of the end's own.
template <typename Body>
void Row::each_band(int64_t begin, int64_t end, const Body& body) {
    if (pending_) settle();
    const Weigher w = weigher();
    const float low = low_logit();
    const float high = high_logit();
    const int64_t last = range.low == code.last_key(low) ? n_ : code.id(range.low);
    const int64_t first = range.high == UINT64_MAX ? 0 : code.id(range.high);
    const float above = ordered_float(ordered_bits(low) + 1);
    const float below = ordered_float(ordered_bits(high) - 1);
    const float least = least_weighty(w);
    while (begin < end) {
        int64_t to = end;
        if (begin < first) to = std::min(to, first);
        if (begin <= last) to = std::min(to, last + 1);
        body(begin, to, w, std::max(begin <= last ? low : above, least), begin < first ? below : high);
        begin = to;
    }
}

inline constexpr double kWeighty = 44;  // nats: what is deeper weighs nothing

// A bound that at least `count` of the logits reach; -FLT_MAX (every logit but -inf) where the maxima cannot tell.
float bound_of(const SamplingPasses& passes, const float* maxima, int64_t chunks, int64_t count);

}  // namespace ct
