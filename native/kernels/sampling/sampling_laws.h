// sampling_laws.h: what must hold of ct_sample over many rows and calls, on every device: distributions, states of requests,
// rows beside others.
#pragma once

#include "kernels/sampling/sampling_assumed.h"

namespace testing {

// Counts of `draws` tokens of the row, at positions from 0 on.
inline std::vector<int64_t> drawn(Device& d, const Row& row, int64_t draws) {
    const auto vocab = static_cast<int64_t>(row.logits.size());
    const int64_t batch = std::max<int64_t>(1, std::min<int64_t>(4096, (1 << 22) / vocab));
    Array<float> logits(d, batch * vocab), logprob(d, batch);
    Array<int32_t> token(d, batch), rank(d, batch), status(d, batch);
    Array<ct_sample_row> rows(d, batch);
    for (int64_t r = 0; r < batch; ++r) {
        std::copy(row.logits.begin(), row.logits.end(), logits.at + r * vocab);
        rows.at[r] = row.p;
        rows.at[r].flags = 0;
    }
    ct_sample_params p{};
    p.struct_bytes = sizeof p;
    p.num_rows = batch;
    p.vocab_size = p.logits_stride = vocab;
    int64_t bytes = 0;
    CHECK_OK(ct_sample_workspace_bytes(&bytes, d.device, &p));
    Array<unsigned char> workspace(d, bytes);
    std::vector<int64_t> counts(row.logits.size());
    for (int64_t begin = 0; begin < draws; begin += batch) {
        p.num_rows = std::min(batch, draws - begin);
        for (int64_t r = 0; r < p.num_rows; ++r) rows.at[r].position = begin + r;
        CHECK_OK(ct_sample(token.buffer, logprob.buffer, rank.buffer, nullptr, nullptr, status.buffer, nullptr,
                           logits.buffer, rows.buffer, nullptr, nullptr, nullptr, nullptr, workspace.buffer, &p,
                           d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        for (int64_t r = 0; r < p.num_rows; ++r) {
            CHECK(token.at[r] >= 0 && token.at[r] < vocab);
            if (token.at[r] >= 0) ++counts[static_cast<size_t>(token.at[r])];
        }
    }
    return counts;
}

// Pearson's statistic against the reference's law stays below df + 10 sqrt(2 df); tokens that are not kept are never drawn.
inline void drawsByTheLaw(Device& d, const Row& row, int64_t draws) {
    const Expected expected = Reference(row, false).run();
    const std::vector<int64_t> counts = drawn(d, row, draws);
    std::vector<bool> kept(row.logits.size());
    double chi = 0, rest_expected = 0, rest = 0;
    int64_t freedom = -1;
    auto bin = [&](double count, double mean) {
        chi += (count - mean) * (count - mean) / mean;
        ++freedom;
    };
    for (const Token& t : expected.kept) {
        kept[static_cast<size_t>(t.id)] = true;
        const double mean = static_cast<double>(t.weight / expected.mass) * static_cast<double>(draws);
        const auto count = static_cast<double>(counts[static_cast<size_t>(t.id)]);
        if (mean >= 5) {
            bin(count, mean);
        } else {
            rest_expected += mean;
            rest += count;
        }
    }
    if (rest_expected >= 5) bin(rest, rest_expected);
    CHECK(freedom < 1 || chi < static_cast<double>(freedom) + 10 * std::sqrt(2.0 * static_cast<double>(freedom)));
    for (size_t i = 0; i < kept.size(); ++i) CHECK(kept[i] || counts[i] == 0);
}

inline void drawsByTheLaws(Device& d, int64_t vocab, int64_t draws) {
    Random random(5);
    Row row;
    for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(random.normal(1.5f));
    row.logits[7] = -kInf;
    drawsByTheLaw(d, row, draws);
    row.p.temperature = 0.7f;
    row.p.top_k = static_cast<int32_t>(vocab / 2);
    row.p.top_p = 0.9f;
    row.p.min_p = 0.001f;
    row.p.seed = 99;
    drawsByTheLaw(d, row, draws);
    row = Row{row.logits};
    row.p.xtc_probability = 1;
    row.p.xtc_threshold = 0.004f;
    row.p.typical_p = 0.8f;
    drawsByTheLaw(d, row, draws);
}

// A tail of `vocab` tokens 18 nats below the first holds its share of the draws, and equal logits are drawn alike: the noise
// has to reach that far down.
inline void drawsTheTail(Device& d, int64_t vocab, int64_t draws) {
    Row row;
    row.logits.assign(static_cast<size_t>(vocab), 0.0f);
    row.logits[static_cast<size_t>(vocab / 3)] = 18;
    const std::vector<int64_t> counts = drawn(d, row, draws);
    const double tail = static_cast<double>(vocab - 1) * std::exp(-18.0);
    const double share = tail / (1 + tail);
    const double mean = share * static_cast<double>(draws);
    const auto hits = static_cast<double>(draws - counts[static_cast<size_t>(vocab / 3)]);
    CHECK(std::fabs(hits - mean) < 10 * std::sqrt(mean * (1 - share)));
    row.logits[static_cast<size_t>(vocab / 3)] = 0;
    const std::vector<int64_t> flat = drawn(d, row, draws);
    const double each = static_cast<double>(draws) / static_cast<double>(vocab);
    double chi = 0;
    constexpr size_t kBin = 256;  // ids that share one
    int64_t bins = 0;
    for (size_t begin = 0; begin < flat.size(); begin += kBin, ++bins) {
        const size_t end = std::min(flat.size(), begin + kBin);
        double count = 0;
        for (size_t i = begin; i < end; ++i) count += static_cast<double>(flat[i]);
        const double expected = each * static_cast<double>(end - begin);
        chi += (count - expected) * (count - expected) / expected;
    }
    CHECK(chi < static_cast<double>(bins - 1) + 10 * std::sqrt(2.0 * static_cast<double>(bins - 1)));
}

// Tokens that are drawn count as output from the next call on, in their own slot, until it is reset.
inline void countsWhatItDraws(Device& d) {
    const int64_t vocab = 100;
    const int64_t slots = 3;
    Array<int32_t> state(d, slots * ct::slot_words(vocab));
    std::fill_n(state.at, state.size, 0);
    Random random(8);
    Row row;
    for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(random.normal(0.3f));
    row.p.repetition_penalty = 1.3f;
    row.p.frequency_penalty = 0.4f;
    row.p.presence_penalty = 0.2f;
    row.p.temperature = 0.8f;
    row.p.top_p = 0.9f;
    std::vector<std::vector<int32_t>> prompts = {{1, 2, 3, 2}, {}, {50, 99, 50}}, outputs(3);
    auto rounds = [&](int64_t from, int64_t to) {
        for (int64_t position = from; position < to; ++position) {
            std::vector<Row> rows, alone;
            for (int64_t slot : {2, 0, 1}) {
                const auto at = static_cast<size_t>(slot);
                Row with = row;
                with.p.position = position;
                with.p.seed = slot;
                Row simple = with;
                with.p.state_slot = static_cast<int32_t>(slot);
                if (position == from) {
                    with.p.flags |= CT_SAMPLE_RESET;
                    with.prompt = prompts[at];
                    with.output = outputs[at];
                }
                simple.prompt = prompts[at];
                simple.output = outputs[at];
                if (!simple.has_state()) simple.output = {-1};
                rows.push_back(with);
                alone.push_back(simple);
            }
            const std::vector<Result> results = Call(d, rows, 5, state.buffer, slots).results();
            CHECK(results == sample(d, alone, 5));
            size_t i = 0;
            for (size_t slot : {2u, 0u, 1u}) {
                expect(alone[i], results[i]);
                outputs[slot].push_back(results[i++].token);
            }
        }
    };
    rounds(0, 12);
    // Slots change their requests; one of them takes up what was drawn before.
    prompts = {{9}, {10, 11}, {1}};
    outputs = {{}, {4, 4, 4}, {}};
    rounds(100, 106);
}

inline void keepsMirostatsMu(Device& d) {
    const int64_t vocab = 200;
    Array<int32_t> state(d, ct::slot_words(vocab));
    std::fill_n(state.at, state.size, 0);
    Random random(18);
    double mu = 6;
    for (int step = 0; step < 20; ++step) {
        Row row;
        for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(random.normal(2));
        row.p.mirostat_tau = 3;
        row.p.mirostat_eta = 0.2f;
        row.p.state_slot = 0;
        row.p.position = step;
        row.p.flags = CT_SAMPLE_LOGPROBS | CT_SAMPLE_PROCESSED | (step == 0 ? CT_SAMPLE_RESET : 0);
        const Result got = Call(d, {row}, vocab, state.buffer, 1).results()[0];
        Row whole{row.logits};
        const Expected all = Reference(whole, false).run();
        size_t kept = 1;
        auto surprise = [&](size_t i) { return -std::log2(static_cast<double>(all.kept[i].weight / all.mass)); };
        while (kept < all.kept.size() && surprise(kept) <= mu) ++kept;
        const auto found = std::count_if(got.top_ids.begin(), got.top_ids.end(), [](int32_t id) { return id >= 0; });
        CHECK(static_cast<size_t>(found) == kept);
        mu -= 0.2 * (-static_cast<double>(got.logprob) / std::log(2.0) - 3);
    }
}

// A row's bits beside 63 others that use everything, whatever their number, order and slots: it is as if it were alone.
inline void rowsAreStrangers(Device& d, int64_t vocab, int rounds) {
    Random random(77);
    for (int round = 0; round < rounds; ++round) {
        std::vector<Row> rows;
        for (int i = 0; i < 8; ++i) rows.push_back(random_row(random, vocab));
        const std::vector<Result> together = sample(d, rows, 6);
        const auto victim = static_cast<size_t>(random.below(8));
        CHECK(sample(d, {rows[victim]}, 6)[0] == together[victim]);
    }
}

inline void readsHalves(Device& d) {
    Random random(21);
    std::vector<Row> rows;
    for (int i = 0; i < 40; ++i) {
        rows.push_back(random_row(random, 333));
        for (float& v : rows.back().logits) v = ct::to_float(ct::from_float<ct::bf16>(v));
    }
    CHECK(Call(d, rows, 9, nullptr, 0, true).results() == sample(d, rows, 9));
}

// Each points outside a table or asks for what is not there; the others of the batch do not notice.
inline void refusesRows(Device& d) {
    Row good;
    good.logits = {1, 2, 3, 4};
    good.bias = {{1, 1.0f}};
    const Result alone = sample(d, {good}, 2)[0];
    std::vector<Row> rows = {good};
    auto bad = [&](auto change) {
        rows.push_back(good);
        rows.back().bias.clear();
        change(rows.back().p);
    };
    bad([](auto& p) { p.forced = 4; });
    bad([](auto& p) { p.state_slot = 100; });
    bad([](auto& p) { p.mask_row = 0; });
    bad([](auto& p) { p.allowed_row = INT32_MAX; });
    bad([](auto& p) { p.repetition_penalty = 2; });
    bad([](auto& p) { p.presence_penalty = 2; });
    bad([](auto& p) { p.order[0] = CT_STEP_MIROSTAT + 1; });
    bad([](auto& p) { p.order[15] = 255; });
    const std::vector<Result> results = sample(d, rows, 2);
    CHECK(results[0] == alone);
    for (size_t i = 1; i < results.size(); ++i) {
        CHECK(results[i].status == CT_SAMPLE_INVALID && results[i].token == -1 && results[i].top_ids[0] == -1);
    }
}

// Several hundred equal logits at each boundary, the lower ids first; a vocabulary of one value.
inline void tiesGoToTheLowerId(Device& d) {
    for (int64_t vocab : {2000, 3001}) {
        if (reduced() && vocab == 3001) continue;
        std::vector<Row> rows;
        Row row;
        for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(i % 3 == 0 ? 2.0f : 1.0f);
        row.p.flags |= CT_SAMPLE_PROCESSED;
        for (int32_t k : {1, 300, 700, 1500}) {
            for (float p : {1.0f, 0.3f, 0.999f}) {
                row.p.top_k = k;
                row.p.top_p = p;
                row.p.flags ^= CT_SAMPLE_KEEP_TIES;
                rows.push_back(row);
            }
        }
        // What one step has cut of the equals, another that keeps equals does not bring back.
        row.p.flags |= CT_SAMPLE_KEEP_TIES;
        row.p.top_k = 1;
        row.p.top_p = 0.3f;
        row.p.order[0] = CT_STEP_TOP_P;
        row.p.order[1] = CT_STEP_TOP_K;
        rows.push_back(row);
        rows.push_back(rows[0]);
        std::fill(rows.back().logits.begin(), rows.back().logits.end(), -3.5f);
        rows.back().p.top_k = 777;
        rows.push_back(rows.back());
        rows.back().p.top_k = 0;
        rows.back().p.typical_p = 0.4f;
        const std::vector<Result> results = sample(d, rows, 1600);
        for (size_t r = 0; r < rows.size(); ++r) {
            context = "ties, " + described(rows[r]);
            expect(rows[r], results[r]);
        }
    }
}

// Penalties and DRY in the midst of a chain change what the steps before them kept, and bring nothing back.
inline void editsWhatIsKept(Device& d) {
    Random random(31);
    std::vector<Row> rows;
    for (int64_t vocab : {300, 300, 300}) {
        for (int32_t k : {1, 7, 40}) {
            Row row;
            for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(random.normal(2));
            row.p.flags |= CT_SAMPLE_PROCESSED;
            row.p.top_k = k;
            row.p.top_p = 0.6f;
            row.p.presence_penalty = 3;
            const uint8_t orders[][4] = {{CT_STEP_TOP_K, CT_STEP_DRY},
                                         {CT_STEP_TOP_K, CT_STEP_TOP_P, CT_STEP_PENALTIES},
                                         {CT_STEP_TOP_P, CT_STEP_DRY, CT_STEP_TOP_K, CT_STEP_PENALTIES}};
            std::copy_n(orders[rows.size() / 3], 4, row.p.order);
            for (int32_t i = 0; i < 40; ++i) {
                row.output.push_back(static_cast<int32_t>(random.below(vocab)));
                row.dry.push_back({static_cast<int32_t>(random.below(vocab)), -4.0f});
            }
            rows.push_back(row);
        }
    }
    const std::vector<Result> results = sample(d, rows, 50);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = "edits, " + described(rows[r]);
        CHECK(results[r].status == CT_SAMPLE_OK);
        expect(rows[r], results[r]);
    }
}

// Logits whose differences overflow, vanish, or lie at the ends of float.
inline void takesExtremeLogits(Device& d) {
    constexpr float kMax = std::numeric_limits<float>::max(), kTiny = std::numeric_limits<float>::denorm_min();
    const float pairs[][2] = {{kMax, -kMax}, {-kMax, -kMax}, {kTiny, 0}, {1e30f, 1.0000001e30f}, {-1e-38f, 1e-38f}};
    std::vector<Row> rows;
    for (const auto& pair : pairs) {
        for (float temperature : {0.0f, 1e-5f, 1.0f, kInf}) {
            for (int32_t top_k : {0, 1, 400}) {
                Row row;
                for (int i = 0; i < 900; ++i) row.logits.push_back(pair[i % 2]);
                row.p.flags |= CT_SAMPLE_PROCESSED;
                row.p.temperature = temperature;
                row.p.top_k = top_k;
                row.p.top_p = top_k == 1 ? 1.0f : 0.6f;
                row.p.position = static_cast<int64_t>(rows.size());
                if (top_k == 0) row.bias = {{5, 3e38f}, {6, -3e38f}, {6, -3e38f}};
                rows.push_back(row);
            }
        }
    }
    const std::vector<Result> results = sample(d, rows, 900);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = "extremes, row " + std::to_string(r) + described(rows[r]);
        expect(rows[r], results[r]);
    }
}

inline void samplesNoRows(Device& d) {
    Array<float> f(d, 4);
    Array<int32_t> i(d, 4);
    Array<ct_sample_row> rows(d, 1);
    Array<unsigned char> workspace(d, 1 << 20);
    i.poison();
    ct_sample_params p{};
    p.struct_bytes = sizeof p;
    p.vocab_size = p.logits_stride = 4;
    CHECK_OK(ct_sample(i.buffer, f.buffer, i.buffer, nullptr, nullptr, i.buffer, nullptr, f.buffer, rows.buffer,
                       nullptr, nullptr, nullptr, nullptr, workspace.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t at = 0; at < 4; ++at) CHECK(untouched(i.at[at]));
}

inline void obeysTheLaws(Device& d) {
    const std::string device = context;
    countsWhatItDraws(d);
    keepsMirostatsMu(d);
    assumesOnTopOfTheSlot(d, 60, reduced() ? 4 : 40);
    assumesOnTopOfTheSlot(d, 1500, reduced() ? 1 : 8);
    refusesWhatChangesTheSlot(d);
    rowsAreStrangers(d, 90, reduced() ? 5 : 40);
    readsHalves(d);
    refusesRows(d);
    context = device;
    tiesGoToTheLowerId(d);
    editsWhatIsKept(d);
    takesExtremeLogits(d);
    context = device;
    samplesNoRows(d);
}

// So many rows (and ten times the draws), in thousands, where CORTADO_THOUSANDS says so: the counts of docs/records.
inline int64_t thousands(int64_t without) {
    const char* text = std::getenv("CORTADO_THOUSANDS");
    return text ? std::atoll(text) * 1000 : without;
}

}  // namespace testing
