// row_draw.cpp: one row of ct_sample on the CPU: between which logits a draw is looked for. To gather a token, weigh it and
// put it into its place costs as much as to read twenty, so few more than needed should be gathered. Far down a row no bounds
// of its mass tell tokens apart: there the exact mass is summed up, and with it what stands above a band of few tokens.
//
// A band is a guess. What is found in it is right; where nothing is, the whole row is asked.
#include <algorithm>

#include "kernels/sampling/row.h"

namespace ct {

namespace {

constexpr int kEdges = 256;        // steps of depth below the top
constexpr int64_t kRun = 16;       // sampled tokens that stand side by side
constexpr int64_t kRuns = 128;     // of a row
constexpr int64_t kFewChunks = 8;  // chunks are few below a share of them of 1 / this
constexpr double kDeviations = 4;  // that a sample may be off

// How many logits stand at each depth, and how many deeper.
struct Depths {
    float top, scale;
    int32_t count[kEdges + 1] = {};

    void add(float logit) {
        const float edge = std::max((top - logit) * scale, 0.0f);
        ++count[static_cast<int>(std::min(edge, static_cast<float>(kEdges)))];
    }
};

// Edges that a band lies between, from 0 at the top on.
struct Edges {
    int high, low;
};

// The first edge that tokens weigh so much above, and how many they are. step: what a step of depth leaves of a weight.
struct Reaching {
    int edge;
    int64_t tokens;
};
Reaching reaching_edge(const Depths& tokens, double wanted, double step) {
    Reaching found{0, 0};
    double mass = 0;
    for (double weight = step; found.edge < kEdges && mass < wanted; ++found.edge, weight *= step) {
        mass += tokens.count[found.edge] * weight;
        found.tokens += tokens.count[found.edge];
    }
    return found;
}

// Between which edges the tokens below weigh `rest`, each of the sample standing for `each`.
Edges edges_around(const Depths& sample, double each, double rest, double step) {
    Edges found{0, kEdges};
    const double step_up = 1 / step;
    double weight = each * std::pow(step, kEdges - 0.5);
    double below = 0;
    double variance = 0;
    for (int edge = kEdges - 1; edge > 0 && found.high == 0; --edge, weight *= step_up) {
        const double mass = sample.count[edge] * weight;
        below += mass;
        variance += mass * weight;
        const double left = rest - below;
        if (kDeviations * kDeviations * variance > left * left) continue;
        (left >= 0 ? found.low : found.high) = edge;
    }
    return found;
}

}  // namespace

// The largest logits of the chunks are tokens too: where few of them weigh enough, no deeper ones are needed. Further down a
// sample of the row tells what stands below, which is many tokens of little weight; the few heavy ones above it may miss.
Band Row::likely_band(uint64_t target) {
    const auto highest = static_cast<double>(top);
    const double deepest = std::min(highest - static_cast<double>(low_logit()), kWeighty * temperature);
    const double scale = kEdges / deepest;
    const double step = std::exp(-deepest / (kEdges * temperature));
    if (!(scale > 0x1p-60 && scale < 0x1p60 && step > 0)) return {-FLT_MAX, FLT_MAX};
    auto logit_at = [&](int edge) { return least_float(highest - edge / scale, top); };

    Depths largest{top, static_cast<float>(scale)};
    for (int64_t i = 0; i < chunks_; ++i) largest.add(maxima_[i]);
    const double wanted = static_cast<double>(target) / unit_of(code);
    const Reaching enough = reaching_edge(largest, wanted, step);
    if (enough.tokens <= chunks_ / kFewChunks) return {logit_at(enough.edge), FLT_MAX};

    Depths sample{top, static_cast<float>(scale)};
    const int64_t runs = std::min(kRuns, n_ / kRun);
    for (int64_t run = 0; run < runs; ++run) {
        const int64_t begin = run * n_ / runs;
        for (int64_t id = begin; id < begin + kRun; ++id) sample.add(logit_of(id));
    }
    const double whole = static_cast<double>(mass_bounds(Look::kTight).high) / unit_of(code);
    const double each = static_cast<double>(n_) / static_cast<double>(runs * kRun);
    const Edges around = edges_around(sample, each, whole - wanted, step);
    const bool has_high = around.high > 0 && around.high < enough.edge;
    return {logit_at(std::min(around.low, enough.edge)), has_high ? logit_at(around.high) : FLT_MAX};
}

// Of a row that has all its tokens, by its exact mass. 0: it does not stand in the band.
uint64_t Row::key_in_band(double share, const Band& band) {
    const Masses masses = masses_of_all(band.high);
    known_mass_ = masses.all;
    const uint64_t target = target_of(share * static_cast<double>(masses.all), masses.all);
    if (target <= masses.above) return 0;
    const int64_t size = gather(band.low, band.high);
    gathered_ = 0;  // they are not the range's first
    const auto high = static_cast<double>(band.high);
    fill_buckets(size, high, high - static_cast<double>(band.low));
    const uint64_t in_band = target - masses.above;
    const uint64_t key = in_band <= bucket_mass_ ? cross_in_list(size, in_band).key : 0;
    bucket_mass_ = 0;
    return key;
}

uint64_t Row::token_at_share(double share) {
    if (is_rough()) {
        const MassBounds target = target_bounds(share);
        const Band band = likely_band(target.high);
        // Bounds that are further apart than tokens there are heavy leave most targets open.
        const bool is_open = 2 * (target.high - target.low) > weight_of(code.last_key(band.low));
        if (!is_open || band.high == FLT_MAX) {
            return confirmed(key_from(target.high, band.low), share, target).key;
        }
        const uint64_t key = key_in_band(share, band);
        if (key != 0) return key;
    }
    return key_at_share(share, 0).key;
}

}  // namespace ct
