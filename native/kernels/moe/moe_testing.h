// moe_testing.h: what every device is asked about routing, plans and the combination of slots: plain loops in double.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>

#include "tests/kernel_testing.h"

namespace testing {

// ---- routing -------------------------------------------------------------------------------------------------------

inline ct_moe_route_params route_params(int64_t tokens, int32_t experts, int32_t top_k, int32_t scores) {
    ct_moe_route_params p = {};
    p.struct_bytes = sizeof p;
    p.num_tokens = tokens;
    p.logits_stride = experts;
    p.num_experts = experts;
    p.top_k = top_k;
    p.scores = scores;
    return p;
}

struct Routing {
    Array<int32_t> ids;
    Array<float> weights;
    Array<int64_t> counts;
    Routing(Device& d, const ct_moe_route_params& p)
        : ids(d, p.num_tokens * p.top_k), weights(d, p.num_tokens * p.top_k), counts(d, p.num_experts) {
        ids.poison();
        weights.poison();
        for (int64_t e = 0; e < p.num_experts; ++e) counts.at[e] = 1000 + e;
    }
    void run(Device& d, const Array<float>& logits, const Array<float>* bias, const ct_moe_route_params& p,
             const Array<int64_t>* slots = nullptr) {
        CHECK_OK(ct_moe_route(ids.buffer, weights.buffer, counts.buffer, logits.buffer, bias ? bias->buffer : nullptr,
                              slots ? slots->buffer : nullptr, &p, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
    }
};

// A token's scores and keys in double, and the groups whose experts may be chosen.
struct SimpleRoute {
    std::vector<double> scores;
    std::vector<double> keys;

    SimpleRoute(const float* logits, const float* bias, const ct_moe_route_params& p) {
        const auto n = static_cast<size_t>(p.num_experts);
        double sum = 0;
        for (size_t e = 0; e < n; ++e) sum += std::exp(static_cast<double>(logits[e]));
        for (size_t e = 0; e < n; ++e) {
            const double l = logits[e];
            scores.push_back(p.scores == CT_MOE_SOFTMAX   ? std::exp(l) / sum
                             : p.scores == CT_MOE_SIGMOID ? 1 / (1 + std::exp(-l))
                                                          : l);
            keys.push_back(scores[e] + (bias ? static_cast<double>(bias[e]) : 0.0));
        }
        const auto groups = static_cast<size_t>(p.num_groups);
        if (groups <= 1) return;
        const size_t size = n / groups;
        std::vector<std::pair<double, size_t>> order;
        for (size_t g = 0; g < groups; ++g) {
            std::vector<double> own(keys.begin() + static_cast<int64_t>(g * size),
                                    keys.begin() + static_cast<int64_t>((g + 1) * size));
            std::sort(own.rbegin(), own.rend());
            order.emplace_back(-(p.group_score == CT_MOE_GROUP_BEST_TWO ? own[0] + own[1] : own[0]), g);
        }
        std::sort(order.begin(), order.end());
        for (size_t i = static_cast<size_t>(p.top_groups); i < groups; ++i) {
            for (size_t e = 0; e < size; ++e) keys[order[i].second * size + e] = -1e300;
        }
    }
};

inline void routesAsPlainLoops(Device& d, const ct_moe_route_params& given, bool with_bias, int64_t padding = 0) {
    ct_moe_route_params p = given;
    p.logits_stride = p.num_experts + padding;
    const std::string outer = context;
    context += " E=" + std::to_string(p.num_experts) + " k=" + std::to_string(p.top_k) +
               " T=" + std::to_string(p.num_tokens) + " scores " + std::to_string(p.scores) + " groups " +
               std::to_string(p.num_groups) + (with_bias ? " bias" : "");
    Random random(static_cast<uint64_t>(p.num_experts * 7 + p.top_k));
    Array<float> logits(d, p.num_tokens * p.logits_stride), bias(d, p.num_experts);
    logits.poison();
    fill(bias, random, 0.3f);
    for (int64_t t = 0; t < p.num_tokens; ++t) {
        for (int64_t e = 0; e < p.num_experts; ++e) logits.at[t * p.logits_stride + e] = random.normal(2);
    }
    Routing routing(d, p);
    routing.run(d, logits, with_bias ? &bias : nullptr, p);
    std::vector<int64_t> counts(static_cast<size_t>(p.num_experts));
    std::iota(counts.begin(), counts.end(), 1000);
    const double scale = p.scale == 0 ? 1 : static_cast<double>(p.scale);
    for (int64_t t = 0; t < p.num_tokens; ++t) {
        const SimpleRoute simple(logits.at + t * p.logits_stride, with_bias ? bias.at : nullptr, p);
        const int32_t* ids = routing.ids.at + t * p.top_k;
        std::vector<double> sorted = simple.keys;
        std::sort(sorted.rbegin(), sorted.rend());
        std::vector<double> weights;
        double sum = 0;
        for (int32_t j = 0; j < p.top_k; ++j) {
            CHECK(ids[j] >= 0 && ids[j] < p.num_experts);
            const auto id = static_cast<size_t>(std::clamp(ids[j], 0, p.num_experts - 1));
            CHECK(std::count(ids, ids + j, ids[j]) == 0);
            CHECK_CLOSE(simple.keys[id], sorted[static_cast<size_t>(j)], 2e-6);
            weights.push_back(p.scores == CT_MOE_SOFTMAX_CHOSEN ? std::exp(simple.scores[id]) : simple.scores[id]);
            sum += weights.back();
            ++counts[id];
        }
        const double divisor = p.scores == CT_MOE_SOFTMAX_CHOSEN || p.renormalize ? sum : 1.0;
        for (int32_t j = 0; j < p.top_k; ++j) {
            const double expected = weights[static_cast<size_t>(j)] / divisor * scale;
            CHECK_CLOSE(value(routing.weights.at[t * p.top_k + j]), expected, 1e-5 * std::fabs(expected) + 1e-9);
        }
    }
    CHECK(std::equal(counts.begin(), counts.end(), routing.counts.at));
    context = outer;
}

inline void routesEveryWay(Device& d) {
    for (const int32_t scores : {CT_MOE_SOFTMAX, CT_MOE_SIGMOID, CT_MOE_SOFTMAX_CHOSEN}) {
        for (const int32_t experts : {1, 2, 31, 32, 33, 128, 512}) {
            for (const int32_t top_k : {1, 2, 8, experts}) {
                if (top_k > experts || (reduced() && top_k > 64)) continue;
                ct_moe_route_params p = route_params(5, experts, top_k, scores);
                p.renormalize = top_k % 2;
                p.scale = top_k == 8 ? 2.5f : 0;
                routesAsPlainLoops(d, p, false, 3);
                routesAsPlainLoops(d, p, scores != CT_MOE_SOFTMAX_CHOSEN);
            }
        }
        for (const int64_t tokens : {0, 1, 7, 64, 65, 513}) {
            routesAsPlainLoops(d, route_params(reduced() ? std::min<int64_t>(tokens, 66) : tokens, 16, 4, scores),
                               true);
        }
    }
    for (const int32_t groups : {2, 4, 8}) {
        for (const int32_t kind : {CT_MOE_GROUP_BEST, CT_MOE_GROUP_BEST_TWO}) {
            for (const int32_t top_groups : {1, 2, groups}) {
                for (const bool bias : {false, true}) {
                    ct_moe_route_params p = route_params(9, 64, 8, bias ? CT_MOE_SIGMOID : CT_MOE_SOFTMAX);
                    p.num_groups = groups;
                    p.top_groups = top_groups;
                    p.group_score = kind;
                    p.renormalize = 1;
                    p.scale = 16;
                    routesAsPlainLoops(d, p, bias);
                }
            }
        }
    }
}

// Of equals the lowest id; rows that cannot be routed.
inline void routesTiesAndBrokenRows(Device& d) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr int32_t kExperts = 40, kTopK = 5;
    for (const int32_t scores : {CT_MOE_SOFTMAX, CT_MOE_SIGMOID, CT_MOE_SOFTMAX_CHOSEN}) {
        const ct_moe_route_params p = route_params(8, kExperts, kTopK, scores);
        Array<float> logits(d, 8 * kExperts);
        const auto row = [&](int64_t t) { return logits.at + t * kExperts; };
        for (int64_t e = 0; e < kExperts; ++e) {
            row(0)[e] = 1.5f;
            row(1)[e] = e % 2 == 0 ? -0.0f : 0.0f;
            row(2)[e] = e >= 35 ? 3.0f : e == 7 ? 4.0f : -1.0f;
            row(3)[e] = e == 39 ? kNan : 1.0f;
            row(4)[e] = e == 0 ? kInfinity : 1.0f;
            row(5)[e] = e == 33 || e == 34 ? 2.0f : -kInfinity;
            row(6)[e] = -kInfinity;
            row(7)[e] = static_cast<float>(e % 8);
        }
        Routing routing(d, p);
        routing.run(d, logits, nullptr, p);
        const auto ids = [&](int64_t t) {
            return std::vector<int32_t>(routing.ids.at + t * kTopK, routing.ids.at + (t + 1) * kTopK);
        };
        const std::vector<int32_t> first = {0, 1, 2, 3, 4};
        CHECK(ids(0) == first);
        CHECK(ids(1) == first);
        CHECK((ids(2) == std::vector<int32_t>{7, 35, 36, 37, 38}));
        CHECK(ids(3) == first);
        CHECK(ids(4) == first);
        CHECK((ids(5) == std::vector<int32_t>{33, 34, 0, 1, 2}));
        CHECK(ids(6) == first);
        CHECK((ids(7) == std::vector<int32_t>{7, 15, 23, 31, 39}));
        for (int64_t t = 0; t < 8; ++t) {
            const bool broken = t == 3 || t == 4 || t == 6;
            for (int64_t j = 0; j < kTopK; ++j) {
                const float weight = routing.weights.at[t * kTopK + j];
                CHECK(std::isnan(weight) == broken);
                if (t == 5 && j >= 2) CHECK(weight == 0);
            }
        }
        CHECK(routing.counts.at[7] == 1007 + 2);
        CHECK(routing.counts.at[4] == 1004 + 2);
        CHECK(routing.counts.at[39] == 1039 + 1);
        // A key that is NaN: a bias of NaN breaks every row.
        Array<float> bias(d, kExperts);
        bias.at[11] = kNan;
        routing.run(d, logits, &bias, p);
        for (int64_t i = 0; i < 8 * kTopK; ++i) CHECK(std::isnan(routing.weights.at[i]));
    }
}

inline void routesRowsAlone(Device& d) {
    ct_moe_route_params p = route_params(70, 128, 8, CT_MOE_SIGMOID);
    p.renormalize = 1;
    Random random(17);
    Array<float> logits(d, 70 * 128), bias(d, 128);
    fill(logits, random, 2);
    fill(bias, random, 0.1f);
    Routing all(d, p);
    all.run(d, logits, &bias, p);
    for (const int64_t t : {0, 33, 69}) {
        p.num_tokens = 1;
        Array<float> one(d, 128);
        std::copy_n(logits.at + t * 128, 128, one.at);
        Routing routing(d, p);
        routing.run(d, one, &bias, p);
        CHECK(std::equal(routing.ids.at, routing.ids.at + 8, all.ids.at + t * 8));
        CHECK(std::memcmp(routing.weights.at, all.weights.at + t * 8, 8 * sizeof(float)) == 0);
    }
}

// Tokens that fill up a batch are nobody's, and the others are as without them.
inline void routesNoPadding(Device& d) {
    const ct_moe_route_params p = route_params(37, 33, 4, CT_MOE_SOFTMAX);
    Random random(23);
    Array<float> logits(d, 37 * 33);
    fill(logits, random, 2);
    Array<int64_t> slots(d, 37);
    for (int64_t t = 0; t < 37; ++t) slots.at[t] = t % 3 == 1 ? -1 : t;
    Routing all(d, p);
    all.run(d, logits, nullptr, p);
    Routing routing(d, p);
    routing.run(d, logits, nullptr, p, &slots);
    std::vector<int64_t> counts(33);
    for (int64_t t = 0; t < 37; ++t) {
        for (int64_t i = t * 4; i < t * 4 + 4; ++i) {
            const bool is_padding = t % 3 == 1;
            CHECK(routing.ids.at[i] == (is_padding ? -1 : all.ids.at[i]));
            CHECK(routing.weights.at[i] == (is_padding ? 0.0f : all.weights.at[i]));
            if (!is_padding) ++counts[static_cast<size_t>(all.ids.at[i])];
        }
    }
    for (int64_t e = 0; e < 33; ++e) CHECK(routing.counts.at[e] == 1000 + e + counts[static_cast<size_t>(e)]);
}

// ---- plans ---------------------------------------------------------------------------------------------------------

struct Plan {
    std::unique_ptr<Array<int32_t>> plan;
    Plan(Device& d, const Array<int32_t>& ids, int64_t tokens, int32_t top_k, int32_t experts) {
        int64_t bytes = 0;
        CHECK_OK(ct_moe_plan_bytes(&bytes, d.device, tokens, top_k, experts));
        plan = std::make_unique<Array<int32_t>>(d, (bytes + 3) / 4);
        plan->poison();
        CHECK_OK(ct_moe_plan(plan->buffer, ids.buffer, tokens, top_k, experts, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
    }
    const int32_t* offsets() const { return plan->at; }
};

inline void plansAsStableSort(Device& d, const std::vector<int32_t>& ids, int32_t top_k, int32_t experts) {
    const std::string outer = context;
    context += " slots " + std::to_string(ids.size()) + " E=" + std::to_string(experts);
    const Array<int32_t> on_device(d, ids);
    const Plan plan(d, on_device, static_cast<int64_t>(ids.size()) / top_k, top_k, experts);
    std::vector<int32_t> expected;
    for (int32_t e = 0; e < experts; ++e) {
        CHECK(plan.offsets()[e] == static_cast<int32_t>(expected.size()));
        for (size_t slot = 0; slot < ids.size(); ++slot) {
            if (ids[slot] == e) expected.push_back(static_cast<int32_t>(slot));
        }
    }
    CHECK(plan.offsets()[experts] == static_cast<int32_t>(expected.size()));
    CHECK(std::equal(expected.begin(), expected.end(), plan.offsets() + experts + 1));
    context = outer;
}

inline void plansEveryWay(Device& d) {
    for (const int32_t experts : {1, 2, 31, 33, 128, 512}) {
        for (const int64_t tokens : {0, 1, 7, 64, 65, 513}) {
            if (reduced() && tokens > 100 && experts != 33) continue;
            for (const int32_t top_k : {1, 4}) {
                Random random(static_cast<uint64_t>(tokens + experts));
                std::vector<int32_t> ids(static_cast<size_t>(tokens * top_k));
                // Duplicates, -1 and ids that no expert has among them.
                for (int32_t& id : ids) id = static_cast<int32_t>(random.below(experts + 3)) - 1;
                plansAsStableSort(d, ids, top_k, experts);
            }
        }
    }
    plansAsStableSort(d, std::vector<int32_t>(520, 5), 8, 9);
    plansAsStableSort(d, std::vector<int32_t>(520, -1), 8, 9);
    plansAsStableSort(d, {INT32_MAX, INT32_MIN, 3, -2}, 2, 4);
}

// ---- combination ---------------------------------------------------------------------------------------------------

template <typename Out, typename Y>
void combinesAsPlainLoops(Device& d, int64_t tokens, int32_t top_k, int64_t cols, bool shared, bool gated,
                          bool in_place) {
    const std::string outer = context;
    context += " T=" + std::to_string(tokens) + " k=" + std::to_string(top_k) + " cols " + std::to_string(cols);
    constexpr int32_t kExperts = 6;
    Random random(static_cast<uint64_t>(tokens * 17 + cols));
    const int64_t out_stride = cols + 3, y_stride = cols + 5, slots = tokens * top_k;
    Array<Out> out(d, tokens * out_stride), shared_rows(d, tokens * out_stride);
    Array<Y> y(d, slots * y_stride);
    Array<float> weights(d, slots), shared_gate(d, tokens);
    Array<int32_t> ids(d, slots), present(d, kExperts);
    fill(y, random);
    fill(weights, random);
    fill(shared_rows, random);
    fill(shared_gate, random);
    const bool some = top_k == 3;  // experts are elsewhere
    for (int32_t e = 0; e < kExperts; ++e) present.at[e] = some && e % 3 == 2 ? 0 : e + 1;
    const auto counts = [&](int32_t id) { return id >= 0 && id < kExperts && present.at[id] != 0; };
    for (int64_t s = 0; s < slots; ++s) {
        ids.at[s] = static_cast<int32_t>(random.below(kExperts + 2)) - 1;
        if (counts(ids.at[s])) continue;
        for (int64_t c = 0; c < y_stride; ++c) y.at[s * y_stride + c] = ct::from_float<Y>(kNan);
    }
    const std::vector<Out> before(shared_rows.at, shared_rows.at + shared_rows.size);
    out.poison();
    ct_moe_combine_params p = {};
    p.struct_bytes = sizeof p;
    p.num_tokens = tokens;
    p.cols = cols;
    p.out_stride = p.shared_stride = out_stride;
    p.y_stride = y_stride;
    p.top_k = top_k;
    p.num_experts = kExperts;
    p.out_dtype = p.shared_dtype = kDtype<Out>;
    p.y_dtype = kDtype<Y>;
    Array<Out>& to = in_place ? shared_rows : out;
    CHECK_OK(ct_moe_combine(to.buffer, y.buffer, ids.buffer, weights.buffer, some ? present.buffer : nullptr,
                            shared ? shared_rows.buffer : nullptr, gated ? shared_gate.buffer : nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t t = 0; t < tokens; ++t) {
        for (int64_t c = 0; c < cols; ++c) {
            double sum = 0, magnitude = 0;
            for (int64_t s = t * top_k; s < (t + 1) * top_k; ++s) {
                if (!counts(ids.at[s])) continue;
                sum += value(weights.at[s]) * value(y.at[s * y_stride + c]);
                magnitude += std::fabs(value(weights.at[s]) * value(y.at[s * y_stride + c]));
            }
            if (shared) {
                const double factor = gated ? 1 / (1 + std::exp(-value(shared_gate.at[t]))) : 1;
                sum += factor * value(before[static_cast<size_t>(t * out_stride + c)]);
            }
            CHECK_CLOSE(value(to.at[t * out_stride + c]), sum, tolerance<Out>(sum) + magnitude * 1e-6);
        }
        if (!in_place) {
            for (int64_t c = cols; c < out_stride; ++c) CHECK(untouched(out.at[t * out_stride + c]));
        }
    }
    context = outer;
}

inline void combinesEveryWay(Device& d) {
    for (const int64_t cols : {1, 7, 8, 9, 16, 33, 257}) {
        for (const int32_t top_k : {1, 3}) {
            combinesAsPlainLoops<float, float>(d, 5, top_k, cols, false, false, false);
            combinesAsPlainLoops<float, ct::bf16>(d, 5, top_k, cols, true, false, true);
            combinesAsPlainLoops<ct::bf16, float>(d, 5, top_k, cols, true, true, false);
            combinesAsPlainLoops<ct::bf16, ct::bf16>(d, 5, top_k, cols, true, true, true);
        }
    }
    for (const int64_t tokens : {0, 1, 65}) combinesAsPlainLoops<float, float>(d, tokens, 2, 40, true, true, false);
    combinesAsPlainLoops<ct::bf16, float>(d, 2, 2, 4100, false, false, false);
}

}  // namespace testing
