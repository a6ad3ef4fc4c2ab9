// sampling_testing.h: what every device is asked about ct_sample.
#pragma once

#include "kernels/sampling/sampling_reference.h"

namespace testing {

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

// Buffers of one call. Rows with a state take the slot of their place and reset it, but where they name one themselves.
class Call {
public:
    Call(Device& d, const std::vector<Row>& rows, int64_t max_top, ct_buffer* state = nullptr, int64_t num_slots = 0,
         bool halves = false, bool shares_slots = true)
        : d_(d),
          n_(static_cast<int64_t>(rows.size())),
          max_top_(max_top),
          own_state_(d, state || rows.empty() ? 0 : n_ * ct::slot_words(static_cast<int64_t>(rows[0].logits.size()))),
          state_(state ? state : own_state_.buffer),
          token_(d, n_),
          rank_(d, n_),
          status_(d, n_),
          top_ids_(d, n_ * max_top),
          logprob_(d, n_),
          top_logprobs_(d, n_ * max_top),
          params_(d, n_) {
        const auto vocab = static_cast<int64_t>(rows[0].logits.size());
        const int64_t stride = vocab + 3;
        Array<float> logits(d, n_ * stride);
        Array<ct::bf16> narrow(d, halves ? n_ * stride : 0);
        std::vector<int32_t> ids, history, masks;
        std::vector<float> values;
        const int64_t words = (vocab + 31) / 32;
        for (int64_t r = 0; r < n_; ++r) {
            const Row& row = rows[static_cast<size_t>(r)];
            std::copy(row.logits.begin(), row.logits.end(), logits.at + r * stride);
            for (int64_t i = 0; halves && i < vocab; ++i) {
                narrow.at[r * stride + i] = ct::from_float<ct::bf16>(row.logits[static_cast<size_t>(i)]);
            }
            ct_sample_row& to = params_.at[r];
            to = row.p;
            to.num_top = static_cast<int32_t>(max_top);
            auto add_bias = [&](const auto& entries) {
                for (auto [id, bias] : entries) {
                    ids.push_back(id);
                    values.push_back(bias);
                }
                return static_cast<int32_t>(ids.size());
            };
            to.bias_begin = static_cast<int32_t>(ids.size());
            to.bias_end = to.dry_begin = add_bias(row.bias);
            to.dry_end = add_bias(row.dry);
            to.prompt_begin = static_cast<int32_t>(history.size());
            history.insert(history.end(), row.prompt.begin(), row.prompt.end());
            to.output_begin = static_cast<int32_t>(history.size());
            history.insert(history.end(), row.output.begin(), row.output.end());
            to.history_end = static_cast<int32_t>(history.size());
            auto add_mask = [&](const std::vector<int32_t>& mask, int32_t& to_row) {
                if (mask.empty()) return;
                to_row = static_cast<int32_t>(static_cast<int64_t>(masks.size()) / (words + 1));
                masks.insert(masks.end(), mask.begin(), mask.end());
                masks.push_back(0x5a5a5a5a);
            };
            add_mask(row.mask, to.mask_row);
            add_mask(row.allowed, to.allowed_row);
            if (!state && row.has_state()) {
                to.state_slot = static_cast<int32_t>(r);
                to.flags |= CT_SAMPLE_RESET;
            }
        }
        ct_sample_params p{};
        p.struct_bytes = sizeof p;
        p.num_rows = n_;
        p.vocab_size = vocab;
        p.logits_stride = stride;
        p.logits_dtype = halves ? CT_BF16 : CT_F32;
        p.num_bias = static_cast<int64_t>(ids.size());
        p.max_top_logprobs = max_top;
        p.num_history = static_cast<int64_t>(history.size());
        p.num_masks = static_cast<int64_t>(masks.size()) / (words + 1);
        p.mask_stride = words + 1;
        p.num_slots = state ? num_slots : n_;
        auto assumes = [](const Row& row) { return (row.p.flags & CT_SAMPLE_ASSUME) != 0; };
        p.shares_slots = shares_slots && std::any_of(rows.begin(), rows.end(), assumes);
        Array<int32_t> bias_ids(d, ids), history_ids(d, history), mask_words(d, masks);
        Array<float> bias_values(d, values);
        token_.poison();
        logprob_.poison();
        rank_.poison();
        top_logprobs_.poison();
        int64_t bytes = 0;
        CHECK_OK(ct_sample_workspace_bytes(&bytes, d.device, &p));
        Array<unsigned char> workspace(d, bytes);
        CHECK_OK(ct_sample(token_.buffer, logprob_.buffer, rank_.buffer, top_ids_.buffer, top_logprobs_.buffer,
                           status_.buffer, state_, halves ? narrow.buffer : logits.buffer, params_.buffer,
                           bias_ids.buffer, bias_values.buffer, history_ids.buffer, mask_words.buffer, workspace.buffer,
                           &p, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
    }

    std::vector<Result> results() const {
        std::vector<Result> results;
        for (int64_t r = 0; r < n_; ++r) {
            results.push_back({token_.at[r],
                               rank_.at[r],
                               status_.at[r],
                               logprob_.at[r],
                               {top_ids_.at + r * max_top_, top_ids_.at + (r + 1) * max_top_},
                               {top_logprobs_.at + r * max_top_, top_logprobs_.at + (r + 1) * max_top_}});
        }
        return results;
    }

private:
    Device& d_;
    int64_t n_, max_top_;
    Array<int32_t> own_state_;
    ct_buffer* state_;
    Array<int32_t> token_, rank_, status_, top_ids_;
    Array<float> logprob_, top_logprobs_;
    Array<ct_sample_row> params_;
};

inline std::vector<Result> sample(Device& d, const std::vector<Row>& rows, int64_t max_top) {
    return Call(d, rows, max_top).results();
}

inline int64_t sure_rows = 0, unsure_rows = 0;

inline void expect_tops(const Result& got, const std::vector<Token>& order, double largest, double log_mass,
                        double temperature) {
    for (size_t i = 0; i < got.top_ids.size(); ++i) {
        const bool exists = i < order.size();
        CHECK(got.top_ids[i] == (exists ? order[i].id : -1));
        const double top =
            exists ? (static_cast<double>(order[i].logit) - largest) / temperature - log_mass : -INFINITY;
        CHECK_CLOSE(static_cast<double>(got.top_logprobs[i]), top, 1e-6 + 1e-6 * std::fabs(top));
    }
}

// What the raw logits after bans say of the token.
inline void expect_raw(const Expected& expected, const Result& got) {
    std::vector<Token> order;
    for (size_t i = 0; i < expected.allowed.size(); ++i) {
        order.push_back({static_cast<int32_t>(i), static_cast<float>(expected.allowed[i])});
    }
    std::stable_sort(order.begin(), order.end(), [](const Token& a, const Token& b) { return a.logit > b.logit; });
    const auto token = static_cast<size_t>(got.token);
    CHECK(order[static_cast<size_t>(got.rank - 1)].id == got.token);
    std::erase_if(order, [](const Token& t) { return t.logit == -kInf; });
    const auto largest = static_cast<double>(order[0].logit);
    double sum = 0;
    for (const Token& t : order) sum += std::exp(static_cast<double>(t.logit) - largest);
    const double logprob = expected.allowed[token] - largest - std::log(sum);
    CHECK_CLOSE(static_cast<double>(got.logprob), logprob, 1e-6 + 1e-6 * std::fabs(logprob));
    expect_tops(got, order, largest, std::log(sum), 1);
}

// The kept set, and each probability.
inline void expect_kept(const Expected& expected, const Result& got) {
    size_t size = 0;
    for (; size < got.top_ids.size() && got.top_ids[size] >= 0; ++size) {
        if (size >= expected.kept.size()) break;
        const Token& t = expected.kept[size];
        CHECK(got.top_ids[size] == t.id);
        const auto p = static_cast<double>(t.weight / expected.mass);
        CHECK_CLOSE(std::exp(static_cast<double>(got.top_logprobs[size])), p, 1e-6);
    }
    CHECK(size == std::min(expected.kept.size(), got.top_ids.size()));
    if (size < got.top_ids.size()) CHECK(got.top_ids[size] == -1 && got.top_logprobs[size] == -kInf);
    for (size_t i = 0; i < expected.kept.size(); ++i) {
        if (expected.kept[i].id != got.token) continue;
        CHECK(got.rank == static_cast<int32_t>(i + 1));
        CHECK_CLOSE(std::exp(static_cast<double>(got.logprob)),
                    static_cast<double>(expected.kept[i].weight / expected.mass), 1e-6);
    }
}

inline void expect(const Row& row, const Result& got) {
    const Expected exact = Reference(row, true).run();
    const Expected real = Reference(row, false).run();
    if (row.p.forced >= static_cast<int32_t>(row.logits.size())) {
        CHECK(got.status == CT_SAMPLE_INVALID);
        return;
    }
    const bool processed = (row.p.flags & CT_SAMPLE_PROCESSED) != 0;
    int32_t status = exact.status;
    if (row.p.forced >= 0 && !processed) {
        // What the steps make of the row does not count.
        const bool empty =
            std::all_of(exact.allowed.begin(), exact.allowed.end(), [](double v) { return v == -INFINITY; });
        const bool finite = std::all_of(row.logits.begin(), row.logits.end(), [](float v) { return v < kInf; });
        status = !finite ? CT_SAMPLE_NOT_FINITE : empty ? CT_SAMPLE_EMPTY : CT_SAMPLE_OK;
    }
    CHECK(got.status == status);
    if (status != CT_SAMPLE_OK || got.status != CT_SAMPLE_OK) {
        CHECK(got.token == -1 && got.rank == 0 && got.logprob == -kInf);
        for (int32_t id : got.top_ids) CHECK(id == -1);
        return;
    }
    CHECK(got.token >= 0 && got.token < static_cast<int32_t>(row.logits.size()));
    if (got.token < 0 || got.token >= static_cast<int32_t>(row.logits.size())) return;
    if (row.p.forced >= 0) CHECK(got.token == row.p.forced);
    if (row.p.forced < 0 && exact.sure) CHECK(got.token == exact.token);
    ++(real.sure ? sure_rows : unsure_rows);
    if (!processed) return expect_raw(exact, got);
    if (exact.sure) expect_kept(exact, got);
    if (real.sure) expect_kept(real, got);
}

inline void shuffle_order(Random& random, ct_sample_row& p) {
    constexpr uint8_t kVllm[] = {CT_STEP_PENALTIES, CT_STEP_TEMPERATURE, CT_STEP_MIN_P, CT_STEP_TOP_K, CT_STEP_TOP_P};
    constexpr uint8_t kLlamaCpp[] = {CT_STEP_PENALTIES, CT_STEP_DRY,       CT_STEP_TOP_N_SIGMA,
                                     CT_STEP_TOP_K,     CT_STEP_TYPICAL_P, CT_STEP_TOP_P,
                                     CT_STEP_MIN_P,     CT_STEP_XTC,       CT_STEP_TEMPERATURE};
    switch (random.below(4)) {
        case 0:
            std::copy(std::begin(kVllm), std::end(kVllm), p.order);
            break;
        case 1:
            std::copy(std::begin(kLlamaCpp), std::end(kLlamaCpp), p.order);
            break;
        case 2:
            for (int64_t i = random.below(CT_MAX_SAMPLE_STEPS) + 1; i > 0; --i) {
                p.order[i - 1] = static_cast<uint8_t>(1 + random.below(CT_STEP_MIROSTAT));
            }
            break;
        default:
            break;
    }
}

inline Row random_row(Random& random, int64_t vocab) {
    Row row;
    auto one_in = [&](int64_t n) { return random.below(n) == 0; };
    auto anywhere = [&] { return static_cast<size_t>(random.below(vocab)); };
    const float scale = std::exp(random.normal(1.5f));
    const bool coarse = one_in(3);  // many ties
    for (int64_t i = 0; i < vocab; ++i) {
        const float v = random.normal(scale);
        row.logits.push_back(coarse ? std::round(v) : v);
    }
    constexpr float kTemperatures[] = {0, 1e-6f, 0.1f, 0.7f, 1, 1, 2, 50, kInf};
    constexpr float kTopP[] = {1, 1, 0, -1, 0.1f, 0.5f, 0.9f, 0.99f, 0.999f, kNan};
    constexpr float kMinP[] = {0, 0, -1, 0.01f, 0.2f, 1, 2, 1e-30f};
    const int64_t top_k[] = {0, 0, -5, 1, 2, 40, vocab - 1, vocab, vocab + 1};
    ct_sample_row& p = row.p;
    p.temperature = kTemperatures[random.below(9)];
    p.top_p = kTopP[random.below(10)];
    p.min_p = kMinP[random.below(8)];
    p.top_k = static_cast<int32_t>(top_k[random.below(9)]);
    p.seed = static_cast<int64_t>(random.engine());
    p.position = random.below(100000);
    p.stream_tag = static_cast<int32_t>(random.below(3));
    auto unit = [&] { return static_cast<float>(random.below(1000) + 1) / 1001; };
    if (one_in(5)) p.typical_p = unit();
    if (one_in(6)) p.top_n_sigma = 3 * unit();
    if (one_in(6)) p.epsilon_cutoff = unit() * unit() * unit();
    if (one_in(6)) p.eta_cutoff = unit() * unit() * unit();
    if (one_in(6)) p.top_h = unit();
    if (one_in(5)) {
        p.xtc_probability = unit() * 2;
        p.xtc_threshold = unit() * 0.6f - 0.05f;
    }
    if (one_in(8)) p.mirostat_tau = 5 * unit();
    if (one_in(6)) {
        p.dynatemp_range = 1.5f * unit();
        p.dynatemp_exponent = 2 * unit();
    }
    if (one_in(2)) shuffle_order(random, p);
    if (one_in(2)) p.flags |= CT_SAMPLE_PROCESSED;
    if (one_in(3)) p.flags |= CT_SAMPLE_KEEP_TIES;
    if (one_in(8)) p.forced = static_cast<int32_t>(random.below(vocab + 2));
    if (one_in(3)) {
        p.repetition_penalty = one_in(3) ? 1 : 0.5f + 2 * unit();
        p.frequency_penalty = one_in(2) ? 0 : 4 * unit() - 2;
        p.presence_penalty = one_in(2) ? 0 : 4 * unit() - 2;
        for (int64_t i = random.below(9); i > 0; --i) row.prompt.push_back(static_cast<int32_t>(random.below(vocab)));
        for (int64_t i = random.below(9); i > 0; --i) row.output.push_back(static_cast<int32_t>(random.below(vocab)));
        if (!row.has_state()) row.output.push_back(0);
    }
    auto entries = [&](bool bans) {
        std::vector<std::pair<int32_t, float>> list;
        for (int64_t i = random.below(6); i >= 0; --i) {
            list.push_back(
                {static_cast<int32_t>(random.below(vocab + 2) - 1), bans && one_in(2) ? -kInf : random.normal(5)});
        }
        return list;
    };
    if (one_in(3)) row.bias = entries(true);
    if (one_in(4)) row.dry = entries(false);
    auto mask = [&] {
        std::vector<int32_t> words(static_cast<size_t>((vocab + 31) / 32));
        for (int32_t& word : words) word = static_cast<int32_t>(random.engine() | (one_in(2) ? random.engine() : 0));
        return words;
    };
    if (one_in(5)) row.mask = mask();
    if (one_in(8)) row.allowed = mask();
    if (one_in(6)) row.logits[anywhere()] = -kInf;
    if (one_in(8)) std::for_each(row.logits.begin(), row.logits.end(), [&](float& v) { v = one_in(3) ? -kInf : v; });
    if (one_in(25)) row.logits[anywhere()] = kInf;
    if (one_in(25)) row.logits[anywhere()] = kNan;
    if (one_in(15)) std::fill(row.logits.begin(), row.logits.end(), one_in(2) ? -kInf : -0.0f);
    if (one_in(20)) std::for_each(row.logits.begin(), row.logits.end(), [&](float& v) { v *= 1e-42f; });
    return row;
}

inline std::string described(const Row& row) {
    const ct_sample_row& p = row.p;
    std::string text =
        "V " + std::to_string(row.logits.size()) + " T " + std::to_string(p.temperature) + " dyn " +
        std::to_string(p.dynatemp_range) + " k " + std::to_string(p.top_k) + " p " + std::to_string(p.top_p) +
        " min_p " + std::to_string(p.min_p) + " typical " + std::to_string(p.typical_p) + " sigma " +
        std::to_string(p.top_n_sigma) + " eps " + std::to_string(p.epsilon_cutoff) + " eta " +
        std::to_string(p.eta_cutoff) + " h " + std::to_string(p.top_h) + " xtc " + std::to_string(p.xtc_probability) +
        "," + std::to_string(p.xtc_threshold) + " tau " + std::to_string(p.mirostat_tau) + " flags " +
        std::to_string(p.flags) + " forced " + std::to_string(p.forced) + " bias " + std::to_string(row.bias.size()) +
        " dry " + std::to_string(row.dry.size()) + " state " + std::to_string(row.has_state()) + " order";
    for (uint8_t step : p.order) text += " " + std::to_string(step);
    return text;
}

inline void matchesTheSort(Device& d, int64_t vocab, int64_t num_rows, uint64_t seed = 0) {
    const std::string device = context;
    Random random(static_cast<uint64_t>(vocab) + seed);
    const int64_t max_top = vocab % 3 == 0 ? 0 : std::min<int64_t>(vocab, 300);
    std::vector<Row> rows;
    for (int64_t r = 0; r < num_rows; ++r) rows.push_back(random_row(random, vocab));
    const std::vector<Result> results = sample(d, rows, max_top);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = device + ", row " + std::to_string(r) + ": " + described(rows[r]);
        expect(rows[r], results[r]);
    }
    context = device;
    // Alone and in another order a row gives the same bits.
    const std::vector<Row> reversed(rows.rbegin(), rows.rend());
    const std::vector<Result> again = sample(d, reversed, max_top);
    for (size_t r = 0; r < rows.size(); ++r) CHECK(again[rows.size() - 1 - r] == results[r]);
    CHECK(sample(d, {rows[0]}, max_top)[0] == results[0]);
}

}  // namespace testing
