// sampling.cpp: ct_sample.
#include "kernels/sampling/sampling.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/backend.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr float kGreedyBelow = 1e-5f;

struct Sample : SampleArgs {
    const SamplingPasses* passes;

    // A thread's memory: everything that one row needs.
    struct Memory {
        float* biased;    // logits + bias: decides the token
        float* allowed;   // logits, -inf where banned: decides what is reported
        float* maxima;    // of biased, one a chunk
        float* reported;  // the same of allowed
        float* spare;
        float* weights;
        double* sums;  // one a piece
        uint64_t* keys;
    };

    int64_t num_chunks() const { return (vocab_size + kChunk - 1) / kChunk; }

    Memory memory(Team& team, int thread) const {
        size_t tokens = static_cast<size_t>(num_chunks() * kChunk);
        size_t chunks = static_cast<size_t>(num_chunks());
        size_t pieces = static_cast<size_t>((vocab_size + kPiece - 1) / kPiece);
        auto* keys = static_cast<uint64_t*>(team.scratch(thread, tokens * 20 + pieces * 8 + chunks * 12));
        auto* sums = reinterpret_cast<double*>(keys + tokens);
        auto* floats = reinterpret_cast<float*>(sums + pieces);
        float* small = floats + 3 * tokens;
        return {floats, floats + tokens, small, small + chunks, small + 2 * chunks, floats + 2 * tokens, sums, keys};
    }

    void fail_row(int64_t r, int32_t why) const {
        token[r] = -1;
        logprob[r] = -kInfinity;
        rank[r] = 0;
        status[r] = why;
        fill_top(r, 0);
    }

    void fill_top(int64_t r, int64_t from) const {
        for (int64_t i = from; i < max_top; ++i) {
            top_ids[r * max_top + i] = -1;
            top_logprobs[r * max_top + i] = -kInfinity;
        }
    }

    // The row's bias entries [*begin, *end); false if the offsets contradict the table.
    bool bias_of(int64_t r, int64_t* begin, int64_t* end) const {
        *begin = rows[r].bias_begin;
        *end = rows[r].bias_end;
        return *begin >= 0 && *begin <= *end && *end <= num_bias;
    }

    void add_bias(const Memory& m, const float* row, int64_t begin, int64_t end) const {
        std::copy_n(row, vocab_size, m.biased);
        std::copy_n(row, vocab_size, m.allowed);
        for (int64_t i = begin; i < end; ++i) {
            int32_t id = bias_ids[i];
            if (id < 0 || id >= vocab_size) continue;
            m.biased[id] += bias_values[i];
            if (bias_values[i] == -kInfinity) m.allowed[id] = -kInfinity;
        }
    }

    int64_t choose(const Memory& m, const float* biased, float largest, int64_t r, double* sum_exp) const {
        if (!(rows[r].temperature >= kGreedyBelow)) {
            int64_t i = (std::find(m.maxima, m.maxima + num_chunks(), largest) - m.maxima) * kChunk;
            while (biased[i] != largest) ++i;
            return i;
        }
        const ct_sample_row& row = rows[r];
        DrawOptions options{row.temperature, row.top_k, row.top_p, row.min_p, uniform_of(row.seed, row.position)};
        return draw(*passes, {m.maxima, m.spare, m.weights, m.sums, m.keys}, biased, vocab_size, largest, options,
                    sum_exp);
    }

    void report(const Memory& m, const float* allowed, const float* maxima, int64_t chosen, double sum_exp,
                int64_t r) const {
        float largest = *std::max_element(maxima, maxima + num_chunks());
        double shift = static_cast<double>(largest);
        if (sum_exp < 0) sum_exp = passes->weigh(nullptr, nullptr, allowed, vocab_size, largest, 1.0f, -FLT_MAX);
        double log_sum = std::log(sum_exp);
        auto logprob_of = [&](int64_t id) {
            return static_cast<float>(static_cast<double>(allowed[id]) - shift - log_sum);
        };
        token[r] = static_cast<int32_t>(chosen);
        logprob[r] = logprob_of(chosen);
        rank[r] = static_cast<int32_t>(passes->rank(allowed, maxima, vocab_size, chosen));
        status[r] = CT_SAMPLE_OK;
        if (max_top == 0) return;
        int64_t count = first_tokens(m.keys, allowed, vocab_size, maxima, m.spare, std::min(max_top, vocab_size));
        for (int64_t i = 0; i < count; ++i) {
            int64_t id = key_id(m.keys[i]);
            top_ids[r * max_top + i] = static_cast<int32_t>(id);
            top_logprobs[r * max_top + i] = logprob_of(id);
        }
        fill_top(r, count);
    }

    void sample_row(const Memory& m, int64_t r) const {
        const float* row = static_cast<const float*>(logits) + r * logits_stride;
        const float* biased = row;
        const float* allowed = row;
        const float* reported = m.maxima;
        if (!passes->chunk_maxima(m.maxima, row, vocab_size)) return fail_row(r, CT_SAMPLE_NOT_FINITE);
        int64_t begin = 0;
        int64_t end = 0;
        // Offsets that cannot be read would silently lift bans; the row is reported as broken instead.
        if (!bias_of(r, &begin, &end)) return fail_row(r, CT_SAMPLE_NOT_FINITE);
        if (begin < end) {
            add_bias(m, row, begin, end);
            biased = m.biased;
            allowed = m.allowed;
            reported = m.reported;
            passes->chunk_maxima(m.reported, allowed, vocab_size);
            if (!passes->chunk_maxima(m.maxima, biased, vocab_size)) return fail_row(r, CT_SAMPLE_NOT_FINITE);
        }
        float largest = *std::max_element(m.maxima, m.maxima + num_chunks());
        if (largest == -kInfinity) return fail_row(r, CT_SAMPLE_EMPTY);
        double sum_exp = -1;  // of the logits, where the draw has made it
        int64_t chosen = rows[r].forced >= 0 ? rows[r].forced : choose(m, biased, largest, r, &sum_exp);
        if (chosen < 0 || chosen >= vocab_size) return fail_row(r, CT_SAMPLE_EMPTY);
        report(m, allowed, reported, chosen, biased == allowed ? sum_exp : -1, r);
    }

    void operator()(Team& team) const {
        team.run(num_rows, [this, &team](int64_t r, int thread) { sample_row(memory(team, thread), r); });
    }
};

int32_t check_params(const char* function, const ct_sample_params& p) {
    auto refuse = [&](const char* name, int64_t value, const char* limit) {
        return fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), limit);
    };
    if (p.num_rows < 0) return refuse("num_rows", p.num_rows, ">= 0");
    if (p.vocab_size < 1 || p.vocab_size > INT32_MAX) return refuse("vocab_size", p.vocab_size, "1 to 2^31 - 1");
    if (p.num_bias < 0 || p.num_bias > INT32_MAX) return refuse("num_bias", p.num_bias, "0 to 2^31 - 1");
    if (p.max_top_logprobs < 0) return refuse("max_top_logprobs", p.max_top_logprobs, ">= 0");
    if (p.num_history < 0 || p.num_history > INT32_MAX) return refuse("num_history", p.num_history, "0 to 2^31 - 1");
    if (p.num_masks < 0 || p.num_masks > INT32_MAX) return refuse("num_masks", p.num_masks, "0 to 2^31 - 1");
    int64_t words = 0;
    if (p.num_slots < 0 || !multiply(p.num_slots, slot_words(p.vocab_size), &words)) {
        return refuse("num_slots", p.num_slots, ">= 0 and within 64 bits of bytes");
    }
    if (p.logits_dtype != CT_F32 && p.logits_dtype != CT_BF16) {
        return refuse("logits_dtype", p.logits_dtype, "CT_F32 or CT_BF16");
    }
    if (p.reserved != 0) return refuse("reserved", p.reserved, "0");
    return CT_OK;
}

int32_t workspace_bytes(const ct_device* device, const ct_sample_params& p, int64_t* bytes) {
    *bytes = 0;
    if (!device->backend || !device->backend->operations->sample_workspace_bytes) return CT_OK;
    return device->backend->operations->sample_workspace_bytes(*device->limits, p, bytes);
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_argmax(ct_buffer* token, const ct_buffer* logits, int64_t rows, int64_t cols, int64_t stride,
                             ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_REQUIRE(cols >= 1 && cols <= INT32_MAX, "cols=%lld must be 1 to 2^31 - 1", static_cast<long long>(cols));
    CT_TRY(ct::check_matrix(__func__, "logits", logits, stream, rows, cols, stride, 4));
    CT_TRY(ct::check_buffer(__func__, "token", token, stream, rows, 4));
    const ct::ArgmaxArgs args{ct::data<int32_t>(token), ct::data<float>(logits), rows, cols, stride};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::argmax, args);
    return ct::enqueue(stream, [args](ct::Team& team) {
        team.run(args.rows, [&](int64_t r, int) {
            const float* row = args.logits + r * args.stride;
            int64_t best = 0;
            bool finite = true;
            for (int64_t i = 0; i < args.cols; ++i) {
                finite &= !std::isnan(row[i]);
                if (row[i] > row[best]) best = i;
            }
            args.token[r] = finite ? static_cast<int32_t>(best) : -1;
        });
    });
}

extern "C" int32_t ct_sample_workspace_bytes(int64_t* bytes, const ct_device* device, const ct_sample_params* params) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(device, "device is null");
    ct_sample_params p;
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::check_params(__func__, p));
    CT_TRY(ct::workspace_bytes(device, p, bytes));
    return ct::ok();
}

extern "C" int32_t ct_sample_state_bytes(int64_t* bytes, const ct_device* device, int64_t num_slots,
                                         int64_t vocab_size) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(num_slots >= 0, "num_slots=%lld must be >= 0", static_cast<long long>(num_slots));
    CT_REQUIRE(vocab_size >= 1 && vocab_size <= INT32_MAX, "vocab_size=%lld must be 1 to 2^31 - 1",
               static_cast<long long>(vocab_size));
    int64_t all = 0;
    CT_REQUIRE(ct::multiply(num_slots, ct::slot_words(vocab_size) * int64_t{sizeof(int32_t)}, &all),
               "num_slots=%lld is too many", static_cast<long long>(num_slots));
    *bytes = all;
    return ct::ok();
}

extern "C" int32_t ct_sample(ct_buffer* token, ct_buffer* logprob, ct_buffer* rank, ct_buffer* top_ids,
                             ct_buffer* top_logprobs, ct_buffer* status, ct_buffer* state, const ct_buffer* logits,
                             const ct_buffer* rows, const ct_buffer* bias_ids, const ct_buffer* bias_values,
                             const ct_buffer* history_ids, const ct_buffer* masks, ct_buffer* workspace,
                             const ct_sample_params* params, ct_stream* stream) {
    ct_sample_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::check_params(__func__, p));
    auto check = [&](const char* name, const ct_buffer* buffer, int64_t count, int64_t bytes) {
        return ct::check_buffer("ct_sample", name, buffer, stream, count, bytes);
    };
    CT_TRY(check("token", token, p.num_rows, 4));
    CT_TRY(check("logprob", logprob, p.num_rows, 4));
    CT_TRY(check("rank", rank, p.num_rows, 4));
    CT_TRY(check("status", status, p.num_rows, 4));
    CT_TRY(check("rows", rows, p.num_rows, sizeof(ct_sample_row)));
    CT_TRY(ct::check_matrix(__func__, "logits", logits, stream, p.num_rows, p.vocab_size, p.logits_stride,
                            ct::dtype_bytes(p.logits_dtype)));
    if (p.max_top_logprobs > 0) {
        int64_t n = p.max_top_logprobs;
        CT_TRY(ct::check_matrix(__func__, "top_ids", top_ids, stream, p.num_rows, n, n, 4));
        CT_TRY(ct::check_matrix(__func__, "top_logprobs", top_logprobs, stream, p.num_rows, n, n, 4));
    }
    if (p.num_bias > 0) {
        CT_TRY(check("bias_ids", bias_ids, p.num_bias, 4));
        CT_TRY(check("bias_values", bias_values, p.num_bias, 4));
    }
    if (p.num_history > 0) CT_TRY(check("history_ids", history_ids, p.num_history, 4));
    if (p.num_masks > 0) {
        CT_TRY(ct::check_matrix(__func__, "masks", masks, stream, p.num_masks, (p.vocab_size + 31) / 32, p.mask_stride,
                                4));
    }
    if (p.num_slots > 0) CT_TRY(check("state", state, p.num_slots * ct::slot_words(p.vocab_size), 4));
    const ct::SampleArgs args{ct::data<int32_t>(token),
                              ct::data<float>(logprob),
                              ct::data<int32_t>(rank),
                              ct::data<int32_t>(top_ids),
                              ct::data<float>(top_logprobs),
                              ct::data<int32_t>(status),
                              ct::data<int32_t>(state),
                              ct::data<void>(logits),
                              ct::data<ct_sample_row>(rows),
                              ct::data<int32_t>(bias_ids),
                              ct::data<float>(bias_values),
                              ct::data<int32_t>(history_ids),
                              ct::data<int32_t>(masks),
                              ct::data<void>(workspace),
                              p.num_rows,
                              p.vocab_size,
                              p.logits_stride,
                              p.num_bias,
                              p.max_top_logprobs,
                              p.num_history,
                              p.num_masks,
                              p.mask_stride,
                              p.num_slots,
                              p.logits_dtype};
    int64_t needed = 0;
    CT_TRY(ct::workspace_bytes(ct::device_of(stream), p, &needed));
    if (needed > 0) CT_TRY(check("workspace", workspace, needed, 1));
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::sample, args);
    const ct::SamplingPasses& passes = ct::variant(stream, ct::kSamplingScalar, ct::kSamplingAvx2, ct::kSamplingAvx512);
    return ct::enqueue(stream, ct::Sample{args, &passes});
}
