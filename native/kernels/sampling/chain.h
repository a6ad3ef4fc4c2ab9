// chain.h: the steps of ct_sample between the logits and the draw, one text for every device. What is kept is always a
// range of the total order, so a step is one or two questions to the row: how many, how much, which token reaches a share.
//
// A Row (row.h on the CPU, block_row.h on a GPU, where every thread of the block runs this text with the same values) has
//   KeyCode code; KeyRange range      what is kept
//   uint64_t best; float top          the first kept token and its logit
//   double temperature
//   void edit(step)                   applies penalties or DRY, where the row has any, to what is kept
//   bool edits(step)                  whether it has
//   int32_t survey()                  sets range, best and top after edits; gives a ct_sample_status
//   void begin_at(uint64_t key)       the range has lost its beginning: its first token is now this one
//   void retemper(double)
//   uint64_t count(), mass()          of the range
//   uint64_t weight_of(uint64_t key)
//   uint64_t key_at_count(uint64_t)   the last key of so many of the range; its low end where there are not so many
//   Reached key_at_mass(uint64_t)     the last key of the shortest beginning with so much mass, and that mass
//   uint64_t first_of(high), last_of(low)   the first and the last key of the range up to a key, from a key on
//   double near(double, uint64_t)     how far from a logit the nearest with so much mass reach
//   Spread spread()                   of the range's weights
//   double deviation()                the standard deviation of its logits
//   const uint64_t* first_keys(int* n)      up to kTopHTokens, in the order
//   void narrow(uint64_t mass)        the range has become smaller; mass 0: not known
// All is in line: a call would keep the row in memory on a GPU.
#pragma once

#include "kernels/sampling/weight.h"

namespace ct {

struct Reached {
    uint64_t key, mass;
};

struct Spread {
    uint64_t mass;
    uint64_t moment;  // sum of weight * t: t is the exponent of 2
};

inline constexpr int kTopHTokens = 100;

// Sums of logits as integers, 31 bits from the top to the bottom.
struct Moments {
    double top, scale;
    uint64_t count = 0, sum = 0, squares_high = 0, squares_low = 0;

    CT_HOST_DEVICE Moments(float from, float to) : top(static_cast<double>(from)) {
        int exponent = 0;
        std::frexp(top - static_cast<double>(to), &exponent);
        scale = std::ldexp(1.0, 31 - exponent);
    }
    CT_HOST_DEVICE void add(float logit) {
        const auto depth = static_cast<uint64_t>((top - static_cast<double>(logit)) * scale);
        ++count;
        sum += depth;
        squares_high += depth * depth >> 32;
        squares_low += depth * depth & 0xffffffffu;
    }
    CT_HOST_DEVICE double deviation() const {
        const auto n = static_cast<double>(count);
        const double mean = static_cast<double>(sum) / n;
        const double squares = static_cast<double>(squares_high) * 0x1p32 + static_cast<double>(squares_low);
        const double variance = squares / n - mean * mean;
        return variance > 0 ? std::sqrt(variance) / scale : 0.0;
    }
};

CT_HOST_DEVICE inline bool is_edit(int step) { return step == CT_STEP_PENALTIES || step == CT_STEP_DRY; }

// The i-th step of the row's order, CT_STEP_END behind the last.
CT_HOST_DEVICE inline int step_of(const ct_sample_row& p, int i) {
    if (i >= CT_MAX_SAMPLE_STEPS) return CT_STEP_END;
    if (p.order[0] != CT_STEP_END) return p.order[i];
    return i < CT_STEP_MIROSTAT ? i + 1 : CT_STEP_END;
}

CT_HOST_DEVICE inline bool is_greedy(const ct_sample_row& p) {
    return !(p.temperature >= kGreedyBelow) && !(p.dynatemp_range > 0);
}

CT_HOST_DEVICE inline double unit_of(const KeyCode& code) {
    return static_cast<double>(uint64_t{1} << (62 - code.id_bits));
}

// In nats.
CT_HOST_DEVICE inline double entropy(const KeyCode& code, const Spread& s) {
    const auto mass = static_cast<double>(s.mass);
    return kLn2 * (static_cast<double>(s.moment) / mass) + std::log(mass / unit_of(code));
}

// Keeps the logits that are not below exact, the largest and its equals at least.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void cut(Row& x, double exact) {
    const uint64_t low = x.code.last_key(least_float(exact, x.top));
    if (low <= x.range.low) return;
    x.range.low = low;
    x.narrow(0);
}

// Keeps p >= e^log_share.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void cut_probability(Row& x, double log_share, uint64_t mass) {
    const double log_mass = std::log(static_cast<double>(mass) / unit_of(x.code));
    cut(x, static_cast<double>(x.top) + x.temperature * (log_share + log_mass));
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void keep_one(Row& x) {
    x.range = {x.best, x.best};
    x.narrow(0);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void temper(Row& x, const ct_sample_row& p) {
    double temperature = static_cast<double>(p.temperature);
    if (p.dynatemp_range > 0) {
        const uint64_t n = x.count();
        const double range = static_cast<double>(p.dynatemp_range);
        const double least = temperature > range ? temperature - range : 0.0;
        if (n > 1) {
            const double share = entropy(x.code, x.spread()) / std::log(static_cast<double>(n));
            const double exponent = static_cast<double>(p.dynatemp_exponent);
            const double power = share > 0 ? std::exp(exponent * std::log(share)) : exponent > 0 ? 0.0 : 1.0;
            temperature = least + (temperature + range - least) * power;
        }
        if (!(temperature >= static_cast<double>(kGreedyBelow))) return keep_one(x);
    }
    x.retemper(x.temperature * temperature);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void keep_k(Row& x, const ct_sample_row& p) {
    const auto k = static_cast<uint64_t>(p.top_k);
    if (p.top_k <= 0 || p.top_k >= x.code.size) return;
    const uint64_t key = x.key_at_count(k);
    const uint64_t low = p.flags & CT_SAMPLE_KEEP_TIES ? x.code.last_key(x.code.logit(key)) : key;
    // Equals that another step has cut stay cut.
    if (low <= x.range.low) return;
    x.range.low = low;
    x.narrow(0);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void keep_mass(Row& x, float share) {
    if (!(share < 1)) return;
    const uint64_t whole = x.mass();
    const Reached reached = x.key_at_mass(target_of(static_cast<double>(share) * static_cast<double>(whole), whole));
    x.range.low = reached.key;
    x.narrow(reached.mass);
}

// The least float32 from -FLT_MAX on that is not farther than reach below center.
CT_HOST_DEVICE inline float least_within(double center, double reach) {
    uint32_t low = ordered_bits(-FLT_MAX);
    uint32_t high = ordered_bits(FLT_MAX);
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (center - static_cast<double>(ordered_float(middle)) <= reach) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return ordered_float(low);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void keep_typical(Row& x, float share) {
    if (!(share > 0 && share < 1)) return;
    const Spread s = x.spread();
    // -ln p = H there: ln p falls by 1 / temperature a logit from the top's -ln(mass).
    const double moment = static_cast<double>(s.moment) / static_cast<double>(s.mass);
    const double center = static_cast<double>(x.top) - x.temperature * kLn2 * moment;
    if (!(center > -2.0 * static_cast<double>(FLT_MAX))) return;  // at an infinite temperature all are as near
    const uint64_t target = target_of(static_cast<double>(share) * static_cast<double>(s.mass), s.mass);
    const double reach = x.near(center, target);
    // The outermost logits whose distance, in double, is within reach.
    const float low = least_within(center, reach);
    const float high = -least_within(-center, reach);
    const uint64_t last = x.code.last_key(low);
    const uint64_t first = x.code.first_key(high);
    x.range.low = last > x.range.low ? last : x.range.low;
    x.range.high = first < x.range.high ? first : x.range.high;
    x.begin_at(x.first_of(x.range.high));
    x.narrow(0);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void keep_top_h(Row& x, float share) {
    if (!(share > 0)) return;
    int n = 0;
    const uint64_t* keys = x.first_keys(&n);
    double whole = 0;
    for (int i = 0; i < n; ++i) whole += static_cast<double>(x.weight_of(keys[i]));
    auto term = [&](int i) {
        const double p = static_cast<double>(x.weight_of(keys[i])) / whole;
        return p > 0 ? -p * std::log(p) : 0.0;
    };
    double entropy = 0;
    for (int i = 0; i < n; ++i) entropy += term(i);
    double sum = term(0);
    int kept = 1;
    for (; kept < n; ++kept) {
        sum += term(kept);
        if (sum > static_cast<double>(share) * entropy) break;
    }
    x.range.low = keys[kept - 1];
    x.narrow(0);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void remove_top(Row& x, const ct_sample_row& p) {
    if (!(p.xtc_probability > 0) || !(p.xtc_threshold <= 0.5f)) return;
    const double coin = uniform_of(p.seed, p.position, p.stream_tag, kUseXtc);
    if (coin > static_cast<double>(p.xtc_probability)) return;
    const double log_share = p.xtc_threshold > 0 ? std::log(static_cast<double>(p.xtc_threshold)) : -INFINITY;
    const double log_mass = std::log(static_cast<double>(x.mass()) / unit_of(x.code));
    const double exact = static_cast<double>(x.top) + x.temperature * (log_share + log_mass);
    if (exact > static_cast<double>(x.top)) return;
    const uint64_t low = x.code.last_key(least_float(exact, x.top));
    const uint64_t last = x.last_of(low > x.range.low ? low : x.range.low);
    if (last == x.best) return;
    x.range.high = last;
    x.begin_at(last);
    x.narrow(0);
}

// Runs one step that is no edit.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline void run_step(Row& x, const ct_sample_row& p, int step, float mu) {
    switch (step) {
        case CT_STEP_TEMPERATURE:
            return temper(x, p);
        case CT_STEP_MIN_P:
            if (!(p.min_p > 0)) return;
            // Above 1 it would keep none; taken as 1.
            return cut(x, static_cast<double>(x.top) +
                              x.temperature * std::log(p.min_p < 1 ? static_cast<double>(p.min_p) : 1.0));
        case CT_STEP_TOP_K:
            return keep_k(x, p);
        case CT_STEP_TOP_P:
            return keep_mass(x, p.top_p);
        case CT_STEP_TYPICAL_P:
            return keep_typical(x, p.typical_p);
        case CT_STEP_TOP_N_SIGMA:
            if (!(p.top_n_sigma > 0)) return;
            return cut(x, static_cast<double>(x.top) - static_cast<double>(p.top_n_sigma) * x.deviation());
        case CT_STEP_EPSILON:
            if (!(p.epsilon_cutoff > 0)) return;
            return cut_probability(x, std::log(static_cast<double>(p.epsilon_cutoff)), x.mass());
        case CT_STEP_ETA: {
            if (!(p.eta_cutoff > 0)) return;
            const Spread s = x.spread();
            const double log_eta = std::log(static_cast<double>(p.eta_cutoff));
            const double other = 0.5 * log_eta - entropy(x.code, s);
            return cut_probability(x, other < log_eta ? other : log_eta, s.mass);
        }
        case CT_STEP_TOP_H:
            return keep_top_h(x, p.top_h);
        case CT_STEP_XTC:
            return remove_top(x, p);
        case CT_STEP_MIROSTAT:
            if (!(p.mirostat_tau > 0)) return;
            return cut_probability(x, -kLn2 * static_cast<double>(mu), x.mass());
        default:
            return;
    }
}

// Edits, then the steps; leaves in the range what may be drawn. Greedy rows take the first.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline int32_t run_chain(Row& x, const ct_sample_row& p, float mu) {
    int i = 0;
    for (; is_edit(step_of(p, i)); ++i) x.edit(step_of(p, i));
    int32_t status = x.survey();
    const bool greedy = is_greedy(p);
    for (; status == CT_SAMPLE_OK && step_of(p, i) != CT_STEP_END; ++i) {
        const int step = step_of(p, i);
        if (!is_edit(step)) {
            if (!greedy) run_step(x, p, step, mu);
        } else if (x.edits(step)) {
            x.edit(step);
            status = x.survey();
        }
    }
    if (greedy && status == CT_SAMPLE_OK) keep_one(x);
    return status;
}

// A token of the range, by the row's random number.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline uint64_t draw(Row& x, const ct_sample_row& p) {
    if (x.range.low == x.range.high) return x.range.low;
    const uint64_t whole = x.mass();
    const double uniform = uniform_of(p.seed, p.position, p.stream_tag, kUseDraw);
    return x.key_at_mass(target_of(uniform * static_cast<double>(whole), whole)).key;
}

// Mirostat's mu after a token of the range.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline float next_mu(Row& x, const ct_sample_row& p, float mu, uint64_t key) {
    const auto mass = static_cast<double>(x.mass());
    const double surprise = -std::log(static_cast<double>(x.weight_of(key)) / mass) / kLn2;
    const double error = surprise - static_cast<double>(p.mirostat_tau);
    return static_cast<float>(static_cast<double>(mu) - static_cast<double>(p.mirostat_eta) * error);
}

}  // namespace ct
