// verify_testing.h: requests for ct_verify, the call, and the reference: the sampler's own (sampling_reference.h) for every
// row, walk.h in plain doubles.
#pragma once

#include "kernels/sampling/sampling_assumed.h"
#include "kernels/sampling/slot.h"
#include "kernels/speculate/verify.h"
#include "kernels/speculate/walk_testing.h"

namespace testing {

struct Speculation {
    std::vector<Row> rows;                               // root first
    std::vector<int32_t> parents = {-1}, tokens = {-1};  // of every row
    std::vector<int32_t> draft_rows = {-1};              // of drafts
    std::vector<Row> drafts = {};
};

struct Verdict {
    int32_t accepted, status;
    std::vector<int32_t> tokens, path;
    std::vector<int64_t> moves;
    bool operator==(const Verdict&) const = default;
};

struct VerifyOptions {
    int32_t method = CT_VERIFY_TOKENS;
    int64_t max_tokens = 8;
    bool chains = false;  // parents are not given
    bool halves = false;
};

// The rows of the call, target or draft: logits and parameters, with their entries in the tables that both share.
class RowTables {
public:
    std::vector<int32_t> bias_ids, history, masks;
    std::vector<float> bias_values;
    int64_t words = 0;

    ct_sample_row add(const Row& row) {
        ct_sample_row to = row.p;
        auto add_bias = [&](const auto& entries) {
            for (auto [id, bias] : entries) {
                bias_ids.push_back(id);
                bias_values.push_back(bias);
            }
            return static_cast<int32_t>(bias_ids.size());
        };
        to.bias_begin = static_cast<int32_t>(bias_ids.size());
        to.bias_end = to.dry_begin = add_bias(row.bias);
        to.dry_end = add_bias(row.dry);
        to.prompt_begin = static_cast<int32_t>(history.size());
        history.insert(history.end(), row.prompt.begin(), row.prompt.end());
        to.output_begin = static_cast<int32_t>(history.size());
        history.insert(history.end(), row.output.begin(), row.output.end());
        to.history_end = static_cast<int32_t>(history.size());
        auto add_mask = [&](const std::vector<int32_t>& mask, int32_t& at) {
            if (mask.empty()) return;
            at = static_cast<int32_t>(static_cast<int64_t>(masks.size()) / words);
            masks.insert(masks.end(), mask.begin(), mask.end());
            masks.resize(static_cast<size_t>((at + 1) * words), 0x5a5a5a5a);
        };
        add_mask(row.mask, to.mask_row);
        add_mask(row.allowed, to.allowed_row);
        return to;
    }
};

class VerifyCall {
public:
    VerifyCall(Device& d, const std::vector<Speculation>& requests, const VerifyOptions& options,
               ct_buffer* state = nullptr, int64_t num_slots = 0)
        : d_(d), options_(options), n_(static_cast<int64_t>(requests.size())) {
        std::vector<const Row*> rows, drafts;
        std::vector<int32_t> cu = {0}, tokens, parents, draft_rows;
        std::vector<int64_t> slots;
        int64_t vocab = 1;
        for (const Speculation& request : requests) {
            const auto offset = static_cast<int32_t>(drafts.size());
            for (const Row& row : request.rows) {
                rows.push_back(&row);
                vocab = static_cast<int64_t>(row.logits.size());
                slots.push_back(1000000 - 3 * static_cast<int64_t>(slots.size()));
            }
            for (const Row& row : request.drafts) drafts.push_back(&row);
            cu.push_back(static_cast<int32_t>(rows.size()));
            tokens.insert(tokens.end(), request.tokens.begin(), request.tokens.begin() + size_of(request));
            parents.insert(parents.end(), request.parents.begin(), request.parents.begin() + size_of(request));
            for (std::ptrdiff_t i = 0; i < size_of(request); ++i) {
                const int32_t draft = request.draft_rows[static_cast<size_t>(i)];
                draft_rows.push_back(draft < 0 ? -1 : draft + offset);
            }
        }
        ct_verify_params p{};
        p.struct_bytes = sizeof p;
        p.num_requests = n_;
        p.num_rows = static_cast<int64_t>(rows.size());
        p.num_draft_rows = static_cast<int64_t>(drafts.size());
        p.max_tokens = options.max_tokens;
        p.vocab_size = vocab;
        p.logits_stride = vocab + 3;
        p.draft_stride = vocab + 1;
        p.logits_dtype = p.draft_dtype = options.halves ? CT_BF16 : CT_F32;
        p.method = options.method;
        p.num_slots = num_slots;
        RowTables tables;
        tables.words = p.mask_stride = (vocab + 31) / 32 + 1;
        Array<ct_sample_row> params(d, p.num_rows), draft_params(d, p.num_draft_rows);
        Array<float> logits(d, p.num_rows * p.logits_stride), draft_logits(d, p.num_draft_rows * p.draft_stride);
        fill(logits, params, rows, p.logits_stride, tables);
        fill(draft_logits, draft_params, drafts, p.draft_stride, tables);
        Array<ct::bf16> narrow(d, halved(logits)), draft_narrow(d, halved(draft_logits));
        if (options.halves) round(narrow, logits), round(draft_narrow, draft_logits);
        p.num_bias = static_cast<int64_t>(tables.bias_ids.size());
        p.num_history = static_cast<int64_t>(tables.history.size());
        p.num_masks = static_cast<int64_t>(tables.masks.size()) / tables.words;
        Array<int32_t> bias_ids(d, tables.bias_ids), history(d, tables.history), masks(d, tables.masks);
        Array<float> bias_values(d, tables.bias_values);
        Array<int32_t> out_tokens(d, n_ * p.max_tokens), out_path(d, n_ * p.max_tokens), accepted(d, n_), status(d, n_);
        Array<int64_t> moves(d, 2 * n_ * p.max_tokens), slot_ids(d, slots);
        Array<int32_t> cu_rows(d, cu), draft_ids(d, tokens), parent_ids(d, parents), of_draft(d, draft_rows);
        out_tokens.poison();
        out_path.poison();
        accepted.poison();
        status.poison();
        moves.poison();
        int64_t bytes = 0;
        CHECK_OK(ct_verify_workspace_bytes(&bytes, d.device, &p));
        Array<unsigned char> workspace(d, bytes);
        workspace.poison();
        CHECK_OK(ct_verify(out_tokens.buffer, accepted.buffer, out_path.buffer, status.buffer, moves.buffer, state,
                           options.halves ? narrow.buffer : logits.buffer, params.buffer,
                           options.halves ? draft_narrow.buffer : draft_logits.buffer, draft_params.buffer,
                           bias_ids.buffer, bias_values.buffer, history.buffer, masks.buffer, cu_rows.buffer,
                           draft_ids.buffer, options.chains ? nullptr : parent_ids.buffer, of_draft.buffer,
                           slot_ids.buffer, workspace.buffer, &p, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        for (int64_t r = 0; r < n_; ++r) {
            const int64_t from = r * p.max_tokens, to = from + p.max_tokens;
            verdicts.push_back({accepted.at[r],
                                status.at[r],
                                {out_tokens.at + from, out_tokens.at + to},
                                {out_path.at + from, out_path.at + to},
                                {moves.at + 2 * from, moves.at + 2 * to}});
            checkMoves(verdicts.back(), 1000000 - 3 * int64_t{cu[static_cast<size_t>(r)]});
            // Slots are told by the request's rows, so that they compare.
            for (int64_t& move : verdicts.back().moves)
                move -= move < 0 ? 0 : 1000000 - 3 * int64_t{cu[static_cast<size_t>(r)]};
        }
    }

    std::vector<Verdict> verdicts;

private:
    static std::ptrdiff_t size_of(const Speculation& request) {
        return static_cast<std::ptrdiff_t>(request.rows.size());
    }
    int64_t halved(const Array<float>& of) const { return options_.halves ? of.size : 0; }
    static void round(Array<ct::bf16>& to, const Array<float>& from) {
        for (int64_t i = 0; i < to.size; ++i) to.at[i] = ct::from_float<ct::bf16>(from.at[i]);
    }
    static void fill(Array<float>& logits, Array<ct_sample_row>& params, const std::vector<const Row*>& rows,
                     int64_t stride, RowTables& tables) {
        for (size_t r = 0; r < rows.size(); ++r) {
            std::copy(rows[r]->logits.begin(), rows[r]->logits.end(), logits.at + static_cast<int64_t>(r) * stride);
            params.at[r] = tables.add(*rows[r]);
        }
    }
    static void checkMoves(const Verdict& got, int64_t first_slot) {
        for (size_t i = 0; i < got.path.size(); ++i) {
            const auto row = static_cast<int64_t>(i);
            const bool moves = got.path[i] >= 0 && got.path[i] != row;
            CHECK(got.moves[2 * i] == (moves ? first_slot - 3 * got.path[i] : -1));
            CHECK(got.moves[2 * i + 1] == (moves ? first_slot - 3 * row : -1));
        }
    }

    Device& d_;
    const VerifyOptions options_;
    int64_t n_;
};

inline std::vector<Verdict> verify(Device& d, const std::vector<Speculation>& requests, const VerifyOptions& options) {
    return VerifyCall(d, requests, options).verdicts;
}

// The kernel's random numbers.
class KernelChance {
public:
    explicit KernelChance(const Speculation& request, const std::vector<Expected>& rows)
        : request_(request), rows_(rows) {}

    bool accepts(int32_t i, uint32_t use, double share) {
        const double coin = number(i, CT_TAG_ACCEPT, use);
        sure = sure && std::fabs(coin - share) > 1e-9;
        return coin < share;
    }
    int32_t draw(int32_t i, const Law&) {
        const Expected& row = rows_[static_cast<size_t>(i)];
        sure = sure && row.sure;
        return row.token;
    }
    int32_t draw_rest(int32_t i, const Law& rest, double left) {
        const double target = number(i, CT_TAG_RESIDUAL, 0) * left;
        double sum = 0;
        int32_t last = -1;
        for (size_t x = 0; x < rest.size(); ++x) {
            if (!(rest[x] > 0)) continue;
            sum += rest[x];
            last = static_cast<int32_t>(x);
            sure = sure && std::fabs(sum - target) > 1e-9 * left;
            if (sum >= target) return last;
        }
        return last;
    }
    bool sure = true;

private:
    double number(int32_t i, int32_t tag, uint32_t use) const {
        const ct_sample_row& p = request_.rows[static_cast<size_t>(i)].p;
        return ct::uniform_of(p.seed, p.position, tag, use);
    }
    const Speculation& request_;
    const std::vector<Expected>& rows_;
};

inline Law law_of(const Expected& row, size_t vocab) {
    if (row.status != CT_SAMPLE_OK) return {};
    Law law(vocab);
    for (const Token& t : row.kept) law[static_cast<size_t>(t.id)] = static_cast<double>(t.weight / row.mass);
    return law;
}

struct ExpectedVerdict {
    PlainTree tree;
    Emitted emitted;
    bool sure;
};

inline PlainTree plain_tree(const Speculation& request, const VerifyOptions& options, const std::vector<Expected>& rows,
                            bool integers, bool* sure) {
    const size_t vocab = request.rows[0].logits.size();
    PlainTree tree;
    tree.parents = request.parents;
    tree.tokens = request.tokens;
    tree.most = static_cast<int32_t>(options.max_tokens - 1);
    tree.block = options.method == CT_VERIFY_BLOCK && request.rows.size() > 1;
    for (size_t i = 0; i < request.rows.size(); ++i) {
        tree.p.push_back(law_of(rows[i], vocab));
        *sure = *sure && rows[i].sure;
        const int32_t draft = request.draft_rows[i];
        if (i > 0 && (draft < 0 || request.parents[i] != static_cast<int32_t>(i) - 1)) tree.block = false;
        tree.q.push_back({});
        if (i == 0) continue;
        if (tree.tokens[i] >= static_cast<int32_t>(vocab)) tree.tokens[i] = -1;
        if (draft < 0) continue;
        if (draft >= static_cast<int32_t>(request.drafts.size())) {
            tree.tokens[i] = -1;
            continue;
        }
        const Expected of_draft = Reference(request.drafts[static_cast<size_t>(draft)], integers).run();
        *sure = *sure && of_draft.sure;
        tree.q[i] = law_of(of_draft, vocab);
        if (tree.q[i].empty()) tree.tokens[i] = -1;
    }
    return tree;
}

inline ExpectedVerdict expected_verdict(const Speculation& request, const VerifyOptions& options) {
    std::vector<Expected> rows;
    for (const Row& row : request.rows) rows.push_back(Reference(row, true).run());
    ExpectedVerdict expected{{}, {}, true};
    expected.tree = plain_tree(request, options, rows, true, &expected.sure);
    KernelChance chance(request, rows);
    expected.emitted = PlainWalk<KernelChance>(expected.tree, chance).run();
    if (expected.emitted.status != CT_SAMPLE_OK) {
        expected.emitted.status = rows[static_cast<size_t>(expected.emitted.path.back())].status;
    }
    expected.sure = expected.sure && chance.sure;
    return expected;
}

inline int64_t sure_requests = 0, unsure_requests = 0;

inline void expect(const ExpectedVerdict& expected, const Verdict& got) {
    ++(expected.sure ? sure_requests : unsure_requests);
    if (!expected.sure) return;
    const Emitted& e = expected.emitted;
    CHECK(got.status == e.status);
    CHECK(got.accepted == static_cast<int32_t>(e.path.size()) - 1);
    auto padded = [&](std::vector<int32_t> v) {
        v.resize(got.tokens.size(), -1);
        return v;
    };
    CHECK(got.tokens == padded(e.tokens));
    CHECK(got.path == padded(e.path));
}

// ---- requests ------------------------------------------------------------------------------------------------------

inline Row target_row(Random& random, int64_t vocab) {
    Row row = random_row(random, vocab);
    row.p.mirostat_tau = 0;
    row.p.forced = -1;
    row.p.stream_tag = CT_TAG_SAMPLE;
    row.p.repetition_penalty = row.p.frequency_penalty = row.p.presence_penalty = 0;
    row.prompt.clear();
    row.output.clear();
    return row;
}

// What a draft model that is about right draws from.
inline Row draft_row(Random& random, const Row& target) {
    Row row = target;
    for (float& v : row.logits) v += random.normal(0.7f);
    row.p.stream_tag = CT_TAG_DRAFT;
    if (random.below(2) == 0) {
        row.bias.clear();
        row.mask.clear();
    }
    if (random.below(3) == 0) row.p.temperature = 1;
    if (random.below(3) == 0) row.p.top_k = 5;
    return row;
}

// A token of the row's law, or any.
inline int32_t some_token(Random& random, const Row& row) {
    const auto vocab = static_cast<int64_t>(row.logits.size());
    Row other = row;
    other.p.seed = static_cast<int64_t>(random.engine());
    const Expected e = Reference(other, true).run();
    return e.token >= 0 && random.below(10) != 0 ? e.token : static_cast<int32_t>(random.below(vocab + 2) - 1);
}

// nodes; by_chance: in tenths.
inline Speculation random_speculation(Random& random, int64_t vocab, int64_t nodes, bool chain, int64_t by_chance) {
    Speculation request;
    request.rows.push_back(target_row(random, vocab));
    for (int64_t j = 1; j <= nodes; ++j) {
        const auto parent = static_cast<int32_t>(chain ? j - 1 : random.below(j));
        const Row of_parent = request.rows[static_cast<size_t>(parent)];
        int32_t draft = -1;
        int32_t token = some_token(random, of_parent);
        if (random.below(10) < by_chance) {
            // Siblings share a row now and then.
            draft = static_cast<int32_t>(request.drafts.size());
            for (int64_t other = 1; other < j && random.below(2) == 0; ++other) {
                if (request.parents[static_cast<size_t>(other)] != parent) continue;
                if (request.draft_rows[static_cast<size_t>(other)] >= 0) {
                    draft = request.draft_rows[static_cast<size_t>(other)];
                }
            }
            if (draft == static_cast<int32_t>(request.drafts.size())) {
                request.drafts.push_back(draft_row(random, of_parent));
            }
            token = some_token(random, request.drafts[static_cast<size_t>(draft)]);
        }
        request.parents.push_back(parent);
        request.tokens.push_back(token);
        request.draft_rows.push_back(draft);
        Row row = target_row(random, vocab);
        row.p.seed = of_parent.p.seed;
        row.p.position = of_parent.p.position + 1;
        request.rows.push_back(row);
    }
    return request;
}

}  // namespace testing
