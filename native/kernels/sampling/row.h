// row.h: one row of ct_sample on the CPU: its logits with their edits, the passes over them, and the answers that chain.h
// asks for. A row is looked at through the largest logit of every 64 (a bound that k of them reach is a bound that k logits
// reach), and becomes a list of its kept tokens as soon as they are few.
#pragma once

#include "core/backend.h"
#include "kernels/sampling/chain.h"

namespace ct {

inline constexpr int64_t kChunk = 64;  // logits that share one maximum

// Passes over n logits, in vectors of one instruction set.
struct SamplingPasses {
    // Largest logit of every chunk, +inf for one with a NaN or a +inf; copies the logits where `copy` is not null.
    void (*chunk_maxima)(float* maxima, float* copy, const float* logits, int64_t n);
    void (*chunk_maxima_bf16)(float* maxima, float* copy, const bf16* logits, int64_t n);
    // The sum of the weights of the logits in [low, high].
    uint64_t (*mass)(const float* logits, int64_t n, const Weigher& weigher, float low, float high);
    void (*weights)(uint64_t* weights, const float* logits, int64_t n, const Weigher& weigher);
    // The number of the logits in [low, high].
    int64_t (*count)(const float* logits, int64_t n, float low, float high);
    // Keys of the logits in [low, high] of the chunks whose maximum reaches low, ids from `first`; returns their number.
    int64_t (*gather)(uint64_t* keys, const float* logits, const float* maxima, int64_t n, const KeyCode& code,
                      float low, float high);
    // logits[i] = -inf where bit i of the mask is 0.
    void (*mask)(float* logits, const int32_t* mask, int64_t n);
};

extern const SamplingPasses kSamplingScalar;
extern const SamplingPasses kSamplingAvx2;
extern const SamplingPasses kSamplingAvx512;

// A thread's memory for one row, in its scratch.
struct RowMemory {
    static constexpr int kBuckets = 2048;
    uint64_t* keys;    // one a token
    uint64_t* masses;  // one a bucket
    float* values;     // one a token: bans, bias and penalties in it
    float* allowed;    // the same: bans only, where both are needed
    float* kept;       // the same: of a row that DRY edits in the midst of its chain
    float* maxima;     // one a chunk, of values
    float* reported;   // of allowed
    float* spare;
    static size_t bytes(int64_t vocab_size);
    static RowMemory at(void* memory, int64_t vocab_size);
};

class Row {
public:
    KeyCode code;
    KeyRange range{0, 0};
    uint64_t best = 0;
    float top = 0;
    double temperature = 1;

    // maxima: of the logits as they are, where another has made them; else null.
    Row(const SampleArgs& args, const SamplingPasses& passes, const RowMemory& memory, int64_t row,
        const float* maxima);

    // Applies masks and bias; a ct_sample_status.
    int32_t begin();

    void edit(int step);
    bool edits(int step) const;
    int32_t survey();
    void begin_at(uint64_t key);
    void retemper(double to);
    uint64_t count();
    uint64_t mass();
    uint64_t weight_of(uint64_t key) const;
    uint64_t key_at_count(uint64_t k);
    Reached key_at_mass(uint64_t target);
    uint64_t first_of(uint64_t high);
    uint64_t last_of(uint64_t low);
    double near(double center, uint64_t target);
    Spread spread();
    double deviation();
    const uint64_t* first_keys(int* n);
    void narrow(uint64_t mass);

    // Writes logprob, rank and the likeliest tokens.
    void report(int64_t token);

private:
    bool is_list() const { return listed_ >= 0; }
    Weigher weigher() const { return {static_cast<double>(top), kLog2E / temperature, code.id_bits}; }
    float low_logit() const { return code.logit(range.low); }
    float high_logit() const { return range.high == UINT64_MAX ? FLT_MAX : code.logit(range.high); }
    template <typename Body>
    void each_key(const Body& body) const;
    int64_t gather_first(int64_t wanted);
    template <bool kAlongTheOrder, typename Depth>
    Reached reach(double deepest, uint64_t target, const Depth& depth);
    int64_t ties_outside(int64_t* below) const;
    void put(int64_t id, float logit);
    void add_bias(int64_t begin, int64_t end, bool bans);
    void rekey(int step);
    void report_raw(int64_t token);
    void report_processed(int64_t token);
    void write_tops(uint64_t* keys, int64_t n, float largest, double rate, double log_mass);

    const SampleArgs& a_;
    const SamplingPasses& passes_;
    const RowMemory& m_;
    const ct_sample_row& p_;
    int64_t r_;
    int64_t n_;
    int64_t chunks_;
    const float* values_ = nullptr;          // what the chain sees
    const float* maxima_ = nullptr;          // of values_
    const float* allowed_ = nullptr;         // what is reported
    const float* allowed_maxima_ = nullptr;  // of allowed_
    const float* found_maxima_;              // nullable
    bool not_finite_ = false;
    bool has_run_ = false;  // surveyed once: further edits change only what is kept
    int64_t listed_ = -1;   // keys in m_.keys that are all that is kept; -1: not yet
    int64_t gathered_ = 0;  // keys in m_.keys: all of the range from gathered_low_ on
    uint64_t gathered_low_ = 0;
    uint64_t known_mass_ = 0;   // of the range; 0: not known
    bool has_buckets_ = false;  // m_.masses are the order's at this top and temperature
    double bucket_scale_ = 0;   // of those
    uint64_t plain_mass_ = 0;   // of all of values_ at temperature 1; 0: not known
    uint32_t steps_[kWeightSteps];
};

}  // namespace ct
