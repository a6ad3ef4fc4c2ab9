// speculate_bench.cpp: ct_verify over one read of its rows (at the bandwidth of CT_PROBE_READ_BANDWIDTH), and ct_kv_move in microseconds.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tests/kernel_testing.h"

namespace {

using namespace testing;

template <typename Body>
double best_microseconds(Device& d, const Body& body) {
    double best = 1e30;
    for (int i = 0; i < 10; ++i) {
        auto begin = std::chrono::steady_clock::now();
        body();
        CHECK_OK(ct_stream_synchronize(d.stream));
        best =
            std::min(best, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

struct Setting {
    const char* name;
    float temperature;
    int32_t top_k;
    float top_p, min_p;
    bool by_chance;
    int32_t method;
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

// Chains of K drafts, about as good as a draft model's: half are the target's first token.
void chains(Device& d, int64_t requests, int64_t k, const Setting& s) {
    Random random(3);
    const int64_t rows = requests * (k + 1);
    const int64_t drafts = s.by_chance ? requests * k : 0;
    Array<float> logits(d, rows * kVocab), draft_logits(d, drafts * kVocab);
    std::vector<float> noise(static_cast<size_t>(2 * kVocab));
    for (float& v : noise) v = random.normal(1);
    for (int64_t r = 0; r < rows; ++r) {
        const float* from = noise.data() + random.below(kVocab);
        for (int64_t i = 0; i < kVocab; ++i) logits.at[r * kVocab + i] = 3 * from[i];
    }
    Array<ct_sample_row> params(d, rows), draft_params(d, drafts);
    Array<int32_t> cu(d, requests + 1), ids(d, rows), of_draft(d, rows);
    for (int64_t b = 0; b <= requests; ++b) cu.at[b] = static_cast<int32_t>(b * (k + 1));
    for (int64_t r = 0; r < rows; ++r) {
        params.at[r] = row_of(s, r / (k + 1), r % (k + 1));
        of_draft.at[r] = -1;
        if (r % (k + 1) == 0) continue;
        const float* parent = logits.at + (r - 1) * kVocab;
        ids.at[r] = static_cast<int32_t>(std::max_element(parent, parent + kVocab) - parent);
        if (random.below(2) == 0) ids.at[r] = static_cast<int32_t>(random.below(kVocab));
        if (!s.by_chance) continue;
        const int64_t at = r / (k + 1) * k + r % (k + 1) - 1;
        of_draft.at[r] = static_cast<int32_t>(at);
        const float* from = noise.data() + random.below(kVocab);
        for (int64_t i = 0; i < kVocab; ++i) draft_logits.at[at * kVocab + i] = parent[i] + 0.5f * from[i];
        draft_params.at[at] = row_of(s, r, r);
    }
    ct_verify_params p{};
    p.struct_bytes = sizeof p;
    p.num_requests = requests;
    p.num_rows = rows;
    p.num_draft_rows = drafts;
    p.max_tokens = k + 1;
    p.vocab_size = p.logits_stride = p.draft_stride = kVocab;
    p.method = s.method;
    Array<int32_t> tokens(d, requests * (k + 1)), path(d, requests * (k + 1)), accepted(d, requests),
        status(d, requests);
    int64_t bytes = 0;
    CHECK_OK(ct_verify_workspace_bytes(&bytes, d.device, &p));
    Array<unsigned char> workspace(d, bytes);
    const double us = best_microseconds(d, [&] {
        CHECK_OK(ct_verify(tokens.buffer, accepted.buffer, path.buffer, status.buffer, nullptr, nullptr, logits.buffer,
                           params.buffer, draft_logits.buffer, draft_params.buffer, nullptr, nullptr, nullptr, nullptr,
                           cu.buffer, ids.buffer, nullptr, of_draft.buffer, nullptr, workspace.buffer, &p, d.stream));
    });
    // One read of what is verified, at the device's own bandwidth.
    double bandwidth = 0;
    CHECK_OK(ct_device_probe(&bandwidth, d.device, CT_PROBE_READ_BANDWIDTH));
    const double floor = static_cast<double>((rows + drafts) * kVocab * 4) / bandwidth * 1e6;
    double mean = 0;
    for (int64_t b = 0; b < requests; ++b) mean += static_cast<double>(accepted.at[b]) / static_cast<double>(requests);
    std::printf("verify V=%lld B=%lld K=%lld %-22s %9.1f us %5.2f x one read, accepted %.2f\n",
                static_cast<long long>(kVocab), static_cast<long long>(requests), static_cast<long long>(k), s.name, us,
                us / floor, mean);
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
    const double us =
        best_microseconds(d, [&] { CHECK_OK(ct_kv_move(k.buffer, v.buffer, list.buffer, nullptr, &p, d.stream)); });
    std::printf("kv_move sequences=%lld of 4 moves, 8 heads of 128 bf16: %9.1f us\n", static_cast<long long>(requests),
                us);
}

}  // namespace

int main() {
    Device d(2, CT_ISA_AUTO);
    constexpr Setting kSettings[] = {
        {"greedy", 0, 0, 1, 0, false, CT_VERIFY_TOKENS},
        {"top-k 50", 0.8f, 50, 1, 0, false, CT_VERIFY_TOKENS},
        {"top-k 50 top-p 0.9", 0.8f, 50, 0.9f, 0, false, CT_VERIFY_TOKENS},
        {"plain", 1, 0, 1, 0, false, CT_VERIFY_TOKENS},
        {"greedy q", 0, 0, 1, 0, true, CT_VERIFY_TOKENS},
        {"min-p 0.05 q", 0.8f, 0, 1, 0.05f, true, CT_VERIFY_TOKENS},
        {"top-k 50 q", 0.8f, 50, 1, 0, true, CT_VERIFY_TOKENS},
        {"top-k 50 q block", 0.8f, 50, 1, 0, true, CT_VERIFY_BLOCK},
        {"top-p 0.9 q", 0.8f, 0, 0.9f, 0, true, CT_VERIFY_TOKENS},
        {"plain q", 1, 0, 1, 0, true, CT_VERIFY_TOKENS},
    };
    for (const Setting& s : kSettings) chains(d, 32, 4, s);
    for (int64_t requests : {1, 32}) moves(d, requests);
    return finish("speculate_bench");
}
