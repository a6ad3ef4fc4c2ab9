// speculate_bench.cpp: ct_verify over one read of its rows by as many threads, right before each run, and ct_kv_move in
// microseconds. With an argument: only the settings whose name has it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "tests/kernel_testing.h"

namespace {

using namespace testing;

constexpr int kTeam = 2;
constexpr int kRuns = 31;  // some have their threads on one core at first

template <typename Body>
double microseconds(const Body& body) {
    auto begin = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + kRuns / 2, values.end());
    return values[kRuns / 2];
}

std::atomic<uint64_t> sink;  // keeps what is read alive

void read(const void* memory, int64_t bytes) {
    const auto* words = static_cast<const uint64_t*>(memory);
    uint64_t sums[8] = {};
    for (int64_t i = 0; i + 8 <= bytes / 8; i += 8) {
        for (int j = 0; j < 8; ++j) sums[j] ^= words[i + j];
    }
    for (uint64_t sum : sums) sink += sum;
}

// Of both, shared out over the threads.
void read_once(const void* a, int64_t a_bytes, const void* b, int64_t b_bytes) {
    auto part = [&](int64_t i) {
        auto share = [i](int64_t bytes) { return bytes / kTeam / 64 * 64 * i; };
        auto end = [&](int64_t bytes) { return i + 1 < kTeam ? bytes / kTeam / 64 * 64 * (i + 1) : bytes; };
        read(static_cast<const char*>(a) + share(a_bytes), end(a_bytes) - share(a_bytes));
        if (b_bytes > 0) read(static_cast<const char*>(b) + share(b_bytes), end(b_bytes) - share(b_bytes));
    };
    std::thread other(part, 1);
    part(0);
    other.join();
}

struct Setting {
    const char* name;
    float temperature;
    int32_t top_k;
    float top_p, min_p;
    bool by_chance;
    int32_t method;
    bool good;  // drafts as a good draft model's, drawn: most stand
};

constexpr int64_t kVocab = 131072;

ct_sample_row row_of(const Setting& s, int64_t seed, int64_t position) {
    ct_sample_row row{};
    row.forced = row.state_slot = row.mask_row = row.allowed_row = -1;
    row.temperature = s.temperature;
    row.top_k = s.top_k;
    row.top_p = s.top_p;
    row.min_p = s.min_p;
    row.seed = seed;
    row.position = position;
    return row;
}

// What the rows' own parameters draw.
template <typename T>
void draw(Device& d, Array<int32_t>& tokens, const Array<T>& logits, const Array<ct_sample_row>& rows, int32_t dtype) {
    ct_sample_params p{};
    p.struct_bytes = sizeof p;
    p.num_rows = rows.size;
    p.vocab_size = p.logits_stride = kVocab;
    p.logits_dtype = dtype;
    Array<float> logprob(d, rows.size);
    Array<int32_t> rank(d, rows.size), status(d, rows.size);
    int64_t bytes = 0;
    CHECK_OK(ct_sample_workspace_bytes(&bytes, d.device, &p));
    Array<unsigned char> workspace(d, bytes);
    CHECK_OK(ct_sample(tokens.buffer, logprob.buffer, rank.buffer, nullptr, nullptr, status.buffer, nullptr,
                       logits.buffer, rows.buffer, nullptr, nullptr, nullptr, nullptr, workspace.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
}

// Chains of K drafts. Half are the target's first token and the others any, or they are good: drawn from a draft row that
// is near the target's, and without draft rows three of four what the target draws.
template <typename T>
void chains(Device& d, int64_t requests, int64_t k, const Setting& s, int32_t dtype) {
    Random random(3);
    const int64_t rows = requests * (k + 1);
    const int64_t drafts = s.by_chance ? requests * k : 0;
    Array<T> logits(d, rows * kVocab), draft_logits(d, drafts * kVocab);
    std::vector<float> noise(static_cast<size_t>(2 * kVocab));
    std::vector<T> steep;
    for (float& v : noise) {
        v = random.normal(1);
        steep.push_back(ct::from_float<T>(3 * v));
    }
    for (int64_t r = 0; r < rows; ++r) std::copy_n(steep.data() + random.below(kVocab), kVocab, logits.at + r * kVocab);
    Array<ct_sample_row> params(d, rows), draft_params(d, drafts);
    Array<int32_t> cu(d, requests + 1), ids(d, rows), of_draft(d, rows), drawn(d, s.by_chance ? drafts : rows);
    for (int64_t b = 0; b <= requests; ++b) cu.at[b] = static_cast<int32_t>(b * (k + 1));
    for (int64_t r = 0; r < rows; ++r) {
        params.at[r] = row_of(s, r / (k + 1), r % (k + 1));
        of_draft.at[r] = -1;
        if (r % (k + 1) == 0 || !s.by_chance) continue;
        const int64_t at = r / (k + 1) * k + r % (k + 1) - 1;
        of_draft.at[r] = static_cast<int32_t>(at);
        const float* from = noise.data() + random.below(kVocab);
        const T* parent = logits.at + (r - 1) * kVocab;
        for (int64_t i = 0; i < kVocab; ++i) {
            draft_logits.at[at * kVocab + i] =
                ct::from_float<T>(ct::to_float(parent[i]) + (s.good ? 0.2f : 0.5f) * from[i]);
        }
        draft_params.at[at] = row_of(s, r, r);
        draft_params.at[at].stream_tag = CT_TAG_DRAFT;
    }
    draw(d, drawn, s.by_chance ? draft_logits : logits, s.by_chance ? draft_params : params, dtype);
    for (int64_t r = 0; r < rows; ++r) {
        if (r % (k + 1) == 0) continue;
        const T* parent = logits.at + (r - 1) * kVocab;
        auto before = [](T a, T b) { return ct::to_float(a) < ct::to_float(b); };
        ids.at[r] = static_cast<int32_t>(std::max_element(parent, parent + kVocab, before) - parent);
        if (s.good) ids.at[r] = drawn.at[s.by_chance ? of_draft.at[r] : r - 1];
        if (random.below(s.good ? 4 : 2) == 0 && !(s.good && s.by_chance)) {
            ids.at[r] = static_cast<int32_t>(random.below(kVocab));
        }
    }
    ct_verify_params p{};
    p.struct_bytes = sizeof p;
    p.num_requests = requests;
    p.num_rows = rows;
    p.num_draft_rows = drafts;
    p.max_tokens = k + 1;
    p.vocab_size = p.logits_stride = p.draft_stride = kVocab;
    p.logits_dtype = p.draft_dtype = dtype;
    p.method = s.method;
    Array<int32_t> tokens(d, requests * (k + 1)), path(d, requests * (k + 1)), accepted(d, requests),
        status(d, requests);
    int64_t bytes = 0;
    CHECK_OK(ct_verify_workspace_bytes(&bytes, d.device, &p));
    Array<unsigned char> workspace(d, bytes);
    std::vector<double> ratios, times;
    for (int run = 0; run < kRuns; ++run) {
        const double one_read = microseconds([&] {
            read_once(logits.at, logits.size * static_cast<int64_t>(sizeof(T)), draft_logits.at,
                      draft_logits.size * static_cast<int64_t>(sizeof(T)));
        });
        times.push_back(microseconds([&] {
            CHECK_OK(ct_verify(tokens.buffer, accepted.buffer, path.buffer, status.buffer, nullptr, nullptr,
                               logits.buffer, params.buffer, draft_logits.buffer, draft_params.buffer, nullptr, nullptr,
                               nullptr, nullptr, cu.buffer, ids.buffer, nullptr, of_draft.buffer, nullptr,
                               workspace.buffer, &p, d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
        }));
        ratios.push_back(times.back() / one_read);
    }
    double mean = 0;
    for (int64_t b = 0; b < requests; ++b) mean += static_cast<double>(accepted.at[b]) / static_cast<double>(requests);
    std::printf("verify V=%lld B=%lld K=%lld %s %-18s %-4s drafts %9.1f us %5.2f x one read, accepted %.2f\n",
                static_cast<long long>(kVocab), static_cast<long long>(requests), static_cast<long long>(k),
                dtype == CT_BF16 ? "bf16" : "f32 ", s.name, s.good ? "good" : "weak", median(times), median(ratios),
                mean);
}

void moves(Device& d, int64_t requests) {
    ct_kv_move_params p{};
    p.struct_bytes = sizeof p;
    p.num_seqs = requests;
    p.max_moves = 4;
    p.num_slots = requests * 16;
    p.num_kv_heads = 8;
    p.head_dim = 128;
    p.block_stride = int64_t{8} * 16 * 128;
    p.kv_dtype = CT_BF16;
    Array<ct::bf16> k(d, requests * p.block_stride), v(d, requests * p.block_stride);
    Array<int64_t> list(d, requests * 8);
    for (int64_t i = 0; i < requests * 4; ++i) {
        list.at[2 * i] = i / 4 * 16 + i % 4 + 6;
        list.at[2 * i + 1] = i / 4 * 16 + i % 4 + 4;
    }
    std::vector<double> times;
    for (int run = 0; run < kRuns; ++run) {
        times.push_back(microseconds([&] {
            CHECK_OK(ct_kv_move(k.buffer, v.buffer, list.buffer, nullptr, &p, d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
        }));
    }
    std::printf("kv_move sequences=%lld of 4 moves, 8 heads of 128 bf16: %9.1f us\n", static_cast<long long>(requests),
                median(times));
}

}  // namespace

int main(int argc, char** argv) {
    Device d(kTeam, CT_ISA_AUTO);
    constexpr Setting kSettings[] = {
        {"greedy", 0, 0, 1, 0, false, CT_VERIFY_TOKENS, false},
        {"top-k 50", 0.8f, 50, 1, 0, false, CT_VERIFY_TOKENS, false},
        {"top-k 50 top-p 0.9", 0.8f, 50, 0.9f, 0, false, CT_VERIFY_TOKENS, false},
        {"plain", 1, 0, 1, 0, false, CT_VERIFY_TOKENS, false},
        {"greedy q", 0, 0, 1, 0, true, CT_VERIFY_TOKENS, false},
        {"min-p 0.05 q", 0.8f, 0, 1, 0.05f, true, CT_VERIFY_TOKENS, false},
        {"top-k 50 q", 0.8f, 50, 1, 0, true, CT_VERIFY_TOKENS, false},
        {"top-k 50 q block", 0.8f, 50, 1, 0, true, CT_VERIFY_BLOCK, false},
        {"top-p 0.9 q", 0.8f, 0, 0.9f, 0, true, CT_VERIFY_TOKENS, false},
        {"plain q", 1, 0, 1, 0, true, CT_VERIFY_TOKENS, false},
    };
    for (bool good : {false, true}) {
        for (Setting s : kSettings) {
            if (argc > 1 && !std::strstr(s.name, argv[1])) continue;
            s.good = good;
            chains<float>(d, 32, 4, s, CT_F32);
            chains<ct::bf16>(d, 32, 4, s, CT_BF16);
        }
    }
    for (int64_t requests : {1, 32}) moves(d, requests);
    return finish("speculate_bench");
}
