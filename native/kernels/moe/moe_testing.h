// moe_testing.h: what every device is asked about routing, plans, experts and their combination: plain loops in double,
// and the bits of ct_linear.
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
    void run(Device& d, const Array<float>& logits, const Array<float>* bias, const ct_moe_route_params& p) {
        CHECK_OK(ct_moe_route(ids.buffer, weights.buffer, counts.buffer, logits.buffer, bias ? bias->buffer : nullptr,
                              &p, d.stream));
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

// ---- experts -------------------------------------------------------------------------------------------------------

// A matrix of one of the formats and its values.
struct ExpertMatrix {
    ct_weights* weights = nullptr;
    int64_t rows, cols;
    std::vector<float> values;

    ExpertMatrix(Device& d, Random& random, int64_t n, int64_t k, int32_t format, int32_t dense_dtype)
        : rows(n), cols(k), values(static_cast<size_t>(n * k)) {
        std::vector<unsigned char> bytes;
        std::vector<float> scales;
        std::vector<uint8_t> zeros;
        ct_weights_part part = {};
        part.format = format;
        part.rows = n;
        if (format == CT_FORMAT_F32 || format == CT_FORMAT_BF16 || format == CT_FORMAT_F16) {
            const auto size = static_cast<size_t>(ct::dtype_bytes(format));
            bytes.resize(values.size() * size);
            for (size_t i = 0; i < values.size(); ++i) {
                const float v = random.normal(0.2f);
                const ct::bf16 b = ct::to_bf16(v);
                const ct::f16 h = ct::to_f16(v);
                const void* from = format == CT_FORMAT_F32   ? static_cast<const void*>(&v)
                                   : format == CT_FORMAT_F16 ? static_cast<const void*>(&h)
                                                             : &b;
                std::memcpy(bytes.data() + i * size, from, size);
            }
            CHECK_OK(ct_dequantize(values.data(), bytes.data(), n * k, static_cast<int64_t>(bytes.size()), format));
        } else if (format == CT_FORMAT_INT4 || format == CT_FORMAT_F8_E4M3) {
            const bool int4 = format == CT_FORMAT_INT4;
            part.scale_rows = int4 ? 1 : 128;
            part.scale_cols = int4 ? 32 : 128;
            const int64_t across = (k + part.scale_cols - 1) / part.scale_cols;
            part.num_scales = (n + part.scale_rows - 1) / part.scale_rows * across;
            for (int64_t i = 0; i < part.num_scales; ++i) {
                scales.push_back(0.05f + 0.01f * std::fabs(random.normal()));
                zeros.push_back(static_cast<uint8_t>(6 + random.below(5)));
            }
            bytes.resize(int4 ? values.size() / 2 : values.size());
            for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.below(int4 ? 256 : 0x48));
            CHECK_OK(ct_dequantize(values.data(), bytes.data(), n * k, static_cast<int64_t>(bytes.size()), format));
            for (int64_t i = 0; i < n * k; ++i) {
                const auto at = static_cast<size_t>(i / k / part.scale_rows * across + i % k / part.scale_cols);
                float& v = values[static_cast<size_t>(i)];
                v = (int4 ? v + 8 - static_cast<float>(zeros[at]) : v) * scales[at];
            }
            part.scales = scales.data();
            part.zeros = int4 ? zeros.data() : nullptr;
        } else {  // a block format of ggml's
            const bool q4k = format == CT_FORMAT_Q4_K, q8 = format == CT_FORMAT_Q8_0;
            CHECK(q4k || q8 || format == CT_FORMAT_MXFP4);
            const int64_t block = q4k ? 256 : 32, size = q4k ? 144 : q8 ? 34 : 17;
            bytes.resize(static_cast<size_t>(n * k / block * size));
            for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.below(256));
            for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(size)) {
                const uint16_t halves[2] = {ct::to_f16(q8 ? 0.003f : 0.002f).bits, ct::to_f16(0.003f).bits};
                if (q4k || q8) std::memcpy(bytes.data() + at, halves, q4k ? 4 : 2);
                if (!q4k && !q8) bytes[at] = static_cast<unsigned char>(122 + random.below(4));
            }
            CHECK_OK(ct_dequantize(values.data(), bytes.data(), n * k, static_cast<int64_t>(bytes.size()), format));
        }
        part.data = bytes.data();
        part.data_bytes = static_cast<int64_t>(bytes.size());
        CHECK_OK(ct_weights_create(&weights, d.device, &part, 1, k, dense_dtype, CT_WEIGHTS_LINEAR));
    }
    ~ExpertMatrix() { CHECK_OK(ct_weights_destroy(weights)); }
    ExpertMatrix(const ExpertMatrix&) = delete;
    ExpertMatrix& operator=(const ExpertMatrix&) = delete;
    double at(int64_t row, int64_t col) const {
        return static_cast<double>(values[static_cast<size_t>(row * cols + col)]);
    }
};

struct Layer {
    int32_t num_experts;
    int64_t hidden, inner;
    std::vector<std::unique_ptr<ExpertMatrix>> gate, up, down;
    Array<float> gate_bias, up_bias, down_bias;
    ct_experts* experts = nullptr;

    // absent: an expert that is not there; -1: none.
    Layer(Device& d, int32_t e, int64_t h, int64_t i, int32_t format, int32_t down_format, int32_t dense_dtype,
          int32_t absent = -1)
        : num_experts(e), hidden(h), inner(i), gate_bias(d, e * i), up_bias(d, e * i), down_bias(d, e * h) {
        Random random(static_cast<uint64_t>(h * 31 + i + format));
        std::vector<const ct_weights*> gates, ups, downs;
        for (int32_t n = 0; n < e; ++n) {
            gate.push_back(std::make_unique<ExpertMatrix>(d, random, i, h, format, dense_dtype));
            up.push_back(std::make_unique<ExpertMatrix>(d, random, i, h, format, dense_dtype));
            down.push_back(std::make_unique<ExpertMatrix>(d, random, h, i, down_format, dense_dtype));
            gates.push_back(n == absent ? nullptr : gate.back()->weights);
            ups.push_back(n == absent ? nullptr : up.back()->weights);
            downs.push_back(n == absent ? nullptr : down.back()->weights);
        }
        fill(gate_bias, random);
        fill(up_bias, random);
        fill(down_bias, random);
        CHECK_OK(ct_experts_create(&experts, d.device, gates.data(), ups.data(), downs.data(), e));
    }
    ~Layer() { CHECK_OK(ct_experts_destroy(experts)); }
    Layer(const Layer&) = delete;
    Layer& operator=(const Layer&) = delete;
};

struct ExpertsCall {
    int32_t top_k = 2;
    int32_t x_dtype = CT_BF16;
    int32_t y_dtype = CT_F32;
    int32_t activation = CT_MOE_SILU;
    bool biases = false;
    int64_t x_padding = 0;
    int64_t y_padding = 0;
};

inline double read_element(const unsigned char* bytes, int64_t i, int32_t dtype) {
    if (dtype == CT_F32) return static_cast<double>(reinterpret_cast<const float*>(bytes)[i]);
    return static_cast<double>(ct::to_float(reinterpret_cast<const ct::bf16*>(bytes)[i]));
}

inline std::vector<unsigned char> random_elements(Random& random, int64_t count, int32_t dtype) {
    std::vector<unsigned char> bytes(static_cast<size_t>(count * ct::dtype_bytes(dtype)));
    for (int64_t i = 0; i < count; ++i) {
        const float v = random.normal();
        const ct::bf16 b = ct::to_bf16(v);
        if (dtype == CT_F32) {
            std::memcpy(bytes.data() + 4 * i, &v, 4);
        } else {
            std::memcpy(bytes.data() + 2 * i, &b, 2);
        }
    }
    return bytes;
}

// The rows of y, packed; poisoned where nothing was written. x is packed.
inline std::vector<unsigned char> run_experts(Device& d, const Layer& layer, const unsigned char* x_rows,
                                              const std::vector<int32_t>& ids, const ExpertsCall& call) {
    const auto slots = static_cast<int64_t>(ids.size());
    const int64_t tokens = slots / call.top_k;
    const int64_t x_bytes = ct::dtype_bytes(call.x_dtype), y_bytes = ct::dtype_bytes(call.y_dtype);
    ct_moe_params p = {};
    p.struct_bytes = sizeof p;
    p.num_tokens = tokens;
    p.x_stride = layer.hidden + call.x_padding;
    p.y_stride = layer.hidden + call.y_padding;
    p.top_k = call.top_k;
    p.x_dtype = call.x_dtype;
    p.y_dtype = call.y_dtype;
    p.activation = call.activation;
    p.alpha = 1.702f;
    p.limit = 2.0f;
    const Array<int32_t> on_device(d, ids);
    const Plan plan(d, on_device, tokens, call.top_k, layer.num_experts);
    Array<unsigned char> x(d, tokens * p.x_stride * x_bytes), y(d, slots * p.y_stride * y_bytes);
    x.poison();
    y.poison();
    for (int64_t t = 0; t < tokens; ++t) {
        std::memcpy(x.at + t * p.x_stride * x_bytes, x_rows + t * layer.hidden * x_bytes,
                    static_cast<size_t>(layer.hidden * x_bytes));
    }
    int64_t bytes = 0;
    CHECK_OK(ct_moe_workspace_bytes(&bytes, layer.experts, &p));
    Array<unsigned char> workspace(d, bytes);
    workspace.poison();
    CHECK_OK(ct_moe_experts(y.buffer, x.buffer, plan.plan->buffer, layer.experts,
                            call.biases ? layer.gate_bias.buffer : nullptr,
                            call.biases ? layer.up_bias.buffer : nullptr,
                            call.biases ? layer.down_bias.buffer : nullptr, workspace.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<unsigned char> out;
    for (int64_t s = 0; s < slots; ++s) {
        const unsigned char* row = y.at + s * p.y_stride * y_bytes;
        out.insert(out.end(), row, row + layer.hidden * y_bytes);
        const unsigned char* gap = row + layer.hidden * y_bytes;
        CHECK(std::all_of(gap, gap + call.y_padding * y_bytes, [](unsigned char b) { return b == 0xff; }));
    }
    return out;
}

inline double simple_gate(double gate, double up, int32_t activation) {
    if (activation == CT_MOE_GELU_TANH) {
        return 0.5 * gate * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) * up;
    }
    if (activation == CT_MOE_SILU) return gate / (1 + std::exp(-gate)) * up;
    const double g = std::min(gate, 2.0), u = std::clamp(up, -2.0, 2.0);
    return (u + 1) * g / (1 + std::exp(-static_cast<double>(1.702f) * g));
}

inline std::vector<int32_t> random_ids(Random& random, int64_t tokens, int32_t top_k, int32_t experts) {
    std::vector<int32_t> ids;
    for (int64_t s = 0; s < tokens * top_k; ++s) ids.push_back(static_cast<int32_t>(random.below(experts)));
    return ids;
}

inline bool is_untouched(const std::vector<unsigned char>& y, int64_t row, int64_t row_bytes) {
    return std::all_of(y.begin() + row * row_bytes, y.begin() + (row + 1) * row_bytes,
                       [](unsigned char b) { return b == 0xff; });
}

inline void expertsMatchPlainLoops(Device& d, const Layer& layer, const std::vector<int32_t>& ids,
                                   const ExpertsCall& call, int32_t absent = -1) {
    const std::string outer = context;
    const auto slots = static_cast<int64_t>(ids.size());
    context += " E=" + std::to_string(layer.num_experts) + " T=" + std::to_string(slots / call.top_k) +
               " k=" + std::to_string(call.top_k) + " H=" + std::to_string(layer.hidden) +
               " I=" + std::to_string(layer.inner) + " x " + std::to_string(call.x_dtype) + " activation " +
               std::to_string(call.activation);
    Random random(static_cast<uint64_t>(slots * 131 + layer.hidden));
    const std::vector<unsigned char> x = random_elements(random, slots / call.top_k * layer.hidden, call.x_dtype);
    const std::vector<unsigned char> y = run_experts(d, layer, x.data(), ids, call);
    // Rounding of the sums, and of what is between the products.
    const double rounding = call.x_dtype == CT_BF16 ? 0x1p-8 : 0x1p-21;
    std::vector<double> between(static_cast<size_t>(layer.inner));
    const auto dot = [](double sum, int64_t n, auto term, double* magnitude) {
        for (int64_t i = 0; i < n; ++i) {
            sum += term(i);
            *magnitude += std::fabs(term(i));
        }
        return sum;
    };
    for (int64_t s = 0; s < slots; ++s) {
        const int32_t e = ids[static_cast<size_t>(s)];
        if (e < 0 || e >= layer.num_experts || e == absent) {
            CHECK(is_untouched(y, s, layer.hidden * ct::dtype_bytes(call.y_dtype)));
            continue;
        }
        const auto n = static_cast<size_t>(e);
        const auto x_at = [&](int64_t i) {
            return read_element(x.data(), s / call.top_k * layer.hidden + i, call.x_dtype);
        };
        double most = 0;
        for (int64_t i = 0; i < layer.inner; ++i) {
            double ignored = 0;
            const auto bias = [&](const Array<float>& b) {
                return call.biases ? value(b.at[e * layer.inner + i]) : 0.0;
            };
            const double g = dot(
                bias(layer.gate_bias), layer.hidden, [&](int64_t k) { return x_at(k) * layer.gate[n]->at(i, k); },
                &ignored);
            const double u = dot(
                bias(layer.up_bias), layer.hidden, [&](int64_t k) { return x_at(k) * layer.up[n]->at(i, k); },
                &ignored);
            between[static_cast<size_t>(i)] = simple_gate(g, u, call.activation);
            // The sums of gate and up are wrong by so much at most, and their product by that times the other.
            most = std::max(most, ignored * 0x1p-22 * (1 + std::fabs(g) + std::fabs(u)));
        }
        for (int64_t c = 0; c < layer.hidden; ++c) {
            double magnitude = 0, weights = 0;
            const double expected = dot(
                call.biases ? value(layer.down_bias.at[e * layer.hidden + c]) : 0.0, layer.inner,
                [&](int64_t i) { return between[static_cast<size_t>(i)] * layer.down[n]->at(c, i); }, &magnitude);
            for (int64_t i = 0; i < layer.inner; ++i) weights += std::fabs(layer.down[n]->at(c, i));
            double tolerance = magnitude * rounding + weights * most + 1e-6;
            if (call.y_dtype == CT_BF16) tolerance += std::fabs(expected) * 0x1p-8;
            CHECK_CLOSE(read_element(y.data(), s * layer.hidden + c, call.y_dtype), expected, tolerance);
        }
    }
    context = outer;
}

// Every expert's rows are those that ct_linear, the activation and ct_linear give.
inline void expertsAreLinear(Device& d, const Layer& layer, const ExpertsCall& given) {
    ExpertsCall call = given;
    call.activation = CT_MOE_SILU;
    constexpr int64_t kTokens = 37;
    Random random(23);
    const std::vector<unsigned char> x = random_elements(random, kTokens * layer.hidden, call.x_dtype);
    const std::vector<int32_t> ids = random_ids(random, kTokens, call.top_k, layer.num_experts);
    const std::vector<unsigned char> y = run_experts(d, layer, x.data(), ids, call);
    const int64_t x_row = layer.hidden * ct::dtype_bytes(call.x_dtype);
    const int64_t y_row = layer.hidden * ct::dtype_bytes(call.y_dtype);
    for (int32_t e = 0; e < layer.num_experts; ++e) {
        std::vector<size_t> slots;
        for (size_t s = 0; s < ids.size(); ++s) {
            if (ids[s] == e) slots.push_back(s);
        }
        const auto rows = static_cast<int64_t>(slots.size());
        if (rows == 0) continue;
        const auto n = static_cast<size_t>(e);
        Array<unsigned char> own_x(d, rows * x_row), own_y(d, rows * y_row);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t token = static_cast<int64_t>(slots[static_cast<size_t>(r)]) / call.top_k;
            std::copy_n(x.data() + token * x_row, x_row, own_x.at + r * x_row);
        }
        Array<float> both(d, rows * 2 * layer.inner), gated(d, rows * layer.inner), gates(d, rows * layer.inner),
            ups(d, rows * layer.inner), gate_bias(d, layer.inner), up_bias(d, layer.inner), down_bias(d, layer.hidden);
        std::copy_n(layer.gate_bias.at + e * layer.inner, layer.inner, gate_bias.at);
        std::copy_n(layer.up_bias.at + e * layer.inner, layer.inner, up_bias.at);
        std::copy_n(layer.down_bias.at + e * layer.hidden, layer.hidden, down_bias.at);
        const auto linear = [&](ct_buffer* to, const ct_buffer* from, const ExpertMatrix& w, const Array<float>& bias,
                                int32_t to_dtype) {
            CHECK_OK(ct_linear(to, from, w.weights, call.biases ? bias.buffer : nullptr, rows, w.rows, w.cols, to_dtype,
                               call.x_dtype, d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
        };
        linear(gates.buffer, own_x.buffer, *layer.gate[n], gate_bias, CT_F32);
        linear(ups.buffer, own_x.buffer, *layer.up[n], up_bias, CT_F32);
        for (int64_t r = 0; r < rows; ++r) {
            std::copy_n(gates.at + r * layer.inner, layer.inner, both.at + r * 2 * layer.inner);
            std::copy_n(ups.at + r * layer.inner, layer.inner, both.at + (r * 2 + 1) * layer.inner);
        }
        CHECK_OK(ct_activation_mul(gated.buffer, both.buffer, rows, layer.inner, layer.inner, 2 * layer.inner, CT_F32,
                                   CT_SILU, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        Array<unsigned char> between(d, rows * layer.inner * ct::dtype_bytes(call.x_dtype));
        for (int64_t i = 0; i < rows * layer.inner; ++i) {
            if (call.x_dtype == CT_F32) {
                reinterpret_cast<float*>(between.at)[i] = gated.at[i];
            } else {
                reinterpret_cast<ct::bf16*>(between.at)[i] = ct::to_bf16(gated.at[i]);
            }
        }
        linear(own_y.buffer, between.buffer, *layer.down[n], down_bias, call.y_dtype);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t s = static_cast<int64_t>(slots[static_cast<size_t>(r)]);
            CHECK(std::memcmp(own_y.at + r * y_row, y.data() + s * y_row, static_cast<size_t>(y_row)) == 0);
        }
    }
}

// A token's rows in batches of other sizes, among other tokens, one of which is NaN.
inline void expertsRowsDependOnNothingElse(Device& d, const Layer& layer, const ExpertsCall& call) {
    const int64_t tokens = reduced() ? 40 : 200;
    Random random(29);
    const std::vector<unsigned char> x = random_elements(random, tokens * layer.hidden, call.x_dtype);
    const std::vector<int32_t> ids = random_ids(random, tokens, call.top_k, layer.num_experts);
    const std::vector<unsigned char> all = run_experts(d, layer, x.data(), ids, call);
    const int64_t x_row = layer.hidden * ct::dtype_bytes(call.x_dtype);
    const int64_t y_token = call.top_k * layer.hidden * ct::dtype_bytes(call.y_dtype);
    for (const int64_t count : {1, 2, 7, 17, 33}) {
        std::vector<unsigned char> some_x;
        std::vector<int32_t> some_ids;
        std::vector<int64_t> chosen;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t t = random.below(tokens);
            chosen.push_back(t);
            some_x.insert(some_x.end(), x.begin() + t * x_row, x.begin() + (t + 1) * x_row);
            some_ids.insert(some_ids.end(), ids.begin() + t * call.top_k, ids.begin() + (t + 1) * call.top_k);
        }
        const int64_t broken = count > 1 ? random.below(count) : -1;
        if (broken >= 0) std::fill_n(some_x.begin() + broken * x_row, x_row, static_cast<unsigned char>(0xff));
        ExpertsCall padded = call;
        padded.x_padding = padded.y_padding = 8;
        const std::vector<unsigned char> some = run_experts(d, layer, some_x.data(), some_ids, padded);
        for (int64_t i = 0; i < count; ++i) {
            if (i == broken) {
                CHECK(std::isnan(read_element(some.data() + i * y_token, 0, call.y_dtype)));
            } else {
                CHECK(std::memcmp(some.data() + i * y_token, all.data() + chosen[static_cast<size_t>(i)] * y_token,
                                  static_cast<size_t>(y_token)) == 0);
            }
        }
    }
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
    Array<int32_t> ids(d, slots);
    fill(y, random);
    fill(weights, random);
    fill(shared_rows, random);
    fill(shared_gate, random);
    for (int64_t s = 0; s < slots; ++s) {
        ids.at[s] = static_cast<int32_t>(random.below(kExperts + 2)) - 1;
        if (ids.at[s] >= 0 && ids.at[s] < kExperts) continue;
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
    CHECK_OK(ct_moe_combine(to.buffer, y.buffer, ids.buffer, weights.buffer, shared ? shared_rows.buffer : nullptr,
                            gated ? shared_gate.buffer : nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t t = 0; t < tokens; ++t) {
        for (int64_t c = 0; c < cols; ++c) {
            double sum = 0, magnitude = 0;
            for (int64_t s = t * top_k; s < (t + 1) * top_k; ++s) {
                if (ids.at[s] < 0 || ids.at[s] >= kExperts) continue;
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
