// row_bounds.cpp: one row of ct_sample on the CPU: how much it weighs at least and at most, and answers that follow from
// that alone. What the bounds leave open is asked of the exact mass, so that no answer depends on them.
//
// How far off a rough mass is. A tight weight is 2^(logit * r - at) for the float32 r next to the rate, right to kTightWeight:
// the polynomial and its roundings 2.4e-7, the rounding of what goes into it 1.1e-8. Three sums of float32 add 1.8e-7, those
// of double nothing. With r in the rate's place a weight t doublings below the top changes by |r / rate - 1| t ln 2, so all of
// it by no more than that of the mean of t by weight; that is entropy - log2(mass / top's weight) <= log2(tokens).
// A loose weight is (1 + f) / 2^f times too large, f in [0, 1), and kLooseRounding off besides.
// Of the exact mass: a weight is right to 2e-9, and rounded down to a whole number.
#include "kernels/sampling/row.h"

namespace ct {

namespace {

constexpr double kTightWeight = 4.5e-7;     // 2.4e-7 + 1.1e-8 + 1.8e-7 + 2e-9, and some more
constexpr double kLooseExcess = 1.0614757;  // (1 + f) / 2^f where it is largest, at f = 1 / ln 2 - 1
constexpr double kLooseRounding = 0x1p-11;  // t is right to 2^-24 of thrice the largest, kRoughLargest + 135

}  // namespace

double Row::temperature_of_mass() const {
    const bool changes = p_.mask_row >= 0 || p_.allowed_row >= 0 || p_.bias_begin < p_.bias_end ||
                         edits(CT_STEP_PENALTIES) || edits(CT_STEP_DRY);
    if (changes || is_greedy(p_)) return 0;
    double found = 1;
    for (int i = 0;; ++i) {
        const int step = step_of(p_, i);
        if (step == CT_STEP_END || step == CT_STEP_TOP_P) {
            if (step == CT_STEP_END || p_.top_p < 1) return found;
            continue;
        }
        const Asks asks = asks_of(p_, n_, step);
        if (asks == Asks::kOff) continue;
        if (step != CT_STEP_TEMPERATURE || asks != Asks::kNothing) return 0;
        found *= static_cast<double>(p_.temperature);
    }
}

bool Row::look_roughly(Look look) {
    const double asked = look == Look::kExact ? 0 : temperature_of_mass();
    const double rate = kLog2E / asked;
    // So that the rate is no less exact as a float32, and no weight loses its place.
    if (!(asked > 0 && rate > 0x1p-60 && rate < 0x1p60)) return false;
    const bool halves = a_.logits_dtype == CT_BF16;
    const auto* logits = static_cast<const unsigned char*>(a_.logits) + r_ * a_.logits_stride * (halves ? 2 : 4);
    // Which tokens a top-p keeps asks for more than a coin.
    look_ = p_.top_p < 1 ? Look::kTight : look;
    rough_temperature_ = asked;
    maxima_ = m_.maxima;
    values_ = halves ? m_.values : reinterpret_cast<const float*>(logits);
    halves_ = halves ? reinterpret_cast<const bf16*>(logits) : nullptr;
    if (look_ == Look::kLoose) expected_.id = -1;
    if (expected_.id >= 0) {
        const float logit = expected_.logit = logit_of(expected_.id);
        if (!(logit > -FLT_MAX && logit < FLT_MAX)) expected_.id = -1;
        for (int64_t id = expected_.id / kChunk * kChunk; id < expected_.id; ++id) ties_ += logit_of(id) == logit;
    }
    rough_ = passes_.rough_mass(m_.maxima, logits, a_.logits_dtype, look_ == Look::kTight, n_, rate, expected_);
    return true;
}

void Row::widen() {
    if (!halves_) return;
    passes_.chunk_maxima_bf16(m_.maxima, m_.values, halves_, n_);
    halves_ = nullptr;
}

bool Row::is_rough() const {
    return known_mass_ == 0 && !is_list() && rough_.sum > 0 && rough_temperature_ == temperature && has_all();
}

// Of a sum of rough weights: what the exact ones are, all told.
MassBounds Row::bounds_of(double sum) const {
    const Weigher w = weigher();
    const double rate = look_ == Look::kLoose ? w.rate : static_cast<double>(static_cast<float>(w.rate));
    const double about = sum * std::exp2(rough_.at - w.top * rate) * w.unit();
    const double off = kTightWeight + std::fabs(rate / w.rate - 1) * code.id_bits;
    double low = about * (1 - off);
    double high = about * (1 + off);
    if (look_ == Look::kLoose) {
        low = low * (1 - kLooseRounding) / kLooseExcess;
        high *= 1 + kLooseRounding;
    }
    // What is rounded down, and what stands in chunks that are not weighed: half a doubling for the floor's own rounding.
    low -= static_cast<double>(n_);
    high += static_cast<double>(n_) * std::exp2(0.5 - kRoughDepth) * w.unit();
    return {low > 0 ? static_cast<uint64_t>(low) : 0, static_cast<uint64_t>(high) + 1};
}

MassBounds Row::mass_bounds(Look look) {
    if (!is_rough() || look == Look::kExact) {
        const uint64_t exact = mass();
        return {exact, exact};
    }
    const Weigher w = weigher();
    if (look == Look::kTight && look_ == Look::kLoose) {
        rough_ = passes_.rough_mass(m_.maxima, logits(0), dtype(), true, n_, w.rate, {-1, 0});
        look_ = Look::kTight;
    }
    const MassBounds bounds = bounds_of(rough_.sum);
    return {std::max(bounds.low, static_cast<uint64_t>(w.unit())), bounds.high};
}

// Of a row that is_rough(), whose expected token is known.
MassBounds Row::above_expected() const {
    const uint64_t ties = ties_ * weight_of(code.key(expected_.logit, expected_.id));
    const MassBounds others = bounds_of(rough_.above);
    return {others.low + ties, others.high + ties};
}

// The mass that a share of the row's begins with.
MassBounds Row::target_bounds(double share) {
    const MassBounds whole = mass_bounds(Look::kTight);
    return {target_of(share * static_cast<double>(whole.low), whole.low),
            target_of(share * static_cast<double>(whole.high), whole.high)};
}

Reached Row::key_at_share(double share, uint64_t) {
    const MassBounds target = target_bounds(share);
    return confirmed(key_at_mass(target.high), share, target);
}

// The exact target lies between both. Where the token that reaches the higher is the one that reaches the lower, it is the
// exact one's too.
Reached Row::confirmed(const Reached& reached, double share, const MassBounds& target) {
    const bool is_sure = reached.mass >= target.high && reached.mass - weight_of(reached.key) < target.low;
    if (target.low == target.high || is_sure) return reached;
    const uint64_t exact = mass();
    return key_at_mass(target_of(share * static_cast<double>(exact), exact));
}

bool Row::surely_reaches(double share) {
    if (expected_.id < 0 || !is_rough()) return false;
    const MassBounds target = target_bounds(share);
    const MassBounds above = above_expected();
    return above.high < target.low && target.high <= above.low + weight_of(code.key(expected_.logit, expected_.id));
}

bool Row::puts_off(float top_p) {
    if (expected_.id < 0 || !is_rough()) return false;
    bool is_after = false;
    for (int i = 0;; ++i) {
        const int step = step_of(p_, i);
        if (step == CT_STEP_END) break;
        if (is_after && (is_edit(step) ? edits(step) : asks_of(p_, n_, step) != Asks::kOff)) return false;
        is_after = is_after || step == CT_STEP_TOP_P;
    }
    put_off_ = top_p;
    return true;
}

// What a top-p keeps begins with the target and ends within the token that crosses it, which stands behind the expected one
// or is it, and weighs no more.
bool Row::put_off_share(double* low, double* high) {
    const MassBounds target = target_bounds(static_cast<double>(put_off_));
    const MassBounds above = above_expected();
    if (above.low >= target.high) {
        *low = *high = 0;
        return true;
    }
    const uint64_t weight = weight_of(code.key(expected_.logit, expected_.id));
    if (above.high >= target.low || weight == 0) return false;
    *low = static_cast<double>(weight) / static_cast<double>(target.high + (weight - 1));
    *high = static_cast<double>(weight) / static_cast<double>(target.low);
    return true;
}

void Row::complete() {
    if (!is_put_off()) return;
    const float share = put_off_;
    put_off_ = 1;
    expected_.id = -1;
    narrow(keep_mass(*this, share, 0).mass);
}

}  // namespace ct
