// sampling.cpp: ct_sample: the state of requests, and rows dealt over the team.
#include <algorithm>
#include <cfloat>
#include <optional>

#include "kernels/sampling/row.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();

// A request's slot of the state: weight.h tells the layout.
class Slot {
public:
    Slot(int32_t* words, int64_t vocab_size)
        : words_(words),
          counts_(words + kSlotHead),
          distinct_(words + kSlotHead + padded_vocab(vocab_size)),
          vocab_size_(vocab_size) {}

    void reset(float mu) {
        for (int32_t i = 0; i < words_[kSlotDistinct]; ++i) counts_[distinct_[i]] = 0;
        words_[kSlotDistinct] = 0;
        set_mu(mu);
    }

    void note(const int32_t* ids, int64_t n, bool of_prompt) {
        for (int64_t i = 0; i < n; ++i) {
            if (ids[i] < 0 || ids[i] >= vocab_size_) continue;
            auto word = static_cast<uint32_t>(counts_[ids[i]]);
            if (word == 0) distinct_[words_[kSlotDistinct]++] = ids[i];
            word = of_prompt ? word | kInPrompt : word + 1;
            counts_[ids[i]] = static_cast<int32_t>(word);
        }
    }

    float mu() const { return bits_float(static_cast<uint32_t>(words_[kSlotMu])); }
    void set_mu(float mu) { words_[kSlotMu] = static_cast<int32_t>(float_bits(mu)); }

private:
    int32_t* words_;
    int32_t* counts_;
    int32_t* distinct_;
    int64_t vocab_size_;
};

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

    Slot take_up(const ct_sample_row& p) const {
        Slot slot(state + p.state_slot * slot_words(vocab_size), vocab_size);
        if (p.flags & CT_SAMPLE_RESET) slot.reset(2 * p.mirostat_tau);
        slot.note(history_ids + p.prompt_begin, p.output_begin - p.prompt_begin, true);
        slot.note(history_ids + p.output_begin, p.history_end - p.output_begin, false);
        return slot;
    }

    void sample_row(const RowMemory& memory, int64_t r, const float* maxima) const {
        const ct_sample_row& p = rows[r];
        if (!is_valid(p, vocab_size, num_bias, num_history, num_masks, num_slots, max_top)) {
            return fail_row(r, CT_SAMPLE_INVALID);
        }
        std::optional<Slot> slot;
        if (p.state_slot >= 0) slot = take_up(p);
        Row x(*this, *passes, memory, r, maxima);
        int32_t fault = x.begin();
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
        if (slot) slot->note(&token[r], 1, false);
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

    void operator()(Team& team) const {
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
