// sampling_reference.h: ct_sample the obvious way: sort everything, cut, sum. In long double with the C library's exp, and
// once more with the kernel's integer weights, whose sums long double holds exactly.
#pragma once

#include "kernels/sampling/chain.h"
#include "tests/kernel_testing.h"

namespace testing {

inline constexpr float kInf = std::numeric_limits<float>::infinity();

inline ct_sample_row plain_row() {
    ct_sample_row p{};
    p.flags = CT_SAMPLE_LOGPROBS;
    p.forced = p.state_slot = p.mask_row = p.allowed_row = -1;
    p.temperature = p.top_p = 1;
    p.seed = 1;
    return p;
}

struct Row {
    std::vector<float> logits;
    ct_sample_row p = plain_row();
    std::vector<std::pair<int32_t, float>> bias = {}, dry = {};
    std::vector<int32_t> prompt = {}, output = {};
    std::vector<int32_t> mask = {}, allowed = {};  // words; empty: none

    bool has_state() const { return !prompt.empty() || !output.empty() || p.mirostat_tau > 0; }
};

struct Token {
    int32_t id;
    float logit;
    long double weight = 0;
};

struct Expected {
    int32_t status = CT_SAMPLE_OK;
    int32_t token = -1;
    std::vector<Token> kept;      // in the order, with their weights
    long double mass = 0;         // of them
    bool sure = true;             // no decision lies within rounding
    std::vector<double> allowed;  // logits that are reported, where they are not those
};

class Reference {
public:
    Reference(const Row& row, bool integers) : row_(row), p_(row.p), integers_(integers) {}

    Expected run() {
        if (!edit()) return fail(CT_SAMPLE_NOT_FINITE);
        const bool greedy = !(p_.temperature >= 1e-5f) && !(p_.dynatemp_range > 0);
        bool changed = true;
        for (int i = 0; i < CT_MAX_SAMPLE_STEPS; ++i) {
            int step = p_.order[0] ? p_.order[i] : i + 1;
            if (step == CT_STEP_END || step > CT_STEP_MIROSTAT) break;
            if (step == CT_STEP_PENALTIES) {
                for (Token& t : tokens_) t.logit = penalised(t);
                changed = true;
            } else if (step == CT_STEP_DRY) {
                for (auto [id, bias] : row_.dry) {
                    for (Token& t : tokens_) {
                        if (t.id == id) t.logit = sum(t.logit, bias);
                    }
                }
                changed = true;
            } else {
                if (changed && !sort()) return fail(failure_);
                changed = false;
                if (!greedy) run_step(step);
            }
        }
        if (changed && !sort()) return fail(failure_);
        if (greedy) tokens_.resize(1);
        weigh();
        out_.kept = tokens_;
        out_.mass = mass();
        draw();
        return out_;
    }

private:
    Expected fail(int32_t status) {
        out_.status = status;
        return out_;
    }

    static float sum(float logit, float bias) {
        if (logit == -kInf) return logit;
        float both = logit + bias;
        return both == -kInf && bias != -kInf ? -std::numeric_limits<float>::max() : both;
    }

    // False where a logit is not finite as it comes.
    bool edit() {
        bool finite = true;
        for (size_t i = 0; i < row_.logits.size(); ++i) {
            float logit = row_.logits[i];
            finite = finite && logit < kInf;
            auto banned = [&](const std::vector<int32_t>& mask) {
                return !mask.empty() && (static_cast<uint32_t>(mask[i / 32]) >> (i % 32) & 1) == 0;
            };
            if (banned(row_.mask) || banned(row_.allowed)) logit = -kInf;
            for (auto [id, bias] : row_.bias) {
                if (id == static_cast<int32_t>(i) && bias == -kInf) logit = -kInf;
            }
            out_.allowed.push_back(static_cast<double>(logit));
            tokens_.push_back({static_cast<int32_t>(i), logit});
        }
        for (auto [id, bias] : row_.bias) {
            if (id >= 0 && static_cast<size_t>(id) < tokens_.size() && bias != -kInf) {
                float& logit = tokens_[static_cast<size_t>(id)].logit;
                logit = sum(logit, bias);
            }
        }
        return finite;
    }

    float penalised(const Token& t) const {
        auto count = std::count(row_.output.begin(), row_.output.end(), t.id);
        bool seen = count > 0 || std::count(row_.prompt.begin(), row_.prompt.end(), t.id) > 0;
        float logit = t.logit;
        if (logit == -kInf) return logit;
        auto within = [](float v) { return v == -kInf ? -std::numeric_limits<float>::max() : v; };
        float r = p_.repetition_penalty;
        if (seen && r > 0 && r != 1) logit = within(logit < 0 ? logit * r : logit / r);
        if (count == 0 || (p_.frequency_penalty == 0 && p_.presence_penalty == 0)) return logit;
        double off = static_cast<double>(count) * static_cast<double>(p_.frequency_penalty) +
                     static_cast<double>(p_.presence_penalty);
        return within(static_cast<float>(static_cast<double>(logit) - off));
    }

    bool sort() {
        for (const Token& t : tokens_) {
            if (!(t.logit < kInf)) {
                failure_ = CT_SAMPLE_NOT_FINITE;
                return false;
            }
        }
        std::erase_if(tokens_, [](const Token& t) { return t.logit == -kInf; });
        failure_ = CT_SAMPLE_EMPTY;
        std::stable_sort(tokens_.begin(), tokens_.end(), [](const Token& a, const Token& b) {
            return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
        });
        return !tokens_.empty();
    }

    long double depth(const Token& t) const {
        return (static_cast<long double>(tokens_[0].logit) - static_cast<long double>(t.logit)) / temperature_;
    }

    void weigh() {
        const ct::KeyCode code = ct::key_code(static_cast<int64_t>(row_.logits.size()));
        const ct::Weigher w{static_cast<double>(tokens_[0].logit), ct::kLog2E / static_cast<double>(temperature_),
                            code.id_bits};
        uint32_t steps[ct::kWeightSteps];
        for (int i = 0; i < ct::kWeightSteps; ++i) steps[i] = ct::weight_step(i);
        for (Token& t : tokens_) {
            t.weight = integers_                  ? static_cast<long double>(w.weight(w.exponent(t.logit), steps))
                       : std::isinf(temperature_) ? 1.0L
                                                  : std::exp(-depth(t));
        }
    }

    long double mass() const {
        long double sum = 0;
        for (const Token& t : tokens_) sum += t.weight;
        return sum;
    }

    // Decisions nearer to their edge than this, in parts of the whole, are anyone's.
    long double slack() const { return integers_ && exact_ ? 0 : 1e-8L; }

    void near_edge(long double distance, long double within) { out_.sure = out_.sure && std::fabs(distance) > within; }

    // Of the tokens in their present order: the first whose sum reaches share * mass.
    size_t crossing(double share) {
        weigh();
        long double whole = mass(), up_to = 0, target = static_cast<long double>(share) * whole;
        if (integers_) {
            target = static_cast<long double>(
                ct::target_of(share * static_cast<double>(whole), static_cast<uint64_t>(whole)));
        }
        for (size_t i = 0; i < tokens_.size(); ++i) {
            up_to += tokens_[i].weight;
            if (slack() > 0 && i + 1 < tokens_.size()) near_edge(up_to - target, slack() * whole);
            if (up_to >= target) return i;
        }
        return tokens_.size() - 1;
    }

    // Keeps the tokens at least so many nats deep.
    void keep_depth(long double most) {
        std::erase_if(tokens_, [&](const Token& t) {
            if (t.logit == tokens_[0].logit) return false;
            near_edge(depth(t) - most, 2e-8L * (1 + std::fabs(most)));
            return depth(t) > most;
        });
    }

    long double entropy() {
        weigh();
        long double whole = mass(), sum = 0;
        for (const Token& t : tokens_) {
            long double p = t.weight / whole;
            if (p > 0) sum -= p * std::log(p);
        }
        return sum;
    }

    // -ln of the first's share.
    long double first_depth() {
        weigh();
        return std::log(mass() / tokens_[0].weight);
    }

    void run_step(int step) {
        switch (step) {
            case CT_STEP_TEMPERATURE:
                return temper();
            case CT_STEP_MIN_P:
                if (p_.min_p > 0) keep_depth(-std::log(std::min(1.0L, static_cast<long double>(p_.min_p))));
                return;
            case CT_STEP_TOP_K:
                return keep_k();
            case CT_STEP_TOP_P:
                if (p_.top_p < 1) tokens_.resize(crossing(static_cast<double>(p_.top_p)) + 1);
                return;
            case CT_STEP_TYPICAL_P:
                return keep_typical();
            case CT_STEP_TOP_N_SIGMA:
                return keep_sigmas();
            case CT_STEP_EPSILON:
                if (p_.epsilon_cutoff > 0) {
                    keep_depth(-std::log(static_cast<long double>(p_.epsilon_cutoff)) - first_depth());
                }
                return;
            case CT_STEP_ETA:
                if (p_.eta_cutoff > 0) {
                    long double eta = std::log(static_cast<long double>(p_.eta_cutoff));
                    keep_depth(-std::min(eta, eta / 2 - entropy()) - first_depth());
                }
                return;
            case CT_STEP_TOP_H:
                return keep_top_h();
            case CT_STEP_XTC:
                return remove_top();
            case CT_STEP_MIROSTAT:
                // The state begins at 2 tau.
                if (p_.mirostat_tau > 0) {
                    keep_depth(2 * static_cast<long double>(p_.mirostat_tau) * std::log(2.0L) - first_depth());
                }
                return;
            default:
                CHECK(false);
        }
    }

    void temper() {
        long double to = static_cast<long double>(p_.temperature);
        if (p_.dynatemp_range > 0) {
            long double range = static_cast<long double>(p_.dynatemp_range);
            long double least = std::max(0.0L, to - range), most = to + range;
            if (tokens_.size() > 1) {
                long double share = entropy() / std::log(static_cast<long double>(tokens_.size()));
                to = least +
                     (most - least) * std::pow(std::max(0.0L, share), static_cast<long double>(p_.dynatemp_exponent));
                exact_ = false;
            }
            near_edge(to - 1e-5L, 1e-9L);
            if (to < 1e-5L) {
                tokens_.resize(1);
                return;
            }
        }
        temperature_ *= to;
    }

    void keep_k() {
        auto k = static_cast<size_t>(std::max(0, p_.top_k));
        if (k == 0 || k >= tokens_.size()) return;
        if (p_.flags & CT_SAMPLE_KEEP_TIES) {
            while (k < tokens_.size() && tokens_[k].logit == tokens_[k - 1].logit) ++k;
        }
        tokens_.resize(k);
    }

    void keep_typical() {
        if (!(p_.typical_p > 0 && p_.typical_p < 1) || std::isinf(temperature_)) return;
        long double h = entropy() - first_depth();
        exact_ = false;
        auto distance = [&](const Token& t) { return std::fabs(depth(t) - h); };
        weigh();
        std::vector<Token> order = tokens_, nearest = tokens_;
        std::stable_sort(nearest.begin(), nearest.end(),
                         [&](const Token& a, const Token& b) { return distance(a) < distance(b); });
        long double whole = mass(), up_to = 0, reach = 0;
        for (const Token& t : nearest) {
            up_to += t.weight;
            near_edge(up_to - static_cast<long double>(p_.typical_p) * whole, 1e-8L * whole);
            reach = distance(t);
            if (up_to >= static_cast<long double>(p_.typical_p) * whole) break;
        }
        float last = 0;
        for (const Token& t : nearest) {
            if (distance(t) == reach) last = t.logit;
        }
        std::erase_if(order, [&](const Token& t) {
            if (t.logit == last) return false;
            near_edge(distance(t) - reach, 1e-8L * (1 + reach));
            return distance(t) > reach;
        });
        tokens_ = order;
    }

    void keep_sigmas() {
        if (!(p_.top_n_sigma > 0)) return;
        long double n = static_cast<long double>(tokens_.size()), mean = 0, squares = 0;
        for (const Token& t : tokens_) mean += static_cast<long double>(t.logit) / n;
        for (const Token& t : tokens_) {
            long double off = static_cast<long double>(t.logit) - mean;
            squares += off * off / n;
        }
        long double range = static_cast<long double>(tokens_[0].logit) - static_cast<long double>(tokens_.back().logit);
        long double most = static_cast<long double>(p_.top_n_sigma) * std::sqrt(squares);
        std::erase_if(tokens_, [&](const Token& t) {
            if (t.logit == tokens_[0].logit) return false;
            long double off = static_cast<long double>(tokens_[0].logit) - static_cast<long double>(t.logit);
            near_edge(off - most, 1e-7L * range);
            return off > most;
        });
    }

    void keep_top_h() {
        if (!(p_.top_h > 0)) return;
        weigh();
        size_t n = std::min<size_t>(100, tokens_.size());
        long double whole = 0, entropy = 0, up_to = 0;
        for (size_t i = 0; i < n; ++i) whole += tokens_[i].weight;
        auto term = [&](size_t i) {
            long double p = tokens_[i].weight / whole;
            return p > 0 ? -p * std::log(p) : 0.0L;
        };
        for (size_t i = 0; i < n; ++i) entropy += term(i);
        size_t kept = 0;
        for (; kept < n; ++kept) {
            up_to += term(kept);
            if (kept == 0) continue;
            near_edge(up_to - static_cast<long double>(p_.top_h) * entropy, 1e-8L * (entropy + 1e-6L));
            if (up_to > static_cast<long double>(p_.top_h) * entropy) break;
        }
        tokens_.resize(kept);
    }

    void remove_top() {
        if (!(p_.xtc_probability > 0) || !(p_.xtc_threshold <= 0.5f)) return;
        double coin = ct::uniform_of(p_.seed, p_.position, p_.stream_tag, ct::kUseXtc);
        if (coin > static_cast<double>(p_.xtc_probability)) return;
        weigh();
        long double whole = mass();
        size_t above = 0;
        for (const Token& t : tokens_) {
            if (p_.xtc_threshold > 0) {
                long double threshold = static_cast<long double>(p_.xtc_threshold);
                near_edge(t.weight / whole - threshold, 2e-8L * threshold);
                if (t.weight / whole < threshold) break;
            }
            ++above;
        }
        if (above > 1) tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(above) - 1);
    }

    void draw() {
        double uniform = ct::uniform_of(p_.seed, p_.position, p_.stream_tag, ct::kUseDraw);
        size_t at = tokens_.size() == 1 ? 0 : crossing(uniform);
        out_.token = p_.forced >= 0 ? p_.forced : tokens_[at].id;
    }

    const Row& row_;
    const ct_sample_row& p_;
    const bool integers_;
    bool exact_ = true;  // integers alone have decided so far
    long double temperature_ = 1;
    std::vector<Token> tokens_;
    int32_t failure_ = CT_SAMPLE_OK;
    Expected out_;
};

}  // namespace testing
