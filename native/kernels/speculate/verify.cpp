// verify.cpp: ct_verify: requests dealt over the team, and before them rows where requests are few.
#include "kernels/speculate/verify.h"

#include "kernels/sampling/slot.h"
#include "kernels/speculate/rest.h"
#include "kernels/speculate/taken_row.h"

namespace ct {
namespace {

struct Verify : VerifyArgs {
    const SamplingPasses* passes;

    size_t row_bytes() const { return (RowMemory::bytes(vocab_size) + 63) / 64 * 64; }
    // A thread's: of a row of the target, of a draft row, of r.
    unsigned char* memory_of(Team& team, int thread) const {
        return static_cast<unsigned char*>(team.scratch(thread, 2 * row_bytes() + RestMemory::bytes(vocab_size)));
    }
    RowFacts* facts() const { return static_cast<RowFacts*>(workspace); }

    bool is_token(int32_t id) const { return id >= 0 && id < vocab_size; }

    // Returns the row's status.
    int32_t note_target(const RequestShape& shape, int32_t i, TakenRow& x) const {
        RowFacts& fact = facts()[shape.begin + i];
        const Look look = first_look(shape, i);
        const int32_t fault = x.take(shape.begin + i, i == 0, look, expected_of(shape, i));
        fact.status = fault;
        fact.drawn = kNotDrawn;
        fact.knows_target = true;
        if (fault == CT_SAMPLE_OK && !draws_at_once(*this, shape, i)) note_shares(shape, i, x, look);
        return fault;
    }

    // The sampler's draw asks more of a row's mass than a coin does; a block's shares are products of many.
    Look first_look(const RequestShape& shape, int32_t i) const {
        return shape.is_block ? Look::kExact : draws_at_once(*this, shape, i) ? Look::kTight : Look::kLoose;
    }

    bool is_draft_of(const RequestShape& shape, int32_t j, int32_t i) const {
        const int64_t node = shape.begin + j;
        return (parents ? parents[node] : j - 1) == i && is_token(draft_ids[node]);
    }

    // The first draft from row i: what is drawn, or asked of first. A draw behind a top-p needs all that it keeps.
    int64_t expected_of(const RequestShape& shape, int32_t i) const {
        if (draws_at_once(*this, shape, i) && rows[shape.begin + i].top_p < 1) return -1;
        for (int32_t j = i + 1; j < shape.size; ++j) {
            if (is_draft_of(shape, j, i)) return draft_ids[shape.begin + j];
        }
        return -1;
    }

    void note_shares(const RequestShape& shape, int32_t i, TakenRow& x, Look look) const {
        for (int32_t j = i + 1; j < shape.size; ++j) {
            const int64_t node = shape.begin + j;
            if (!is_draft_of(shape, j, i)) continue;
            facts()[node].p = x.share_of(draft_ids[node], look);
        }
    }

    // For the nodes from begin to end whose tokens were drawn from it.
    void note_draft(int64_t d, int64_t begin, int64_t end, TakenRow& y, Look look) const {
        int64_t expected = -1;
        for (int64_t node = end - 1; node >= begin; --node) {
            if (draft_rows[node] == d && is_token(draft_ids[node])) expected = draft_ids[node];
        }
        const int32_t fault = y.take(d, false, look, expected);
        for (int64_t node = begin; node < end; ++node) {
            if (draft_rows[node] != d) continue;
            RowFacts& fact = facts()[node];
            fact.draft_status = fault;
            fact.knows_draft = true;
            if (fault == CT_SAMPLE_OK && is_token(draft_ids[node])) {
                fact.q = y.share_of(draft_ids[node], look);
            }
        }
    }

    void take_up_histories(Team& team, const SampleArgs& target) const;
    void look_at_all(Team& team, const SampleArgs& target, const SampleArgs& draft) const;
    void operator()(Team& team) const;
};

// A request's Tree (walk.h), which looks at a row when the walk asks for it.
class Tree : public TreeFacts {
public:
    Tree(const Verify& verify, const RequestShape& shape, int64_t request, TakenRow& target, TakenRow& draft,
         const RestMemory& rest)
        : TreeFacts(verify, shape, verify.facts()),
          v_(verify),
          target_(target),
          draft_(draft),
          verdict_{verify, request, shape.begin},
          rest_(rest, *verify.passes) {}

    bool is_candidate(int32_t j) {
        know_draft(j);
        return TreeFacts::is_candidate(j);
    }
    int32_t status(int32_t i) {
        know_target(i);
        return TreeFacts::status(i);
    }
    double p(int32_t j) {
        know_shares(j, Look::kExact);
        return TreeFacts::p(j);
    }
    double q(int32_t j) {
        know_shares(j, Look::kExact);
        return TreeFacts::q(j);
    }
    bool stands(int32_t i, int32_t j) {
        know_shares(j, Look::kLoose);
        const Share& q = has_draft(j) ? facts_[j].q : kCertain;
        return is_below_share(number(i, CT_TAG_ACCEPT, 0), facts_[j].p, q, [&](Look look) { know_shares(j, look); });
    }

    int32_t draw(int32_t i) {
        know_target(i);
        if (facts_[i].drawn == kNotDrawn) {
            target_.take(row(i), i == 0, Look::kTight);
            facts_[i].drawn = target_.draw();
        }
        return facts_[i].drawn;
    }

    void begin(int32_t i, double scale) {
        target_.take(row(i), i == 0, Look::kExact);
        rest_.begin(target_.row(), a.vocab_size, scale);
    }

    void subtract(int32_t j) {
        if (!has_draft(j)) return rest_.remove(token(j));
        draft_.take(a.draft_rows[row(j)], false, Look::kExact);
        rest_.subtract(draft_.row(), !a.parents && !shape_.is_block);
    }

    double left() const { return rest_.left(); }
    double rest(int32_t j) const { return rest_.of(token(j)); }
    int32_t draw_rest(int32_t i) { return static_cast<int32_t>(rest_.draw(number(i, CT_TAG_RESIDUAL, 0))); }

    void enter(int32_t i) { verdict_.enter(i); }
    void emit(int32_t token) { verdict_.emit(token); }
    void end(int32_t status) { verdict_.end(status); }

private:
    void know_target(int32_t i) {
        if (!facts_[i].knows_target) v_.note_target(shape_, i, target_);
    }
    void know_draft(int32_t j) {
        if (facts_[j].knows_draft || !has_draft(j) || a.draft_rows[row(j)] >= a.num_draft_rows) return;
        note_draft(j, shape_.is_block ? Look::kExact : Look::kLoose);
    }
    void note_draft(int32_t j, Look look) {
        v_.note_draft(a.draft_rows[row(j)], shape_.begin, shape_.begin + shape_.size, draft_, look);
    }
    // Of a candidate, whose parent's row has not failed.
    void know_shares(int32_t j, Look look) {
        const int32_t i = parent(j);
        know_target(i);
        know_draft(j);
        if (look == Look::kLoose) return;
        if (!facts_[j].p.is_exact()) {
            target_.take(row(i), i == 0, look);
            v_.note_shares(shape_, i, target_, look);
        }
        if (has_draft(j) && !facts_[j].q.is_exact()) note_draft(j, look);
    }

    const Verify& v_;
    TakenRow& target_;
    TakenRow& draft_;
    Verdict verdict_;
    Rest rest_;
};

// The histories of the requests, before any row reads.
void Verify::take_up_histories(Team& team, const SampleArgs& target) const {
    team.run(num_slots > 0 ? num_requests : 0, [&](int64_t request, int) {
        const RequestShape shape(*this, request);
        if (!shape.is_valid || shape.size == 0 || !owns_slot(target, shape.begin)) return;
        const ct_sample_row& p = rows[shape.begin];
        Slot(p, state, vocab_size).take_up(p, history_ids);
    });
}

void Verify::look_at_all(Team& team, const SampleArgs& target, const SampleArgs& draft) const {
    team.run(num_rows + num_draft_rows, [&](int64_t part, int thread) {
        const RowMemory memory = RowMemory::at(memory_of(team, thread), vocab_size);
        const bool of_draft = part >= num_rows;
        TakenRow x(of_draft ? draft : target, *passes, memory);
        if (of_draft) return note_draft(part - num_rows, 0, num_rows, x, Look::kLoose);
        const int64_t request = request_of(*this, part);
        if (request < 0) return;
        const RequestShape shape(*this, request);
        if (!shape.is_valid) return;
        const auto i = static_cast<int32_t>(part - shape.begin);
        const int32_t fault = note_target(shape, i, x);
        if (fault == CT_SAMPLE_OK && draws_at_once(*this, shape, i)) facts()[part].drawn = x.draw();
    });
}

// A thread a request reads the rows that its walk comes to and no others. Where there are more threads than requests, they
// share out all rows at first, so that none waits for another's walk.
void Verify::operator()(Team& team) const {
    const SampleArgs target = target_rows(*this);
    const SampleArgs draft = rows_of_drafts(*this);
    for (int64_t r = 0; r < num_rows; ++r) facts()[r].knows_target = facts()[r].knows_draft = false;
    take_up_histories(team, target);
    if (num_requests < team.size()) look_at_all(team, target, draft);
    team.run(num_requests, [&](int64_t request, int thread) {
        unsigned char* memory = memory_of(team, thread);
        TakenRow target_row(target, *passes, RowMemory::at(memory, vocab_size));
        TakenRow draft_row(draft, *passes, RowMemory::at(memory + row_bytes(), vocab_size));
        const RequestShape shape(*this, request);
        Tree tree(*this, shape, request, target_row, draft_row, RestMemory::at(memory + 2 * row_bytes(), vocab_size));
        if (!shape.is_valid || shape.size == 0) return tree.end(shape.is_valid ? CT_SAMPLE_OK : CT_SAMPLE_INVALID);
        walk(tree);
        if (num_slots == 0 || !owns_slot(target, shape.begin)) return;
        Slot(rows[shape.begin], state, vocab_size).note(tokens + request * max_tokens, max_tokens, false);
    });
}

int32_t check_verify(const char* function, const ct_verify_params& p) {
    auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    auto in_int32 = [](int64_t value) { return value >= 0 && value <= INT32_MAX; };
    if (!in_int32(p.num_requests)) return refuse("num_requests", p.num_requests, "0 to 2^31 - 1");
    if (!in_int32(p.num_rows)) return refuse("num_rows", p.num_rows, "0 to 2^31 - 1");
    if (!in_int32(p.num_draft_rows)) return refuse("num_draft_rows", p.num_draft_rows, "0 to 2^31 - 1");
    if (p.max_tokens < 1 || p.max_tokens > INT32_MAX) return refuse("max_tokens", p.max_tokens, "1 to 2^31 - 1");
    if (p.vocab_size < 1 || p.vocab_size > INT32_MAX) return refuse("vocab_size", p.vocab_size, "1 to 2^31 - 1");
    if (!in_int32(p.num_bias)) return refuse("num_bias", p.num_bias, "0 to 2^31 - 1");
    if (!in_int32(p.num_history)) return refuse("num_history", p.num_history, "0 to 2^31 - 1");
    if (!in_int32(p.num_masks)) return refuse("num_masks", p.num_masks, "0 to 2^31 - 1");
    int64_t words = 0;
    if (p.num_slots < 0 || !multiply(p.num_slots, slot_words(p.vocab_size), &words)) {
        return refuse("num_slots", p.num_slots, ">= 0 and within 64 bits of bytes");
    }
    auto is_logits = [](int32_t dtype) { return dtype == CT_F32 || dtype == CT_BF16; };
    if (!is_logits(p.logits_dtype)) return refuse("logits_dtype", p.logits_dtype, "CT_F32 or CT_BF16");
    if (!is_logits(p.draft_dtype)) return refuse("draft_dtype", p.draft_dtype, "CT_F32 or CT_BF16");
    if (p.method != CT_VERIFY_TOKENS && p.method != CT_VERIFY_BLOCK) {
        return refuse("method", p.method, "CT_VERIFY_TOKENS or CT_VERIFY_BLOCK");
    }
    if (p.reserved != 0) return refuse("reserved", p.reserved, "0");
    return CT_OK;
}

int32_t verify_bytes(const ct_device* device, const ct_verify_params& p, int64_t* bytes) {
    if (device->backend) return device->backend->operations->verify_workspace_bytes(*device->limits, p, bytes);
    *bytes = p.num_rows * static_cast<int64_t>(sizeof(RowFacts));
    return CT_OK;
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_verify_workspace_bytes(int64_t* bytes, const ct_device* device, const ct_verify_params* params) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(device, "device is null");
    ct_verify_params p;
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::check_verify(__func__, p));
    CT_TRY(ct::verify_bytes(device, p, bytes));
    return ct::ok();
}

extern "C" int32_t ct_verify(ct_buffer* tokens, ct_buffer* accepted, ct_buffer* path, ct_buffer* status,
                             ct_buffer* moves, ct_buffer* state, const ct_buffer* logits, const ct_buffer* rows,
                             const ct_buffer* draft_logits, const ct_buffer* draft_params, const ct_buffer* bias_ids,
                             const ct_buffer* bias_values, const ct_buffer* history_ids, const ct_buffer* masks,
                             const ct_buffer* cu_rows, const ct_buffer* draft_ids, const ct_buffer* parents,
                             const ct_buffer* draft_rows, const ct_buffer* slots, ct_buffer* workspace,
                             const ct_verify_params* params, ct_stream* stream) {
    ct_verify_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::check_verify(__func__, p));
    auto check = [&](const char* name, const ct_buffer* buffer, int64_t count, int64_t bytes) {
        return ct::check_buffer("ct_verify", name, buffer, stream, count, bytes);
    };
    auto check_rows = [&](const char* name, const ct_buffer* buffer, int64_t n, int64_t cols, int64_t stride,
                          int64_t bytes) {
        return ct::check_matrix("ct_verify", name, buffer, stream, n, cols, stride, bytes);
    };
    CT_TRY(check_rows("tokens", tokens, p.num_requests, p.max_tokens, p.max_tokens, 4));
    CT_TRY(check_rows("path", path, p.num_requests, p.max_tokens, p.max_tokens, 4));
    CT_TRY(check("accepted", accepted, p.num_requests, 4));
    CT_TRY(check("status", status, p.num_requests, 4));
    CT_REQUIRE((moves == nullptr) == (slots == nullptr), "moves and slots must both be null, or neither");
    if (moves) {
        CT_TRY(check_rows("moves", moves, p.num_requests, 2 * p.max_tokens, 2 * p.max_tokens, 8));
        CT_TRY(check("slots", slots, p.num_rows, 8));
    }
    CT_TRY(check_rows("logits", logits, p.num_rows, p.vocab_size, p.logits_stride, ct::dtype_bytes(p.logits_dtype)));
    CT_TRY(check("rows", rows, p.num_rows, sizeof(ct_sample_row)));
    CT_TRY(check("cu_rows", cu_rows, p.num_requests + 1, 4));
    CT_TRY(check("draft_ids", draft_ids, p.num_rows, 4));
    if (parents) CT_TRY(check("parents", parents, p.num_rows, 4));
    if (p.num_draft_rows > 0) {
        CT_TRY(check_rows("draft_logits", draft_logits, p.num_draft_rows, p.vocab_size, p.draft_stride,
                          ct::dtype_bytes(p.draft_dtype)));
        CT_TRY(check("draft_params", draft_params, p.num_draft_rows, sizeof(ct_sample_row)));
        CT_TRY(check("draft_rows", draft_rows, p.num_rows, 4));
    } else if (draft_rows) {
        CT_TRY(check("draft_rows", draft_rows, p.num_rows, 4));
    }
    if (p.num_bias > 0) {
        CT_TRY(check("bias_ids", bias_ids, p.num_bias, 4));
        CT_TRY(check("bias_values", bias_values, p.num_bias, 4));
    }
    if (p.num_history > 0) CT_TRY(check("history_ids", history_ids, p.num_history, 4));
    if (p.num_masks > 0) CT_TRY(check_rows("masks", masks, p.num_masks, (p.vocab_size + 31) / 32, p.mask_stride, 4));
    if (p.num_slots > 0) CT_TRY(check("state", state, p.num_slots * ct::slot_words(p.vocab_size), 4));
    int64_t needed = 0;
    CT_TRY(ct::verify_bytes(ct::device_of(stream), p, &needed));
    if (needed > 0) CT_TRY(check("workspace", workspace, needed, 1));
    const ct::VerifyArgs args{ct::data<int32_t>(tokens),
                              ct::data<int32_t>(accepted),
                              ct::data<int32_t>(path),
                              ct::data<int32_t>(status),
                              ct::data<int64_t>(moves),
                              ct::data<int32_t>(state),
                              ct::data<void>(logits),
                              ct::data<ct_sample_row>(rows),
                              ct::data<void>(draft_logits),
                              ct::data<ct_sample_row>(draft_params),
                              ct::data<int32_t>(bias_ids),
                              ct::data<float>(bias_values),
                              ct::data<int32_t>(history_ids),
                              ct::data<int32_t>(masks),
                              ct::data<int32_t>(cu_rows),
                              ct::data<int32_t>(draft_ids),
                              ct::data<int32_t>(parents),
                              ct::data<int32_t>(draft_rows),
                              ct::data<int64_t>(slots),
                              ct::data<void>(workspace),
                              p.num_requests,
                              p.num_rows,
                              p.num_draft_rows,
                              p.max_tokens,
                              p.vocab_size,
                              p.logits_stride,
                              p.draft_stride,
                              p.num_bias,
                              p.num_history,
                              p.num_masks,
                              p.mask_stride,
                              p.num_slots,
                              p.logits_dtype,
                              p.draft_dtype,
                              p.method};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::verify, args);
    const ct::SamplingPasses& passes = ct::variant(stream, ct::kSamplingScalar, ct::kSamplingAvx2, ct::kSamplingAvx512);
    return ct::enqueue(stream, ct::Verify{args, &passes});
}
