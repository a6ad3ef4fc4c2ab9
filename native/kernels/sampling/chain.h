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
//   bool kFindsMass                   key_at_share finds out the range's mass, as well as it has to; and
//   uint64_t token_at_share(double)   the key of key_at_share
//   bool puts_off(float top_p)        whether a top-p that ends the chain is left to later
//   uint64_t weight_of(uint64_t key)
//   uint64_t key_at_count(uint64_t)   the last key of so many of the range; its low end where there are not so many
//   Reached key_at_mass(uint64_t)     the last key of the shortest beginning with so much mass, and that mass
//   Reached key_at_share(double, uint64_t whole)   the same of a share of the range's mass
//   uint64_t first_of(high), last_of(low)   the first and the last key of the range up to a key, from a key on
//   double near(double, uint64_t)     how far from a logit the nearest with so much mass reach
//   Spread spread()                   of the range's weights
//   double deviation()                the standard deviation of its logits
//   const uint64_t* first_keys(int* n)      up to kTopHTokens, in the order
//   void narrow(uint64_t mass)        the range has become smaller; mass 0: not known
// All is in line: a call would keep the row in memory on a GPU. So each question that is a pass over the row stands at as few
// places as can be.
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

// What a step has done to the range; where it has become smaller, the row has yet to hear of it. mass: 0, or known.
struct Cut {
    bool any;
    uint64_t mass;
};

// Keeps what is not below the key.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut cut_key(Row& x, uint64_t low) {
    if (low <= x.range.low) return {false, 0};
    x.range.low = low;
    return {true, 0};
}

// Keeps the logits that are not below exact, the largest and its equals at least.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut cut(Row& x, double exact) {
    return cut_key(x, x.code.last_key(least_float(exact, x.top)));
}

// Keeps p >= e^log_share.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut cut_probability(Row& x, double log_share, uint64_t mass) {
    const double log_mass = std::log(static_cast<double>(mass) / unit_of(x.code));
    return cut(x, static_cast<double>(x.top) + x.temperature * (log_share + log_mass));
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut keep_one(Row& x) {
    x.range = {x.best, x.best};
    return {true, 0};
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut temper(Row& x, const ct_sample_row& p, const Spread& s) {
    double temperature = static_cast<double>(p.temperature);
    if (p.dynatemp_range > 0) {
        const uint64_t n = x.count();
        const double range = static_cast<double>(p.dynatemp_range);
        const double least = temperature > range ? temperature - range : 0.0;
        if (n > 1) {
            const double share = entropy(x.code, s) / std::log(static_cast<double>(n));
            const double exponent = static_cast<double>(p.dynatemp_exponent);
            const double power = share > 0 ? std::exp(exponent * std::log(share)) : exponent > 0 ? 0.0 : 1.0;
            temperature = least + (temperature + range - least) * power;
        }
        if (!(temperature >= static_cast<double>(kGreedyBelow))) return keep_one(x);
    }
    x.retemper(x.temperature * temperature);
    return {false, 0};
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut keep_k(Row& x, const ct_sample_row& p) {
    const uint64_t key = x.key_at_count(static_cast<uint64_t>(p.top_k));
    // Equals that another step has cut stay cut.
    return cut_key(x, p.flags & CT_SAMPLE_KEEP_TIES ? x.code.last_key(x.code.logit(key)) : key);
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut keep_mass(Row& x, float share, uint64_t whole) {
    const Reached reached = x.key_at_share(static_cast<double>(share), whole);
    x.range.low = reached.key;
    return {true, reached.mass};
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
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut keep_typical(Row& x, float share, const Spread& s) {
    // -ln p = H there: ln p falls by 1 / temperature a logit from the top's -ln(mass).
    const double moment = static_cast<double>(s.moment) / static_cast<double>(s.mass);
    const double center = static_cast<double>(x.top) - x.temperature * kLn2 * moment;
    if (!(center > -2.0 * static_cast<double>(FLT_MAX)))
        return {false, 0};  // at an infinite temperature all are as near
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
    return {true, 0};
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut keep_top_h(Row& x, float share) {
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
    return {true, 0};
}

template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut remove_top(Row& x, const ct_sample_row& p, uint64_t mass) {
    const double coin = uniform_of(p.seed, p.position, p.stream_tag, kUseXtc);
    if (coin > static_cast<double>(p.xtc_probability)) return {false, 0};
    const double log_share = p.xtc_threshold > 0 ? std::log(static_cast<double>(p.xtc_threshold)) : -INFINITY;
    const double log_mass = std::log(static_cast<double>(mass) / unit_of(x.code));
    const double exact = static_cast<double>(x.top) + x.temperature * (log_share + log_mass);
    if (exact > static_cast<double>(x.top)) return {false, 0};
    const uint64_t low = x.code.last_key(least_float(exact, x.top));
    const uint64_t last = x.last_of(low > x.range.low ? low : x.range.low);
    if (last == x.best) return {false, 0};
    x.range.high = last;
    x.begin_at(last);
    return {true, 0};
}

// What a step has to know of the range before it begins.
enum class Asks { kOff, kNothing, kShare, kMass, kSpread };

CT_HOST_DEVICE inline Asks asks_of(const ct_sample_row& p, int64_t vocab_size, int step) {
    auto where = [](bool on, Asks what) { return on ? what : Asks::kOff; };
    switch (step) {
        case CT_STEP_TEMPERATURE:
            return p.dynatemp_range > 0 ? Asks::kSpread : Asks::kNothing;
        case CT_STEP_MIN_P:
            return where(p.min_p > 0, Asks::kNothing);
        case CT_STEP_TOP_K:
            return where(p.top_k > 0 && p.top_k < vocab_size, Asks::kNothing);
        case CT_STEP_TOP_P:
            return where(p.top_p < 1, Asks::kShare);
        case CT_STEP_TYPICAL_P:
            return where(p.typical_p > 0 && p.typical_p < 1, Asks::kSpread);
        case CT_STEP_TOP_N_SIGMA:
            return where(p.top_n_sigma > 0, Asks::kNothing);
        case CT_STEP_EPSILON:
            return where(p.epsilon_cutoff > 0, Asks::kMass);
        case CT_STEP_ETA:
            return where(p.eta_cutoff > 0, Asks::kSpread);
        case CT_STEP_TOP_H:
            return where(p.top_h > 0, Asks::kNothing);
        case CT_STEP_XTC:
            return where(p.xtc_probability > 0 && p.xtc_threshold <= 0.5f, Asks::kMass);
        case CT_STEP_MIROSTAT:
            return where(p.mirostat_tau > 0, Asks::kMass);
        default:
            return Asks::kOff;
    }
}

// Runs one step that is no edit. s: of the range, as far as the step asks.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline Cut run_step(Row& x, const ct_sample_row& p, int step, float mu,
                                                          const Spread& s) {
    switch (step) {
        case CT_STEP_TEMPERATURE:
            return temper(x, p, s);
        case CT_STEP_MIN_P:
            // Above 1 it would keep none; taken as 1.
            return cut(x, static_cast<double>(x.top) +
                              x.temperature * std::log(p.min_p < 1 ? static_cast<double>(p.min_p) : 1.0));
        case CT_STEP_TOP_K:
            return keep_k(x, p);
        case CT_STEP_TOP_P:
            return keep_mass(x, p.top_p, s.mass);
        case CT_STEP_TYPICAL_P:
            return keep_typical(x, p.typical_p, s);
        case CT_STEP_TOP_N_SIGMA:
            return cut(x, static_cast<double>(x.top) - static_cast<double>(p.top_n_sigma) * x.deviation());
        case CT_STEP_EPSILON:
            return cut_probability(x, std::log(static_cast<double>(p.epsilon_cutoff)), s.mass);
        case CT_STEP_ETA: {
            const double log_eta = std::log(static_cast<double>(p.eta_cutoff));
            const double other = 0.5 * log_eta - entropy(x.code, s);
            return cut_probability(x, other < log_eta ? other : log_eta, s.mass);
        }
        case CT_STEP_TOP_H:
            return keep_top_h(x, p.top_h);
        case CT_STEP_XTC:
            return remove_top(x, p, s.mass);
        default:  // CT_STEP_MIROSTAT
            return cut_probability(x, -kLn2 * static_cast<double>(mu), s.mass);
    }
}

// Edits, then the steps; leaves in the range what may be drawn. Greedy rows take the first.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline int32_t run_chain(Row& x, const ct_sample_row& p, float mu) {
    const bool greedy = is_greedy(p);
    bool surveyed = false;
    for (int i = 0;; ++i) {
        const int step = step_of(p, i);
        const bool edits = is_edit(step) && (!surveyed || x.edits(step));
        if (edits) x.edit(step);
        // After the edits that come first, and after each later one.
        if (edits ? surveyed : !surveyed && !is_edit(step)) {
            const int32_t status = x.survey();
            if (status != CT_SAMPLE_OK) return status;
            surveyed = true;
        }
        const bool ends = step == CT_STEP_END;
        Cut cut{false, 0};
        if (greedy) {
            if (ends) cut = keep_one(x);
        } else if (!ends && !is_edit(step)) {
            const Asks asks = asks_of(p, x.code.size, step);
            if (asks == Asks::kOff) continue;
            if constexpr (Row::kFindsMass) {
                if (step == CT_STEP_TOP_P && x.puts_off(p.top_p)) continue;
            }
            Spread s{0, 0};
            if (asks == Asks::kSpread) s = x.spread();
            if (asks == Asks::kMass || (asks == Asks::kShare && !Row::kFindsMass)) s.mass = x.mass();
            cut = run_step(x, p, step, mu, s);
        }
        if (cut.any) x.narrow(cut.mass);
        if (ends) return CT_SAMPLE_OK;
    }
}

// A token of the range, by the row's random number.
template <typename Row>
CT_HOST_DEVICE [[gnu::always_inline]] inline uint64_t draw(Row& x, const ct_sample_row& p) {
    if (x.range.low == x.range.high) return x.range.low;
    const double share = uniform_of(p.seed, p.position, p.stream_tag, kUseDraw);
    if constexpr (Row::kFindsMass) {
        return x.token_at_share(share);
    } else {
        return x.key_at_share(share, x.mass()).key;
    }
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
