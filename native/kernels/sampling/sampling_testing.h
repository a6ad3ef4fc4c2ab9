// sampling_testing.h: what every device is asked about ct_sample: a full sort in double.
#pragma once

#include "kernels/sampling/sampling.h"
#include "tests/kernel_testing.h"

namespace testing {

inline constexpr float kInf = std::numeric_limits<float>::infinity();

struct Row {
    std::vector<float> logits;
    float temperature = 1;
    int32_t top_k = 0;
    float top_p = 1;
    float min_p = 0;
    int64_t seed = 1;
    int64_t position = 0;
    int32_t forced = -1;
    std::vector<std::pair<int32_t, float>> bias = {};
};

struct Result {
    int32_t token, rank, status;
    float logprob;
    std::vector<int32_t> top_ids;
    std::vector<float> top_logprobs;
    bool operator==(const Result& o) const {
        return token == o.token && rank == o.rank && status == o.status && same_bits(logprob, o.logprob) &&
               top_ids == o.top_ids && top_logprobs == o.top_logprobs;
    }
};

inline std::vector<Result> sample(Device& d, const std::vector<Row>& rows, int64_t max_top) {
    auto n = static_cast<int64_t>(rows.size());
    auto vocab = static_cast<int64_t>(rows[0].logits.size());
    int64_t stride = vocab + 3;
    Array<float> logits(d, n * stride), logprob(d, n);
    Array<int32_t> token(d, n), rank(d, n), status(d, n);
    Array<ct_sample_row> params(d, n);
    Array<int32_t> top_ids(d, n * max_top);
    Array<float> top_logprobs(d, n * max_top);
    std::vector<int32_t> ids;
    std::vector<float> values;
    for (int64_t r = 0; r < n; ++r) {
        const Row& row = rows[static_cast<size_t>(r)];
        std::copy(row.logits.begin(), row.logits.end(), logits.at + r * stride);
        ct_sample_row& to = params.at[r];
        to = {};
        to.flags = CT_SAMPLE_LOGPROBS;
        to.num_top = static_cast<int32_t>(max_top);
        to.temperature = row.temperature;
        to.top_k = row.top_k;
        to.top_p = row.top_p;
        to.min_p = row.min_p;
        to.seed = row.seed;
        to.position = row.position;
        to.forced = row.forced;
        to.state_slot = to.mask_row = to.allowed_row = -1;
        to.bias_begin = static_cast<int32_t>(ids.size());
        for (auto [id, bias] : row.bias) {
            ids.push_back(id);
            values.push_back(bias);
        }
        to.bias_end = static_cast<int32_t>(ids.size());
    }
    Array<int32_t> bias_ids(d, ids);
    Array<float> bias_values(d, values);
    token.poison();
    logprob.poison();
    top_logprobs.poison();
    ct_sample_params p{};
    p.struct_bytes = sizeof p;
    p.num_rows = n;
    p.vocab_size = vocab;
    p.logits_stride = stride;
    p.num_bias = static_cast<int64_t>(ids.size());
    p.max_top_logprobs = max_top;
    bool biased = !ids.empty();
    int64_t workspace_bytes = 0;
    CHECK_OK(ct_sample_workspace_bytes(&workspace_bytes, d.device, &p));
    Array<unsigned char> workspace(d, workspace_bytes);
    CHECK_OK(ct_sample(token.buffer, logprob.buffer, rank.buffer, max_top ? top_ids.buffer : nullptr,
                       max_top ? top_logprobs.buffer : nullptr, status.buffer, nullptr, logits.buffer, params.buffer,
                       biased ? bias_ids.buffer : nullptr, biased ? bias_values.buffer : nullptr, nullptr, nullptr,
                       workspace.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<Result> results;
    for (int64_t r = 0; r < n; ++r) {
        results.push_back({token.at[r],
                           rank.at[r],
                           status.at[r],
                           logprob.at[r],
                           {top_ids.at + r * max_top, top_ids.at + (r + 1) * max_top},
                           {top_logprobs.at + r * max_top, top_logprobs.at + (r + 1) * max_top}});
    }
    return results;
}

inline std::vector<size_t> order_of(const std::vector<double>& x) {
    std::vector<size_t> order(x.size());
    for (size_t i = 0; i < x.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] > x[b]; });
    return order;
}

struct Expected {
    int32_t token;
    bool sure;  // not within rounding of a boundary
};

// The obvious version: sort everything, cut, walk by id.
inline Expected simple_draw(const Row& row, const std::vector<double>& biased, const std::vector<size_t>& order) {
    if (row.temperature < 1e-5f) return {static_cast<int32_t>(order[0]), true};
    bool sure = true;
    std::vector<double> weight(biased.size());
    double largest = biased[order[0]];
    for (size_t i = 0; i < biased.size(); ++i) {
        if (std::isinf(biased[i])) continue;
        weight[i] = std::exp((biased[i] - largest) / static_cast<double>(row.temperature));
    }
    std::vector<size_t> kept;
    for (size_t i : order) {
        if (std::isinf(biased[i])) continue;
        double least = std::min(1.0, static_cast<double>(row.min_p));
        if (row.min_p > 0 && weight[i] < least && !kept.empty()) {
            sure = sure && weight[i] < least * (1 - 1e-12);
            continue;
        }
        if (row.min_p > 0 && weight[i] < 1 && weight[i] < least * (1 + 1e-12)) sure = false;
        kept.push_back(i);
    }
    if (row.top_k > 0 && kept.size() > static_cast<size_t>(row.top_k)) kept.resize(static_cast<size_t>(row.top_k));
    double whole = 0;
    for (size_t i : kept) whole += weight[i];
    if (row.top_p < 1) {
        double sum = 0, target = static_cast<double>(row.top_p) * whole;
        for (size_t n = 0; n < kept.size(); ++n) {
            sum += weight[kept[n]];
            if (std::fabs(sum - target) < 1e-5 * whole) sure = false;
            if (sum >= target) {
                kept.resize(n + 1);
                whole = sum;
                break;
            }
        }
    }
    std::sort(kept.begin(), kept.end());
    double target = ct::uniform_of(row.seed, row.position) * whole, sum = 0;
    for (size_t i : kept) {
        sum += weight[i];
        if (std::fabs(sum - target) < 1e-5 * whole) sure = false;
        if (sum >= target && weight[i] > 0) return {static_cast<int32_t>(i), sure};
    }
    return {-2, false};
}

inline int64_t sure_rows = 0, unsure_rows = 0;

inline void expect(const Row& row, const Result& got, int64_t max_top) {
    std::vector<double> biased(row.logits.begin(), row.logits.end()), allowed = biased;
    bool finite = true;
    for (float v : row.logits) finite = finite && v < kInf;
    for (auto [id, bias] : row.bias) {
        if (id < 0 || static_cast<size_t>(id) >= biased.size()) continue;
        size_t i = static_cast<size_t>(id);
        biased[i] = static_cast<double>(static_cast<float>(biased[i]) + bias);
        if (bias == -kInf) allowed[i] = -INFINITY;
    }
    for (double v : biased) finite = finite && v < INFINITY;
    bool empty = std::all_of(biased.begin(), biased.end(), [](double v) { return v == -INFINITY; });
    if (!finite || empty || row.forced >= static_cast<int32_t>(row.logits.size())) {
        CHECK(got.status == (finite ? CT_SAMPLE_EMPTY : CT_SAMPLE_NOT_FINITE));
        CHECK(got.token == -1);
        for (int32_t id : got.top_ids) CHECK(id == -1);
        return;
    }
    CHECK(got.status == CT_SAMPLE_OK);
    CHECK(got.token >= 0 && got.token < static_cast<int32_t>(biased.size()));
    if (got.token < 0 || got.token >= static_cast<int32_t>(biased.size())) return;
    Expected expected = row.forced >= 0 ? Expected{row.forced, true} : simple_draw(row, biased, order_of(biased));
    ++(expected.sure ? sure_rows : unsure_rows);
    if (expected.sure) CHECK(got.token == expected.token);
    std::vector<size_t> order = order_of(allowed);
    double sum = 0;
    for (double v : allowed) sum += std::exp(v - allowed[order[0]]);
    auto logprob = [&](size_t id) { return allowed[id] - allowed[order[0]] - std::log(sum); };
    auto token = static_cast<size_t>(got.token);
    CHECK_CLOSE(static_cast<double>(got.logprob), logprob(token), 1e-5 + 1e-6 * std::fabs(logprob(token)));
    CHECK(order[static_cast<size_t>(got.rank - 1)] == token);
    for (size_t i = 0; i < static_cast<size_t>(max_top); ++i) {
        bool exists = i < order.size() && allowed[order[i]] > -INFINITY;
        CHECK(got.top_ids[i] == (exists ? static_cast<int32_t>(order[i]) : -1));
        double top = exists ? logprob(order[i]) : -INFINITY;
        CHECK_CLOSE(static_cast<double>(got.top_logprobs[i]), top, 1e-5 + 1e-6 * std::fabs(top));
    }
}

inline Row random_row(Random& random, int64_t vocab) {
    Row row;
    float scale = std::exp(random.normal(1.5f));
    bool coarse = random.below(3) == 0;  // many ties
    for (int64_t i = 0; i < vocab; ++i) {
        float v = random.normal(scale);
        row.logits.push_back(coarse ? std::round(v) : v);
    }
    constexpr float kTemperatures[] = {0, 1e-6f, 0.1f, 0.7f, 1, 1, 2, 50, kInf};
    constexpr float kTopP[] = {1, 1, 0, -1, 0.1f, 0.5f, 0.9f, 0.99f, 0.999f, kNan};
    constexpr float kMinP[] = {0, 0, -1, 0.01f, 0.2f, 1, 2, 1e-30f};
    const int64_t top_k[] = {0, 0, -5, 1, 2, 40, vocab - 1, vocab, vocab + 1};
    row.temperature = kTemperatures[random.below(9)];
    row.top_p = kTopP[random.below(10)];
    row.min_p = kMinP[random.below(8)];
    row.top_k = static_cast<int32_t>(top_k[random.below(9)]);
    row.seed = static_cast<int64_t>(random.engine());
    row.position = random.below(100000);
    if (random.below(8) == 0) row.forced = static_cast<int32_t>(random.below(vocab + 2));
    if (random.below(3) == 0) {
        for (int64_t i = random.below(6); i >= 0; --i) {
            row.bias.push_back(
                {static_cast<int32_t>(random.below(vocab + 2) - 1), random.below(2) ? -kInf : random.normal(5)});
        }
    }
    if (random.below(6) == 0) row.logits[static_cast<size_t>(random.below(vocab))] = -kInf;
    if (random.below(15) == 0) row.logits[static_cast<size_t>(random.below(vocab))] = kInf;
    if (random.below(15) == 0) row.logits[static_cast<size_t>(random.below(vocab))] = kNan;
    if (random.below(15) == 0) std::fill(row.logits.begin(), row.logits.end(), random.below(2) ? -kInf : -0.0f);
    return row;
}

inline void matchesTheSort(Device& d, int64_t vocab, int64_t num_rows) {
    Random random(static_cast<uint64_t>(vocab));
    int64_t max_top = vocab % 3 == 0 ? 0 : 8;
    std::vector<Row> rows;
    for (int64_t r = 0; r < num_rows; ++r) rows.push_back(random_row(random, vocab));
    std::vector<Result> results = sample(d, rows, max_top);
    for (size_t r = 0; r < rows.size(); ++r) {
        const Row& row = rows[r];
        context = "vocab " + std::to_string(vocab) + ", row " + std::to_string(r) + ", temperature " +
                  std::to_string(row.temperature) + ", k " + std::to_string(row.top_k) + ", p " +
                  std::to_string(row.top_p) + ", min_p " + std::to_string(row.min_p);
        expect(row, results[r], max_top);
    }
    // Alone and in another order a row gives the same bits.
    std::vector<Row> reversed(rows.rbegin(), rows.rend());
    std::vector<Result> again = sample(d, reversed, max_top);
    for (size_t r = 0; r < rows.size(); ++r) CHECK(again[rows.size() - 1 - r] == results[r]);
    if (rows[0].bias.empty()) CHECK(sample(d, {rows[0]}, max_top)[0] == results[0]);
}

inline void drawsWithTheRightFrequencies(Device& d) {
    const double weights[] = {0.5, 0.25, 0.15, 0.07, 0.03};
    Row row;
    for (double w : weights) row.logits.push_back(static_cast<float>(std::log(w)));
    std::vector<Row> rows;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
        row.position = i;
        rows.push_back(row);
    }
    int counts[5] = {};
    for (const Result& result : sample(d, rows, 0)) ++counts[result.token];
    double chi = 0;
    for (int i = 0; i < 5; ++i) {
        double expected = weights[i] * kDraws;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    CHECK(chi < 18.5);  // 4 degrees of freedom: one seed in a thousand
}

}  // namespace testing
