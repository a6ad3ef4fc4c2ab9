// verify.h: what the CPU and the GPU share of ct_verify: what is known of a row before the walk, the shape of a request's
// tree, its random numbers, what it writes.
//
// The work: a row of the target or of the drafts is taken through the sampler's chain and leaves a fact or two (does it
// fail, what would it draw, how probable are the drafts behind it). The walk needs no more, until a draft that was drawn by
// chance is refused: then the target's row and the draft's are looked at again, and what is left of p lies in memory for a
// moment, in whole numbers. A GPU takes every row through the chain at first, a block each; the CPU takes those that the
// walk comes to, when it comes to them, and at first knows a probability by bounds: of a coin that is not between them it
// needs to know no more.
#pragma once

#include "core/backend.h"
#include "kernels/sampling/weight.h"
#include "kernels/speculate/walk.h"

namespace ct {

inline constexpr double kWholeRest = 0x1p60;  // r of mass 1
inline constexpr int32_t kNotDrawn = -2;

// A probability: not below low, not above high. A GPU knows it exactly.
struct Share {
    double low, high;
    CT_HOST_DEVICE bool is_exact() const { return low == high; }
};
inline constexpr Share kCertain{1, 1};

// Of row i of the target, and of the node that it is.
struct RowFacts {
    Share p, q;
    int32_t status;
    int32_t drawn;         // from p; kNotDrawn: nobody has yet
    int32_t draft_status;  // of the node's draft row; garbage where it has none
    // CPU: whether the row's status and its children's p, and the node's q, have been found out. A GPU finds out all at first.
    bool knows_target, knows_draft;
    bool reserved[2];
};

CT_HOST_DEVICE inline SampleArgs rows_of(const VerifyArgs& a, const void* logits, const ct_sample_row* rows, int64_t n,
                                         int64_t stride, int32_t dtype) {
    SampleArgs s{};
    s.state = a.state;
    s.logits = logits;
    s.rows = rows;
    s.bias_ids = a.bias_ids;
    s.bias_values = a.bias_values;
    s.history_ids = a.history_ids;
    s.masks = a.masks;
    s.num_rows = n;
    s.vocab_size = a.vocab_size;
    s.logits_stride = stride;
    s.num_bias = a.num_bias;
    s.max_top = INT64_MAX;  // nobody asks for them
    s.num_history = a.num_history;
    s.num_masks = a.num_masks;
    s.mask_stride = a.mask_stride;
    s.num_slots = a.num_slots;
    s.logits_dtype = dtype;
    s.shares_slots = true;
    return s;
}
CT_HOST_DEVICE inline SampleArgs target_rows(const VerifyArgs& a) {
    return rows_of(a, a.logits, a.rows, a.num_rows, a.logits_stride, a.logits_dtype);
}
CT_HOST_DEVICE inline SampleArgs rows_of_drafts(const VerifyArgs& a) {
    return rows_of(a, a.draft_logits, a.draft_params, a.num_draft_rows, a.draft_stride, a.draft_dtype);
}

// owns: the row may change its slot.
CT_HOST_DEVICE inline bool can_verify(const SampleArgs& a, const ct_sample_row& p, bool owns) {
    return is_valid(p, a.vocab_size, a.num_bias, a.num_history, a.num_masks, a.num_slots, a.max_top, true) &&
           p.forced < 0 && !(p.mirostat_tau > 0) && (owns || p.state_slot < 0 || assumes(p));
}

CT_HOST_DEVICE inline bool owns_slot(const SampleArgs& a, int64_t root) {
    return a.rows[root].state_slot >= 0 && !assumes(a.rows[root]) && can_verify(a, a.rows[root], true);
}

// A request's rows. The lists of the call may say anything.
struct RequestShape {
    int64_t begin;
    int32_t size;   // 0: without rows
    bool is_valid;  // the rows are there, and every parent before its child
    bool is_block;

    CT_HOST_DEVICE RequestShape(const VerifyArgs& a, int64_t request)
        : begin(a.cu_rows[request]), size(0), is_valid(false), is_block(a.method == CT_VERIFY_BLOCK) {
        const int64_t end = a.cu_rows[request + 1];
        if (begin < 0 || end < begin || end > a.num_rows) return;
        size = static_cast<int32_t>(end - begin);
        is_valid = true;
        for (int32_t j = 1; j < size; ++j) {
            const int32_t parent = a.parents ? a.parents[begin + j] : j - 1;
            is_valid = is_valid && parent >= 0 && parent < j;
            is_block = is_block && parent == j - 1 && a.draft_rows && a.draft_rows[begin + j] >= 0;
        }
        is_block = is_block && size > 1;
    }
};

// The request of a row: the last that begins at or before it. -1: none has it.
CT_HOST_DEVICE inline int64_t request_of(const VerifyArgs& a, int64_t row) {
    int64_t low = 0;
    int64_t high = a.num_requests;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (a.cu_rows[middle + 1] > row) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < a.num_requests && a.cu_rows[low] <= row ? low : -1;
}

// The part of a Tree (walk.h) that reads the call's lists and the facts.
class TreeFacts {
public:
    CT_HOST_DEVICE TreeFacts(const VerifyArgs& args, const RequestShape& shape, RowFacts* facts)
        : a(args), shape_(shape), facts_(facts + shape.begin) {}

    CT_HOST_DEVICE int32_t size() const { return shape_.size; }
    CT_HOST_DEVICE int32_t most() const {
        return static_cast<int32_t>(a.max_tokens - 1 < shape_.size ? a.max_tokens - 1 : shape_.size);
    }
    CT_HOST_DEVICE int32_t parent(int32_t j) const { return a.parents ? a.parents[row(j)] : j - 1; }
    CT_HOST_DEVICE int32_t token(int32_t j) const { return a.draft_ids[row(j)]; }
    CT_HOST_DEVICE bool has_draft(int32_t j) const { return a.draft_rows && a.draft_rows[row(j)] >= 0; }
    CT_HOST_DEVICE bool is_candidate(int32_t j) const {
        const int32_t id = token(j);
        return id >= 0 && id < a.vocab_size &&
               (!has_draft(j) || (a.draft_rows[row(j)] < a.num_draft_rows && facts_[j].draft_status == CT_SAMPLE_OK));
    }
    CT_HOST_DEVICE bool is_block() const { return shape_.is_block; }
    CT_HOST_DEVICE int32_t status(int32_t i) const { return facts_[i].status; }
    CT_HOST_DEVICE double p(int32_t j) const { return facts_[j].p.low; }
    CT_HOST_DEVICE double q(int32_t j) const { return has_draft(j) ? facts_[j].q.low : 1.0; }
    CT_HOST_DEVICE bool stands(int32_t i, int32_t j) const { return accepts(i, 0, share_of(p(j), q(j))); }
    CT_HOST_DEVICE bool accepts(int32_t i, uint32_t use, double share) const {
        return number(i, CT_TAG_ACCEPT, use) < share;
    }

protected:
    CT_HOST_DEVICE int64_t row(int32_t i) const { return shape_.begin + i; }
    CT_HOST_DEVICE double number(int32_t i, int32_t tag, uint32_t use) const {
        const ct_sample_row& p = a.rows[row(i)];
        return uniform_of(p.seed, p.position, tag, use);
    }

    const VerifyArgs& a;
    const RequestShape& shape_;
    RowFacts* facts_;
};

// A row whose children are all without draft rows draws in any case.
CT_HOST_DEVICE inline bool draws_at_once(const VerifyArgs& a, const RequestShape& shape, int32_t i) {
    for (int32_t j = i + 1; a.draft_rows && j < shape.size; ++j) {
        const int32_t parent = a.parents ? a.parents[shape.begin + j] : j - 1;
        if (parent == i && a.draft_rows[shape.begin + j] >= 0) return false;
    }
    return true;
}

// What one request writes.
struct Verdict {
    const VerifyArgs& a;
    int64_t request;
    int64_t begin;
    int64_t entered = 0, emitted = 0;

    CT_HOST_DEVICE void enter(int32_t i) {
        const int64_t at = request * a.max_tokens + entered;
        a.path[at] = i;
        if (a.moves) {
            const int64_t from = a.slots[begin + i];
            const int64_t to = a.slots[begin + entered];
            a.moves[2 * at] = from != to ? from : -1;
            a.moves[2 * at + 1] = from != to ? to : -1;
        }
        ++entered;
    }
    CT_HOST_DEVICE void emit(int32_t token) { a.tokens[request * a.max_tokens + emitted++] = token; }
    CT_HOST_DEVICE void end(int32_t status) {
        a.status[request] = status;
        a.accepted[request] = static_cast<int32_t>(entered > 0 ? entered - 1 : 0);
        for (int64_t at = request * a.max_tokens + emitted; emitted < a.max_tokens; ++emitted, ++at) a.tokens[at] = -1;
        for (int64_t at = request * a.max_tokens + entered; entered < a.max_tokens; ++entered, ++at) {
            a.path[at] = -1;
            if (a.moves) a.moves[2 * at] = a.moves[2 * at + 1] = -1;
        }
    }
};

// What turns a row's weights into r, its mass being scale.
CT_HOST_DEVICE inline double rest_rate(double scale, uint64_t mass) {
    return scale / static_cast<double>(mass) * kWholeRest;
}
CT_HOST_DEVICE [[gnu::always_inline]] inline uint64_t rest_of(uint64_t weight, double rate) {
    return static_cast<uint64_t>(static_cast<double>(weight) * rate);
}

}  // namespace ct
