// sampling.cpp: ct_sample: the state of requests, and rows dealt over the team.
#include <algorithm>
#include <cfloat>
#include <optional>

#include "kernels/sampling/row.h"
#include "kernels/sampling/slot.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();

struct Sample : SampleArgs {
    const SamplingPasses* passes;

    int64_t num_chunks() const { return (vocab_size + kChunk - 1) / kChunk; }

    void fail_row(int64_t r, int32_t why) const {
        token[r] = -1;
        logprob[r] = -kInfinity;
        rank[r] = 0;
        status[r] = why;
        clear_tops(r);
    }

    void clear_tops(int64_t r) const {
        std::fill_n(top_ids + r * max_top, max_top, -1);
        std::fill_n(top_logprobs + r * max_top, max_top, -kInfinity);
    }

    Slot slot_of(int64_t r) const { return Slot(rows[r], state, vocab_size); }

    bool is_valid_row(int64_t r) const {
        return is_valid(rows[r], vocab_size, num_bias, num_history, num_masks, num_slots, max_top, shares_slots);
    }

    bool owns_slot(int64_t r) const { return is_valid_row(r) && rows[r].state_slot >= 0 && !assumes(rows[r]); }

    void sample_row(const RowMemory& memory, int64_t r, const float* maxima) const {
        const ct_sample_row& p = rows[r];
        if (!is_valid_row(r)) return fail_row(r, CT_SAMPLE_INVALID);
        std::optional<Slot> slot;
        if (p.state_slot >= 0 && !assumes(p)) {
            slot = slot_of(r);
            if (!shares_slots) slot->take_up(p, history_ids);
        }
        Row x(*this, *passes, memory, r, maxima);
        // Logprobs ask for the exact mass in any case.
        int32_t fault = x.begin((p.flags & CT_SAMPLE_LOGPROBS) != 0 ? Look::kExact : Look::kTight);
        const bool runs = p.forced < 0 || (p.flags & CT_SAMPLE_PROCESSED) != 0;
        if (fault == CT_SAMPLE_OK && runs) fault = run_chain(x, p, slot ? slot->mu() : 0);
        if (fault != CT_SAMPLE_OK) return fail_row(r, fault);
        int64_t chosen = p.forced;
        if (chosen < 0) {
            const uint64_t key = draw(x, p);
            chosen = x.code.id(key);
            if (slot && p.mirostat_tau > 0) slot->set_mu(next_mu(x, p, slot->mu(), key));
        }
        token[r] = static_cast<int32_t>(chosen);
        logprob[r] = 0;
        rank[r] = 0;
        status[r] = CT_SAMPLE_OK;
        clear_tops(r);
        if (p.flags & CT_SAMPLE_LOGPROBS) x.report(chosen);
        if (slot && !shares_slots) slot->note(&token[r], 1, false);
    }

    // Few rows: the first look at each is shared out in pieces of it, since memory's speed is that of all threads.
    void sample_few(Team& team) const {
        const int64_t pieces = team.size();
        const int64_t length = (num_chunks() + pieces - 1) / pieces * kChunk;
        const int64_t stride = num_chunks();
        auto* maxima = reinterpret_cast<float*>(memory_of(team, 0) + RowMemory::bytes(vocab_size));
        team.run(num_rows * pieces, [&](int64_t part, int) {
            const int64_t r = part / pieces;
            const int64_t begin = part % pieces * length;
            if (begin >= vocab_size) return;
            const float* row = static_cast<const float*>(logits) + r * logits_stride;
            passes->chunk_maxima(maxima + r * stride + begin / kChunk, nullptr, row + begin,
                                 std::min(length, vocab_size - begin));
        });
        team.run(num_rows, [&](int64_t r, int thread) {
            sample_row(RowMemory::at(memory_of(team, thread), vocab_size), r, maxima + r * stride);
        });
    }

    // A thread's, with room for the maxima of sample_few behind it.
    unsigned char* memory_of(Team& team, int thread) const {
        const auto shared = static_cast<size_t>(num_chunks() * team.size()) * sizeof(float);
        return static_cast<unsigned char*>(team.scratch(thread, RowMemory::bytes(vocab_size) + shared));
    }

    // Rows that share a slot read it as it is between its history and the draws.
    void operator()(Team& team) const {
        if (!shares_slots) return sample_all(team);
        team.run(num_rows, [&](int64_t r, int) {
            if (owns_slot(r)) slot_of(r).take_up(rows[r], history_ids);
        });
        sample_all(team);
        for (int64_t r = 0; r < num_rows; ++r) {
            if (owns_slot(r) && status[r] == CT_SAMPLE_OK) slot_of(r).note(&token[r], 1, false);
        }
    }

    void sample_all(Team& team) const {
        if (num_rows < team.size() && logits_dtype == CT_F32) return sample_few(team);
        team.run(num_rows, [&](int64_t r, int thread) {
            sample_row(RowMemory::at(memory_of(team, thread), vocab_size), r, nullptr);
        });
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
    if (p.shares_slots != 0 && p.shares_slots != 1) return refuse("shares_slots", p.shares_slots, "0 or 1");
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
                              p.logits_dtype,
                              p.shares_slots != 0};
    int64_t needed = 0;
    CT_TRY(ct::workspace_bytes(ct::device_of(stream), p, &needed));
    if (needed > 0) CT_TRY(check("workspace", workspace, needed, 1));
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::sample, args);
    const ct::SamplingPasses& passes = ct::variant(stream, ct::kSamplingScalar, ct::kSamplingAvx2, ct::kSamplingAvx512);
    return ct::enqueue(stream, ct::Sample{args, &passes});
}
