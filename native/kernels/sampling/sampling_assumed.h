// sampling_assumed.h: rows of ct_sample that share a slot and assume tokens on top of it, on every device.
#pragma once

#include "kernels/sampling/sampling_testing.h"

namespace testing {

// What a request's slot has to hold.
struct SlotHistory {
    std::vector<int32_t> prompt = {}, output = {};
};

inline std::vector<int32_t> random_ids(Random& random, int64_t vocab, int64_t most) {
    std::vector<int32_t> ids;
    // Few different ones, so that they meet; some outside the vocabulary.
    for (int64_t i = random.below(most + 1); i > 0; --i) {
        ids.push_back(static_cast<int32_t>(random.below(std::min<int64_t>(vocab, 12) + 2) - 1));
    }
    return ids;
}

// The row as if it had the slot for itself.
inline Row alone_with(const Row& row, const SlotHistory& slot) {
    Row alone = row;
    alone.p.flags &= ~(CT_SAMPLE_ASSUME | CT_SAMPLE_RESET);
    alone.p.state_slot = -1;
    alone.prompt = slot.prompt;
    alone.output = slot.output;
    if (row.p.flags & CT_SAMPLE_ASSUME) {
        alone.prompt.insert(alone.prompt.end(), row.prompt.begin(), row.prompt.end());
        alone.output.insert(alone.output.end(), row.output.begin(), row.output.end());
    }
    if (!alone.has_state()) alone.output = {-1};
    return alone;
}

inline Row row_with_slot(Random& random, int64_t vocab, int32_t slot) {
    Row row = random_row(random, vocab);
    row.p.mirostat_tau = 0;
    row.p.state_slot = slot;
    row.prompt = random_ids(random, vocab, 3);
    row.output = random_ids(random, vocab, 6);
    return row;
}

// Requests with some drafts each, round after round: every row draws what it draws alone with the slot's history and its
// assumed tokens, and the slot gains nothing but its owner's history and draw.
inline void assumesOnTopOfTheSlot(Device& d, int64_t vocab, int rounds) {
    const std::string device = context;
    constexpr int32_t kSlots = 3;
    Array<int32_t> state(d, kSlots * ct::slot_words(vocab));
    std::fill_n(state.at, state.size, 0);
    Random random(static_cast<uint64_t>(vocab) + 41);
    SlotHistory histories[kSlots];
    for (int round = 0; round < rounds; ++round) {
        std::vector<Row> rows;
        for (int32_t slot = 0; slot < kSlots; ++slot) {
            SlotHistory& history = histories[slot];
            // Now and then a call has only rows that assume.
            if (round == 0 || random.below(4) != 0) {
                Row owner = row_with_slot(random, vocab, slot);
                if (round == 0 || random.below(4) == 0) {
                    owner.p.flags |= CT_SAMPLE_RESET;
                    history = {};
                }
                history.prompt.insert(history.prompt.end(), owner.prompt.begin(), owner.prompt.end());
                history.output.insert(history.output.end(), owner.output.begin(), owner.output.end());
                rows.push_back(owner);
            }
            for (int64_t i = random.below(5); i > 0; --i) {
                rows.push_back(row_with_slot(random, vocab, slot));
                rows.back().p.flags |= CT_SAMPLE_ASSUME;
            }
        }
        std::shuffle(rows.begin(), rows.end(), random.engine);
        if (rows.empty()) continue;
        std::vector<Row> alone;
        for (const Row& row : rows) alone.push_back(alone_with(row, histories[row.p.state_slot]));
        const std::vector<Result> results = Call(d, rows, 5, state.buffer, kSlots).results();
        const std::vector<Result> expected = sample(d, alone, 5);
        for (size_t r = 0; r < rows.size(); ++r) {
            context = device + ", assumed, round " + std::to_string(round) + ": " + described(rows[r]);
            CHECK(results[r] == expected[r]);
            if (!(rows[r].p.flags & CT_SAMPLE_ASSUME) && results[r].status == CT_SAMPLE_OK) {
                histories[rows[r].p.state_slot].output.push_back(results[r].token);
            }
        }
    }
    context = device;
}

// A row that assumes must not change its slot.
inline void refusesWhatChangesTheSlot(Device& d) {
    const int64_t vocab = 20;
    Array<int32_t> state(d, ct::slot_words(vocab));
    std::fill_n(state.at, state.size, 0);
    Random random(6);
    Row row;
    for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(random.normal(1));
    row.p.state_slot = 0;
    row.p.presence_penalty = 1;
    row.p.flags |= CT_SAMPLE_ASSUME;
    row.output = {3, 3, 4};
    std::vector<Row> rows(3, row);
    rows[1].p.flags |= CT_SAMPLE_RESET;
    rows[2].p.mirostat_tau = 3;
    const std::vector<Result> results = Call(d, rows, 2, state.buffer, 1).results();
    CHECK(results[0].status == CT_SAMPLE_OK);
    CHECK(results[1].status == CT_SAMPLE_INVALID && results[2].status == CT_SAMPLE_INVALID);
    for (int64_t i = 0; i < state.size; ++i) CHECK(state.at[i] == 0);
    CHECK(Call(d, {row}, 2, state.buffer, 1, false, false).results()[0].status == CT_SAMPLE_INVALID);
}

}  // namespace testing
