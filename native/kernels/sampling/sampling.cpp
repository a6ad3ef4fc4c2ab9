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
        *begin = bias_offsets ? bias_offsets[r] : 0;
        *end = bias_offsets ? bias_offsets[r + 1] : 0;
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
        if (!(temperature[r] >= kGreedyBelow)) {
            int64_t i = (std::find(m.maxima, m.maxima + num_chunks(), largest) - m.maxima) * kChunk;
            while (biased[i] != largest) ++i;
            return i;
        }
        DrawOptions options{temperature[r], top_k[r], top_p[r], min_p[r], uniform_of(seed[r], position[r])};
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
        const float* row = logits + r * logits_stride;
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
        int64_t chosen = forced && forced[r] >= 0 ? forced[r] : choose(m, biased, largest, r, &sum_exp);
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

extern "C" int32_t ct_sample(ct_buffer* token, ct_buffer* logprob, ct_buffer* rank, ct_buffer* top_ids,
                             ct_buffer* top_logprobs, ct_buffer* status, const ct_buffer* logits,
                             const ct_buffer* temperature, const ct_buffer* top_k, const ct_buffer* top_p,
                             const ct_buffer* min_p, const ct_buffer* seed, const ct_buffer* position,
                             const ct_buffer* forced, const ct_buffer* bias_offsets, const ct_buffer* bias_ids,
                             const ct_buffer* bias_values, ct_buffer* workspace, const ct_sample_params* params,
                             ct_stream* stream) {
    ct_sample_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::check_params(__func__, p));
    auto check_rows = [&](const char* name, const ct_buffer* buffer, int64_t bytes) {
        return ct::check_buffer("ct_sample", name, buffer, stream, p.num_rows, bytes);
    };
    CT_TRY(check_rows("token", token, 4));
    CT_TRY(check_rows("logprob", logprob, 4));
    CT_TRY(check_rows("rank", rank, 4));
    CT_TRY(check_rows("status", status, 4));
    CT_TRY(check_rows("temperature", temperature, 4));
    CT_TRY(check_rows("top_k", top_k, 4));
    CT_TRY(check_rows("top_p", top_p, 4));
    CT_TRY(check_rows("min_p", min_p, 4));
    CT_TRY(check_rows("seed", seed, 8));
    CT_TRY(check_rows("position", position, 8));
    if (forced) CT_TRY(check_rows("forced", forced, 4));
    CT_TRY(ct::check_matrix(__func__, "logits", logits, stream, p.num_rows, p.vocab_size, p.logits_stride, 4));
    if (p.max_top_logprobs > 0) {
        int64_t n = p.max_top_logprobs;
        CT_TRY(ct::check_matrix(__func__, "top_ids", top_ids, stream, p.num_rows, n, n, 4));
        CT_TRY(ct::check_matrix(__func__, "top_logprobs", top_logprobs, stream, p.num_rows, n, n, 4));
    }
    bool biased = p.num_bias > 0;
    if (biased) {
        CT_TRY(ct::check_buffer(__func__, "bias_offsets", bias_offsets, stream, p.num_rows + 1, 4));
        CT_TRY(ct::check_buffer(__func__, "bias_ids", bias_ids, stream, p.num_bias, 4));
        CT_TRY(ct::check_buffer(__func__, "bias_values", bias_values, stream, p.num_bias, 4));
    }
    const ct::SampleArgs args{ct::data<int32_t>(token),
                              ct::data<float>(logprob),
                              ct::data<int32_t>(rank),
                              ct::data<int32_t>(top_ids),
                              ct::data<float>(top_logprobs),
                              ct::data<int32_t>(status),
                              ct::data<float>(logits),
                              ct::data<float>(temperature),
                              ct::data<int32_t>(top_k),
                              ct::data<float>(top_p),
                              ct::data<float>(min_p),
                              ct::data<int64_t>(seed),
                              ct::data<int64_t>(position),
                              ct::data<int32_t>(forced),
                              biased ? ct::data<int32_t>(bias_offsets) : nullptr,
                              ct::data<int32_t>(bias_ids),
                              ct::data<float>(bias_values),
                              ct::data<void>(workspace),
                              p.num_rows,
                              p.vocab_size,
                              p.logits_stride,
                              p.num_bias,
                              p.max_top_logprobs};
    if (ct::has_backend(stream)) {
        int64_t needed = 0;
        CT_TRY(ct::workspace_bytes(ct::device_of(stream), p, &needed));
        if (needed > 0) CT_TRY(ct::check_buffer(__func__, "workspace", workspace, stream, needed, 1));
        return ct::launch(__func__, stream, &ct::Operations::sample, args);
    }
    const ct::SamplingPasses& passes = ct::variant(stream, ct::kSamplingScalar, ct::kSamplingAvx2, ct::kSamplingAvx512);
    return ct::enqueue(stream, ct::Sample{args, &passes});
}
