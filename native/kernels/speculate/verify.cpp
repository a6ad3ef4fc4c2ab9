// verify.cpp: ct_verify: rows dealt over the team, then requests.
#include "kernels/speculate/verify.h"

#include <algorithm>

#include "kernels/sampling/row.h"
#include "kernels/sampling/slot.h"

namespace ct {
namespace {

// A thread's memory for what is left of a row.
struct RestMemory {
    uint64_t* rest;  // one a token
    int32_t* ids;    // the same
};

// r of a row: of every token, or of the few that the row keeps, by ascending id.
class Rest {
public:
    explicit Rest(const RestMemory& memory) : m_(memory) {}

    void begin(Row& x, int64_t vocab_size, double scale) {
        const double rate = rest_rate(scale, x.mass());
        is_list_ = x.listed() >= 0;
        size_ = 0;
        left_ = 1;
        if (!is_list_) {
            size_ = vocab_size;
            std::fill_n(m_.rest, size_, uint64_t{0});
            x.each_weight([&](int64_t id, uint64_t weight) { m_.rest[id] = rest_of(weight, rate); });
            return;
        }
        x.each_weight([&](int64_t id, uint64_t) { m_.ids[size_++] = static_cast<int32_t>(id); });
        std::sort(m_.ids, m_.ids + size_);
        x.each_weight([&](int64_t id, uint64_t weight) { m_.rest[place_of(id)] = rest_of(weight, rate); });
    }

    void subtract(Row& y) {
        const double rate = rest_rate(left_, y.mass());
        auto take = [&](int64_t at, uint64_t weight) {
            const uint64_t off = rest_of(weight, rate);
            m_.rest[at] = m_.rest[at] > off ? m_.rest[at] - off : 0;
        };
        if (is_list_ && y.listed() < 0) {
            for (int64_t i = 0; i < size_; ++i) {
                const uint64_t key = y.key_of(m_.ids[i]);
                if (key != 0) take(i, y.weight_of(key));
            }
        } else {
            y.each_weight([&](int64_t id, uint64_t weight) {
                const int64_t at = place_of(id);
                if (at >= 0) take(at, weight);
            });
        }
        add_up();
    }

    void remove(int64_t id) {
        const int64_t at = place_of(id);
        if (at >= 0) m_.rest[at] = 0;
        add_up();
    }

    double left() const { return left_; }

    double of(int64_t id) const {
        const int64_t at = place_of(id);
        return at < 0 ? 0 : static_cast<double>(m_.rest[at]) / kWholeRest;
    }

    int64_t draw(double uniform) const {
        const uint64_t target = target_of(uniform * static_cast<double>(sum_), sum_);
        uint64_t sum = 0;
        int64_t at = 0;
        for (; at < size_; ++at) {
            sum += m_.rest[at];
            if (sum >= target) break;
        }
        return is_list_ ? m_.ids[at] : at;
    }

private:
    int64_t place_of(int64_t id) const {
        if (!is_list_) return id;
        const int32_t* found = std::lower_bound(m_.ids, m_.ids + size_, static_cast<int32_t>(id));
        return found < m_.ids + size_ && *found == id ? found - m_.ids : -1;
    }

    void add_up() {
        sum_ = 0;
        for (int64_t i = 0; i < size_; ++i) sum_ += m_.rest[i];
        left_ = static_cast<double>(sum_) / kWholeRest;
    }

    const RestMemory m_;
    bool is_list_ = false;
    int64_t size_ = 0;
    uint64_t sum_ = 0;
    double left_ = 1;  // sum_, of kWholeRest
};

struct Verify : VerifyArgs {
    const SamplingPasses* passes;

    size_t row_bytes() const { return (RowMemory::bytes(vocab_size) + 63) / 64 * 64; }
    unsigned char* memory_of(Team& team, int thread) const {
        const auto size = static_cast<size_t>(vocab_size);
        return static_cast<unsigned char*>(
            team.scratch(thread, row_bytes() + size * (sizeof(uint64_t) + sizeof(int32_t))));
    }
    RestMemory rest_at(unsigned char* memory) const {
        auto* rest = reinterpret_cast<uint64_t*>(memory + row_bytes());
        return {rest, reinterpret_cast<int32_t*>(rest + vocab_size)};
    }
    RowFacts* facts() const { return static_cast<RowFacts*>(workspace); }

    static int32_t run(Row& x, const ct_sample_row& p) {
        const int32_t fault = x.begin();
        return fault != CT_SAMPLE_OK ? fault : run_chain(x, p, 0);
    }

    static double share_of(Row& x, int64_t id, uint64_t mass) {
        const uint64_t key = x.key_of(id);
        return key == 0 ? 0 : static_cast<double>(x.weight_of(key)) / static_cast<double>(mass);
    }

    void look_at_target(const SampleArgs& target, const RowMemory& memory, int64_t r) const {
        const int64_t request = request_of(*this, r);
        if (request < 0) return;
        const RequestShape shape(*this, request);
        if (!shape.is_valid) return;
        const auto i = static_cast<int32_t>(r - shape.begin);
        RowFacts& fact = facts()[r];
        fact.drawn = kNotDrawn;
        if (!can_verify(target, target.rows[r], i == 0)) {
            fact.status = CT_SAMPLE_INVALID;
            return;
        }
        Row x(target, *passes, memory, r, nullptr);
        fact.status = run(x, target.rows[r]);
        if (fact.status != CT_SAMPLE_OK) return;
        const bool draws = draws_at_once(*this, shape, i);
        if (draws) fact.drawn = static_cast<int32_t>(x.code.id(ct::draw(x, target.rows[r])));
        for (int32_t j = i + 1; !draws && j < shape.size; ++j) {
            const int64_t node = shape.begin + j;
            const int32_t id = draft_ids[node];
            if ((parents ? parents[node] : j - 1) != i || id < 0 || id >= vocab_size) continue;
            facts()[node].p = share_of(x, id, x.mass());
        }
    }

    void look_at_draft(const SampleArgs& draft, const RowMemory& memory, int64_t d) const {
        auto each_node = [&](const auto& body) {
            for (int64_t node = 0; node < num_rows; ++node) {
                if (draft_rows[node] == d) body(facts()[node], draft_ids[node]);
            }
        };
        if (!can_verify(draft, draft.rows[d], false)) {
            return each_node([](RowFacts& fact, int32_t) { fact.draft_status = CT_SAMPLE_INVALID; });
        }
        Row y(draft, *passes, memory, d, nullptr);
        const int32_t fault = run(y, draft.rows[d]);
        each_node([&](RowFacts& fact, int32_t id) {
            fact.draft_status = fault;
            if (fault == CT_SAMPLE_OK && id >= 0 && id < vocab_size) fact.q = share_of(y, id, y.mass());
        });
    }

    void operator()(Team& team) const;
};

// A request's Tree (walk.h).
class Tree : public TreeFacts {
public:
    Tree(const Verify& verify, const SampleArgs& target, const SampleArgs& draft, const RequestShape& shape,
         int64_t request, const RowMemory& memory, const RestMemory& rest)
        : TreeFacts(verify, shape, verify.facts()),
          v_(verify),
          target_(target),
          draft_(draft),
          memory_(memory),
          verdict_{verify, request, shape.begin},
          rest_(rest) {}

    int32_t draw(int32_t i) {
        if (facts_[i].drawn == kNotDrawn) {
            Row x(target_, *v_.passes, memory_, row(i), nullptr);
            Verify::run(x, target_.rows[row(i)]);
            facts_[i].drawn = static_cast<int32_t>(x.code.id(ct::draw(x, target_.rows[row(i)])));
        }
        return facts_[i].drawn;
    }

    void begin(int32_t i, double scale) {
        Row x(target_, *v_.passes, memory_, row(i), nullptr);
        Verify::run(x, target_.rows[row(i)]);
        rest_.begin(x, a.vocab_size, scale);
    }

    void subtract(int32_t j) {
        if (!has_draft(j)) return rest_.remove(token(j));
        const int64_t d = a.draft_rows[row(j)];
        Row y(draft_, *v_.passes, memory_, d, nullptr);
        Verify::run(y, draft_.rows[d]);
        rest_.subtract(y);
    }

    double left() const { return rest_.left(); }
    double rest(int32_t j) const { return rest_.of(token(j)); }
    int32_t draw_rest(int32_t i) { return static_cast<int32_t>(rest_.draw(number(i, CT_TAG_RESIDUAL, 0))); }

    void enter(int32_t i) { verdict_.enter(i); }
    void emit(int32_t token) { verdict_.emit(token); }
    void end(int32_t status) { verdict_.end(status); }

private:
    const Verify& v_;
    const SampleArgs& target_;
    const SampleArgs& draft_;
    const RowMemory& memory_;
    Verdict verdict_;
    Rest rest_;
};

void Verify::operator()(Team& team) const {
    const SampleArgs target = target_rows(*this);
    const SampleArgs draft = rows_of_drafts(*this);
    auto root_owns = [&](int64_t request) {
        const RequestShape shape(*this, request);
        return shape.is_valid && shape.size > 0 && owns_slot(target, shape.begin);
    };
    team.run(num_slots > 0 ? num_requests : 0, [&](int64_t request, int) {
        if (!root_owns(request)) return;
        const ct_sample_row& p = rows[cu_rows[request]];
        Slot(p, state, vocab_size).take_up(p, history_ids);
    });
    team.run(num_rows + num_draft_rows, [&](int64_t part, int thread) {
        const RowMemory memory = RowMemory::at(memory_of(team, thread), vocab_size);
        if (part < num_rows) {
            look_at_target(target, memory, part);
        } else {
            look_at_draft(draft, memory, part - num_rows);
        }
    });
    team.run(num_requests, [&](int64_t request, int thread) {
        unsigned char* all = memory_of(team, thread);
        const RowMemory memory = RowMemory::at(all, vocab_size);
        const RequestShape shape(*this, request);
        Tree tree(*this, target, draft, shape, request, memory, rest_at(all));
        if (!shape.is_valid || shape.size == 0) return tree.end(shape.is_valid ? CT_SAMPLE_OK : CT_SAMPLE_INVALID);
        walk(tree);
        if (num_slots == 0 || !root_owns(request)) return;
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
