// verify_laws.h: what must hold of ct_verify on every device.
#pragma once

#include "kernels/speculate/verify_testing.h"

namespace testing {

// Against the reference, request by request; a request's results are the same alone and among others.
inline void matchesTheReference(Device& d, int64_t vocab, int64_t count, const VerifyOptions& options,
                                int64_t by_chance) {
    const std::string device = context;
    Random random(static_cast<uint64_t>(vocab * 100 + by_chance * 10 + options.method));
    std::vector<Speculation> requests;
    for (int64_t i = 0; i < count; ++i) {
        const bool chain = options.chains || random.below(2) == 0;
        requests.push_back(random_speculation(random, vocab, random.below(7), chain, by_chance));
    }
    if (options.halves) {
        auto round = [](Row& row) {
            for (float& v : row.logits) v = ct::to_float(ct::from_float<ct::bf16>(v));
        };
        for (Speculation& request : requests) {
            std::for_each(request.rows.begin(), request.rows.end(), round);
            std::for_each(request.drafts.begin(), request.drafts.end(), round);
        }
    }
    const std::vector<Verdict> verdicts = verify(d, requests, options);
    for (size_t i = 0; i < requests.size(); ++i) {
        context = device + ", V " + std::to_string(vocab) + ", request " + std::to_string(i) + " of " +
                  std::to_string(requests[i].rows.size()) + " rows, method " + std::to_string(options.method);
        expect(expected_verdict(requests[i], options), verdicts[i]);
    }
    context = device;
    const auto alone = static_cast<size_t>(random.below(count));
    CHECK(verify(d, {requests[alone]}, options)[0] == verdicts[alone]);
    std::reverse(requests.begin(), requests.end());
    std::vector<Verdict> reversed = verify(d, requests, options);
    std::reverse(reversed.begin(), reversed.end());
    CHECK(reversed == verdicts);
}

// A request whose logits depend on the position only, with penalties, so that each token counts for the next.
struct Story {
    std::vector<Row> rows;  // a position each
    SlotHistory history;
};

inline Story random_story(Random& random, int64_t vocab, int64_t length) {
    Story story;
    story.history = {random_ids(random, vocab, 5), random_ids(random, vocab, 5)};
    for (int64_t i = 0; i < length; ++i) {
        Row row = target_row(random, vocab);
        // Failures are told of elsewhere.
        for (float& v : row.logits) v = v < kInf && v > -kInf ? v : 0.0f;
        row.mask.clear();
        row.allowed.clear();
        row.bias.clear();
        if (i > 0) {
            row.p = story.rows[0].p;
        } else {
            row.p.presence_penalty = 0.5f;
            row.p.frequency_penalty = random.normal(0.3f);
            row.p.repetition_penalty = 1.2f;
        }
        row.p.position = 100 + i;
        row.p.flags = 0;
        story.rows.push_back(row);
    }
    return story;
}

// What ct_sample draws, token by token.
inline std::vector<int32_t> decode(Device& d, const Story& story, ct_buffer* state, int32_t slot, int64_t num_slots) {
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < story.rows.size(); ++i) {
        Row row = story.rows[i];
        row.p.state_slot = slot;
        if (i == 0) {
            row.p.flags |= CT_SAMPLE_RESET;
            row.prompt = story.history.prompt;
            row.output = story.history.output;
        }
        const Result result = Call(d, {row}, 0, state, num_slots).results()[0];
        CHECK(result.status == CT_SAMPLE_OK);
        tokens.push_back(result.token);
    }
    return tokens;
}

// Drafts along a path of the story, some wrong, with siblings and their own descendants.
inline Speculation speculate(Random& random, const Story& story, const std::vector<int32_t>& truth, size_t from,
                             int32_t slot, bool first, bool chain) {
    Speculation request;
    std::vector<size_t> depths = {0};
    std::vector<std::vector<int32_t>> assumed = {{}};
    auto add_row = [&](size_t depth, const std::vector<int32_t>& drafts) {
        Row row = story.rows[from + depth];
        row.p.state_slot = slot;
        row.output = drafts;
        if (depth == 0) {
            row.p.flags = first ? CT_SAMPLE_RESET : 0;
            row.prompt = first ? story.history.prompt : std::vector<int32_t>{};
            row.output = first ? story.history.output : std::vector<int32_t>{};
        } else {
            row.p.flags = CT_SAMPLE_ASSUME;
        }
        request.rows.push_back(row);
    };
    add_row(0, {});
    for (int64_t nodes = 1 + random.below(6); nodes > 0; --nodes) {
        const size_t parent =
            chain ? depths.size() - 1 : static_cast<size_t>(random.below(static_cast<int64_t>(depths.size())));
        const size_t depth = depths[parent] + 1;
        if (from + depth >= story.rows.size()) continue;
        const auto vocab = static_cast<int64_t>(story.rows[0].logits.size());
        const int32_t token =
            random.below(10) < 7 ? truth[from + depth - 1] : static_cast<int32_t>(random.below(vocab));
        depths.push_back(depth);
        assumed.push_back(assumed[parent]);
        assumed.back().push_back(token);
        request.parents.push_back(static_cast<int32_t>(parent));
        request.tokens.push_back(token);
        request.draft_rows.push_back(-1);
        add_row(depth, assumed.back());
    }
    return request;
}

// Without draft rows, what is emitted is what decoding one by one emits for the seed, and the slot ends the same.
inline void decodesAsWithoutDrafts(Device& d, int64_t vocab, bool chain, uint64_t seed) {
    constexpr int32_t kStories = 3;
    constexpr size_t kLength = 12;
    Random random(seed);
    const int64_t words = kStories * ct::slot_words(vocab);
    Array<int32_t> state(d, words), other(d, words);
    std::fill_n(state.at, words, 0);
    std::fill_n(other.at, words, 0);
    std::vector<Story> stories;
    std::vector<std::vector<int32_t>> truths;
    for (int32_t s = 0; s < kStories; ++s) {
        stories.push_back(random_story(random, vocab, kLength));
        truths.push_back(decode(d, stories.back(), state.buffer, s, kStories));
    }
    std::vector<size_t> done(kStories, 0);
    VerifyOptions options;
    options.chains = chain;
    for (int step = 0; *std::min_element(done.begin(), done.end()) < kLength; ++step) {
        std::vector<Speculation> requests;
        std::vector<size_t> of;
        for (size_t s = 0; s < kStories; ++s) {
            if (done[s] >= kLength) continue;
            requests.push_back(
                speculate(random, stories[s], truths[s], done[s], static_cast<int32_t>(s), done[s] == 0, chain));
            of.push_back(s);
        }
        const std::vector<Verdict> verdicts = VerifyCall(d, requests, options, other.buffer, kStories).verdicts;
        for (size_t i = 0; i < of.size(); ++i) {
            size_t& at = done[of[i]];
            const Verdict& got = verdicts[i];
            CHECK(got.status == CT_SAMPLE_OK && got.accepted >= 0);
            for (int32_t n = 0; n <= got.accepted; ++n, ++at) {
                CHECK(at < kLength && got.tokens[static_cast<size_t>(n)] == truths[of[i]][at]);
                if (at >= kLength) return;
            }
        }
    }
    // The counts; the distinct tokens may lie in another order.
    for (int32_t s = 0; s < kStories; ++s) {
        const int64_t begin = s * ct::slot_words(vocab);
        CHECK(state.at[begin + ct::kSlotDistinct] == other.at[begin + ct::kSlotDistinct]);
        for (int64_t i = 0; i < vocab; ++i) {
            CHECK(state.at[begin + ct::kSlotHead + i] == other.at[begin + ct::kSlotHead + i]);
        }
    }
}

inline Row simple_row(std::vector<float> logits, int64_t position) {
    Row row{std::move(logits)};
    row.p.flags = 0;
    row.p.position = position;
    return row;
}

inline void add_node(Speculation& request, int32_t parent, int32_t token, const Row& row, int32_t draft = -1) {
    request.parents.push_back(parent);
    request.tokens.push_back(token);
    request.draft_rows.push_back(draft);
    request.rows.push_back(row);
}

// Rows that fail, on the way and beside it; what is no candidate; what contradicts itself.
inline void knowsWhatFails(Device& d) {
    const VerifyOptions tokens, block{CT_VERIFY_BLOCK};
    const Row sure = simple_row({9, -kInf, -kInf}, 1);  // of token 0
    const Row broken = simple_row({1, kNan, 0}, 1);
    const Row empty = simple_row({-kInf, -kInf, -kInf}, 1);
    auto one = [&](const Speculation& request, const VerifyOptions& options) {
        return verify(d, {request}, options)[0];
    };
    auto is = [](const Verdict& v, int32_t status, int32_t accepted, const std::vector<int32_t>& emitted) {
        std::vector<int32_t> all = emitted;
        all.resize(v.tokens.size(), -1);
        CHECK(v.status == status && v.accepted == accepted && v.tokens == all);
    };
    Speculation request;
    request.rows = {broken};
    is(one(request, tokens), CT_SAMPLE_NOT_FINITE, 0, {});
    request.rows = {sure};
    add_node(request, 0, 0, empty);
    add_node(request, 0, 1, broken);  // never reached
    is(one(request, tokens), CT_SAMPLE_EMPTY, 1, {0});
    // The chain ends before the row that fails, also as a block.
    Speculation chain;
    chain.rows = {sure};
    chain.drafts = {sure, sure, sure};
    add_node(chain, 0, 0, sure, 0);
    add_node(chain, 1, 0, broken, 1);
    add_node(chain, 2, 0, sure, 2);
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_NOT_FINITE, 2, {0, 0});
    // A draft row that fails takes its node out; p = q leaves nothing to refuse with.
    chain.rows[2] = sure;
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 3, {0, 0, 0, 0});
    chain.drafts[1] = broken;
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 1, {0, 0});
    chain.drafts[1] = sure;
    chain.draft_rows[2] = 7;  // not there
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 1, {0, 0});
    chain.draft_rows[2] = 1;
    // No more tokens than there is room for.
    for (int64_t room : {1, 2, 3, 4, 5}) {
        for (VerifyOptions options : {tokens, block}) {
            options.max_tokens = room;
            const auto accepted = static_cast<int32_t>(std::min<int64_t>(3, room - 1));
            is(one(chain, options), CT_SAMPLE_OK, accepted, std::vector<int32_t>(static_cast<size_t>(accepted) + 1, 0));
        }
    }
    // A token that the target cannot give, drawn from a draft row or not; one that its draft row cannot have given.
    chain.tokens[1] = 1;
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 0, {0});
    chain.drafts[0] = simple_row({-kInf, 3, -kInf}, 1);
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 0, {0});
    chain.tokens[1] = -1;
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 0, {0});
    chain.tokens[1] = 3;
    for (const VerifyOptions& options : {tokens, block}) is(one(chain, options), CT_SAMPLE_OK, 0, {0});
    // Rows that ct_verify does not take.
    for (int what = 0; what < 3; ++what) {
        Speculation bad;
        bad.rows = {sure};
        add_node(bad, 0, 0, sure);
        if (what == 0) bad.rows[1].p.forced = 0;
        if (what == 1) bad.rows[1].p.presence_penalty = 1;  // without a slot
        if (what == 2) bad.rows[1].p.order[3] = 99;
        is(one(bad, tokens), CT_SAMPLE_INVALID, 1, {0});
    }
    Speculation twisted;
    twisted.rows = {sure};
    add_node(twisted, 0, 0, sure);
    twisted.parents[1] = 1;
    is(one(twisted, tokens), CT_SAMPLE_INVALID, 0, {});
    Speculation none;
    is(verify(d, {none, request}, tokens)[0], CT_SAMPLE_OK, 0, {});
    is(verify(d, {request, none}, tokens)[1], CT_SAMPLE_OK, 0, {});
}

// Tokens that a draft was drawn for with the device's own sampler; the first two that are emitted, completed by draws from
// the target, have its law.
inline void emitsByTheLaw(Device& d, int64_t trials, const VerifyOptions& options, const std::vector<int32_t>& parents,
                          bool shared) {
    constexpr int64_t kVocab = 9;
    Random random(17);
    Row target, second, draft;
    for (int64_t i = 0; i < kVocab; ++i) {
        target.logits.push_back(random.normal(1));
        second.logits.push_back(random.normal(1));
        draft.logits.push_back(target.logits.back() + random.normal(1));
    }
    target.p.temperature = 0.8f;
    target.p.top_p = 0.95f;
    second.p.top_k = 7;
    draft.p.stream_tag = CT_TAG_DRAFT;
    draft.p.min_p = 0.02f;
    const Expected laws[] = {Reference(target, false).run(), Reference(second, false).run()};
    std::vector<double> counts(kVocab * kVocab);
    const int64_t batch = std::min<int64_t>(trials, 256);
    int64_t emitted = 0;
    for (int64_t begin = 0; begin < trials; begin += batch) {
        std::vector<Row> draws;
        std::vector<Speculation> requests;
        for (int64_t b = 0; b < batch; ++b) {
            Speculation request;
            auto row_at = [&](Row row, size_t depth) {
                row.p.flags = 0;
                row.p.seed = begin + b;
                row.p.position = 50 + static_cast<int64_t>(depth);
                return row;
            };
            request.rows = {row_at(target, 0)};
            std::vector<size_t> depths = {0};
            for (size_t j = 1; j < parents.size(); ++j) {
                const size_t depth = depths[static_cast<size_t>(parents[j])];
                Row drawn = row_at(draft, depth);
                // Siblings have numbers of their own.
                drawn.p.seed += static_cast<int64_t>(j) << 40;
                draws.push_back(drawn);
                const bool has_shared = shared && j > 1 && parents[j] == parents[j - 1];
                if (!has_shared) request.drafts.push_back(drawn);
                depths.push_back(depth + 1);
                add_node(request, parents[j], -1, row_at(depth == 0 ? second : target, depth + 1),
                         static_cast<int32_t>(request.drafts.size()) - 1);
            }
            requests.push_back(request);
        }
        const std::vector<Result> drawn = sample(d, draws, 0);
        for (size_t b = 0, at = 0; b < requests.size(); ++b) {
            for (size_t j = 1; j < parents.size(); ++j) requests[b].tokens[j] = drawn[at++].token;
        }
        const std::vector<Verdict> verdicts = verify(d, requests, options);
        for (size_t b = 0; b < verdicts.size(); ++b) {
            const Verdict& got = verdicts[b];
            CHECK(got.status == CT_SAMPLE_OK && got.tokens[0] >= 0 && got.tokens[0] < kVocab);
            emitted += got.accepted + 1;
            int32_t next = got.tokens[1];
            if (next < 0) {
                Row alone = second;
                alone.p.seed = (begin + static_cast<int64_t>(b)) | int64_t{1} << 60;
                next = Reference(alone, true).run().token;
            }
            if (got.tokens[0] >= 0 && next >= 0) counts[static_cast<size_t>(got.tokens[0] * kVocab + next)] += 1;
        }
    }
    double chi = 0;
    int64_t freedom = -1;
    for (const Token& a : laws[0].kept) {
        for (const Token& b : laws[1].kept) {
            const double share =
                static_cast<double>(a.weight / laws[0].mass) * static_cast<double>(b.weight / laws[1].mass);
            const double mean = share * static_cast<double>((trials + batch - 1) / batch * batch);
            double& count = counts[static_cast<size_t>(a.id * kVocab + b.id)];
            chi += (count - mean) * (count - mean) / mean;
            count = 0;
            ++freedom;
        }
    }
    CHECK(chi < static_cast<double>(freedom) + 10 * std::sqrt(2.0 * static_cast<double>(freedom)));
    for (double count : counts) CHECK(count == 0);  // what the target does not keep
    CHECK(emitted > trials);
}

inline void emitsByTheLaws(Device& d, int64_t trials) {
    const std::vector<int32_t> chain = {-1, 0, 1, 2}, tree = {-1, 0, 0, 1, 1, 2};
    emitsByTheLaw(d, trials, {CT_VERIFY_TOKENS}, chain, false);
    emitsByTheLaw(d, trials, {CT_VERIFY_BLOCK}, chain, false);
    emitsByTheLaw(d, trials, {CT_VERIFY_TOKENS}, tree, false);
    emitsByTheLaw(d, trials, {CT_VERIFY_TOKENS}, tree, true);
}

inline void verifiesByTheRules(Device& d, const std::vector<int64_t>& widths, int64_t count) {
    for (int64_t vocab : widths) {
        for (int64_t by_chance : {0, 5, 10}) matchesTheReference(d, vocab, count, {}, by_chance);
        VerifyOptions options;
        options.max_tokens = 3;
        matchesTheReference(d, vocab, count, options, 7);
        options = {CT_VERIFY_BLOCK, 8, true};
        matchesTheReference(d, vocab, count, options, 10);
        options.halves = true;
        matchesTheReference(d, vocab, count, options, 9);
    }
    for (bool chain : {false, true}) decodesAsWithoutDrafts(d, 60, chain, 3);
    knowsWhatFails(d);
}

}  // namespace testing
