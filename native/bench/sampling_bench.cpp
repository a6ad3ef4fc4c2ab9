// sampling_bench.cpp: ct_sample and ct_embedding in microseconds.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tests/kernel_testing.h"

namespace {

using namespace testing;

template <typename Body>
double best_microseconds(Device& d, const Body& body) {
    double best = 1e30;
    for (int i = 0; i < 12; ++i) {
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
};

void sampling(Device& d, int64_t vocab, int64_t n, float scale) {
    Random random(3);
    Array<float> logits(d, n * vocab), logprob(d, n);
    Array<int32_t> token(d, n), rank(d, n), status(d, n);
    Array<ct_sample_row> rows(d, n);
    for (int64_t i = 0; i < n * vocab; ++i) logits.at[i] = random.normal(scale);
    constexpr Setting kSettings[] = {{"greedy", 0, 0, 1, 0},           {"plain", 1, 0, 1, 0},
                                     {"plain 0.8", 0.8f, 0, 1, 0},     {"min-p", 0.8f, 0, 1, 0.05f},
                                     {"top-k 50", 0.8f, 50, 1, 0},     {"top-p 0.9", 1, 0, 0.9f, 0},
                                     {"top-p 0.95", 0.8f, 0, 0.95f, 0}};
    for (const Setting& s : kSettings) {
        for (int64_t r = 0; r < n; ++r) {
            ct_sample_row& row = rows.at[r];
            row = {};
            row.forced = row.state_slot = row.mask_row = row.allowed_row = -1;
            row.temperature = s.temperature;
            row.top_k = s.top_k;
            row.top_p = s.top_p;
            row.min_p = s.min_p;
            row.seed = r;
        }
        ct_sample_params p{};
        p.struct_bytes = sizeof p;
        p.num_rows = n;
        p.vocab_size = p.logits_stride = vocab;
        int64_t bytes = 0;
        CHECK_OK(ct_sample_workspace_bytes(&bytes, d.device, &p));
        Array<unsigned char> workspace(d, bytes);
        double us = best_microseconds(d, [&] {
            CHECK_OK(ct_sample(token.buffer, logprob.buffer, rank.buffer, nullptr, nullptr, status.buffer, nullptr,
                               logits.buffer, rows.buffer, nullptr, nullptr, nullptr, nullptr, workspace.buffer, &p,
                               d.stream));
        });
        std::printf("sample V=%lld rows=%lld scale=%.0f %-10s %9.1f us %6.2f GB/s\n", static_cast<long long>(vocab),
                    static_cast<long long>(n), static_cast<double>(scale), s.name, us,
                    static_cast<double>(n * vocab * 4) / us * 1e-3);
    }
}

void embedding(Device& d, int64_t n) {
    Random random(4);
    constexpr int64_t kRows = 32768, kCols = 2048;
    std::vector<uint16_t> values(static_cast<size_t>(kRows * kCols), 0x3f80);
    const ct_weights_part part = testing::weights_part(values.data(), kRows, kRows * kCols * 2, CT_FORMAT_BF16);
    ct_weights* table = nullptr;
    CHECK_OK(ct_weights_create(&table, d.device, &part, 1, kCols, CT_BF16, CT_WEIGHTS_LINEAR));
    Array<int32_t> ids(d, n);
    Array<ct::bf16> y(d, n * kCols);
    double us = best_microseconds(d, [&] {
        for (int64_t i = 0; i < n; ++i) ids.at[i] = static_cast<int32_t>(random.below(kRows));
        CHECK_OK(ct_embedding(y.buffer, table, ids.buffer, n, kCols, CT_BF16, 1, d.stream));
    });
    std::printf("embedding tokens=%lld %9.1f us\n", static_cast<long long>(n), us);
    CHECK_OK(ct_weights_destroy(table));
}

}  // namespace

int main() {
    Device d(2, CT_ISA_AUTO);
    for (float scale : {1.0f, 4.0f}) {
        for (int64_t vocab : {32768, 151936}) {
            for (int64_t rows : {1, 64}) sampling(d, vocab, rows, scale);
        }
    }
    for (int64_t tokens : {1, 64, 512}) embedding(d, tokens);
    return finish("sampling_bench");
}
