// sampling_gpu_test.cpp: the CUDA kernel of ct_sample, against the sort and against the CPU.
#include "kernels/sampling/sampling_testing.h"

namespace {

using namespace testing;

// Both draw with the same random number; their weights differ in the last bits, so only rows that the sort is sure of
// must agree.
void agreesWithTheCpu(Device& d, int64_t vocab, int64_t num_rows) {
    Device cpu;
    Random random(static_cast<uint64_t>(vocab) + 11);
    std::vector<Row> rows;
    for (int64_t r = 0; r < num_rows; ++r) rows.push_back(random_row(random, vocab));
    std::vector<Result> here = sample(d, rows, 5), there = sample(cpu, rows, 5);
    int64_t different = 0;
    for (size_t r = 0; r < rows.size(); ++r) {
        CHECK(here[r].status == there[r].status);
        CHECK(here[r].top_ids == there[r].top_ids);
        if (here[r].token != there[r].token) {
            ++different;
            continue;
        }
        CHECK(here[r].rank == there[r].rank);
        CHECK_CLOSE(static_cast<double>(here[r].logprob), static_cast<double>(there[r].logprob),
                    1e-5 + 1e-6 * std::fabs(static_cast<double>(there[r].logprob)));
    }
    CHECK(different <= 1 + num_rows / 50);
}

// What a row keeps: the tokens that many draws with other positions give, none of which lies outside the sort's set.
void keepsExactlyTheSortedSet(Device& d) {
    Row row;
    for (int i = 0; i < 600; ++i) row.logits.push_back(static_cast<float>(i * 7 % 30) / 16);  // 20 tokens a value
    row.top_k = 50;
    std::vector<Row> rows;
    for (int i = 0; i < 1500; ++i) {
        row.position = i;
        rows.push_back(row);
    }
    std::vector<size_t> order = order_of({row.logits.begin(), row.logits.end()});
    std::vector<int> drawn(row.logits.size());
    for (const Result& result : sample(d, rows, 0)) ++drawn[static_cast<size_t>(result.token)];
    for (size_t i = 0; i < order.size(); ++i) CHECK((drawn[order[i]] > 0) == (i < 50));
}

// Several hundred equal logits at each boundary, the lower ids first; a vocabulary of one value.
void tiesGoToTheLowerId(Device& d) {
    for (int64_t vocab : {2000, 3001}) {
        if (reduced() && vocab == 3001) continue;
        Row row;
        for (int64_t i = 0; i < vocab; ++i) row.logits.push_back(i % 3 == 0 ? 2.0f : 1.0f);
        std::vector<Row> rows;
        for (int32_t k : {1, 300, 700, 1500}) {
            for (float p : {1.0f, 0.3f, 0.999f}) {
                for (int64_t position = 0; position < (reduced() ? 1 : 3); ++position) {
                    row.top_k = k;
                    row.top_p = p;
                    row.position = position;
                    rows.push_back(row);
                }
            }
        }
        Row equal = rows[0];
        std::fill(equal.logits.begin(), equal.logits.end(), -3.5f);
        equal.top_k = 777;
        rows.push_back(equal);
        std::vector<Result> results = sample(d, rows, 700);
        for (size_t r = 0; r < rows.size(); ++r) {
            context = "ties, row " + std::to_string(r);
            expect(rows[r], results[r], 700);
        }
    }
}

// Logits whose differences overflow, vanish, or lie at the ends of float.
void takesExtremeLogits(Device& d) {
    constexpr float kMax = std::numeric_limits<float>::max(), kTiny = std::numeric_limits<float>::denorm_min();
    const float pairs[][2] = {{kMax, -kMax}, {-kMax, -kMax}, {kTiny, 0}, {1e30f, 1.0000001e30f}, {-1e-38f, 1e-38f}};
    std::vector<Row> rows;
    for (const auto& pair : pairs) {
        for (float temperature : {0.0f, 1e-5f, 1.0f, kInf}) {
            for (int32_t top_k : {0, 1, 400}) {
                if (reduced() && top_k == 1) continue;
                Row row;
                for (int i = 0; i < 900; ++i) row.logits.push_back(pair[i % 2]);
                row.temperature = temperature;
                row.top_k = top_k;
                row.top_p = top_k == 1 ? 1.0f : 0.6f;
                row.position = static_cast<int64_t>(rows.size());
                rows.push_back(row);
            }
        }
    }
    std::vector<Result> results = sample(d, rows, 4);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = "extremes, row " + std::to_string(r);
        CHECK(results[r].status == CT_SAMPLE_OK);
        std::vector<double> logits(rows[r].logits.begin(), rows[r].logits.end());
        std::vector<size_t> order = order_of(logits);
        for (size_t i = 0; i < 4; ++i) CHECK(results[r].top_ids[i] == static_cast<int32_t>(order[i]));
        Expected expected = simple_draw(rows[r], logits, order);
        if (expected.sure) CHECK(results[r].token == expected.token);
    }
}

// Thousands of tokens, each far below the first, that hold a fifth of the mass together.
void sumsManyLightTokens(Device& d) {
    std::vector<Row> rows;
    for (float p : {0.8f, 0.83f, 0.9f, 0.95f, 0.99f, 1.0f}) {
        for (int64_t position = 0; position < (reduced() ? 2 : 8); ++position) {
            Row row;
            row.logits.assign(5001, -10.0f);
            row.logits[4321] = 0;
            row.top_p = p;
            row.position = position;
            rows.push_back(row);
        }
    }
    std::vector<Result> results = sample(d, rows, 1);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = "light tokens, row " + std::to_string(r);
        expect(rows[r], results[r], 1);
    }
}

// More entries than are taken at a time, the same ids again and again; offsets that contradict the table.
void addsBiasInOrder(Device& d) {
    Random random(17);
    std::vector<Row> rows;
    for (int entries : {1, 255, 256, 257, 900}) {
        Row row;
        for (int i = 0; i < 500; ++i) row.logits.push_back(random.normal(2));
        for (int i = 0; i < entries; ++i) {
            bool ban = random.below(40) == 0;
            row.bias.push_back({static_cast<int32_t>(random.below(120)), ban ? -kInf : random.normal(1)});
        }
        rows.push_back(row);
        row.bias.assign(1, {7, kInf});
        rows.push_back(row);
        row.bias.clear();
        for (int32_t i = 0; i < 500; ++i) row.bias.push_back({i, -kInf});
        rows.push_back(row);
    }
    std::vector<Result> results = sample(d, rows, 6);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = "bias, row " + std::to_string(r);
        Row plain = rows[r];
        // The sums of float32 in their order.
        std::vector<float> biased = plain.logits;
        for (auto [id, bias] : plain.bias) biased[static_cast<size_t>(id)] += bias;
        plain.bias.clear();
        for (size_t i = 0; i < biased.size(); ++i) {
            float bias = biased[i] - plain.logits[i];
            if (biased[i] != plain.logits[i]) plain.bias.push_back({static_cast<int32_t>(i), bias});
        }
        expect(plain, results[r], 6);
    }
}

void samplesNoRows(Device& d) {
    Array<float> f(d, 4);
    Array<int32_t> i(d, 4);
    Array<ct_sample_row> rows(d, 1);
    i.poison();
    ct_sample_params p{};
    p.struct_bytes = sizeof p;
    p.vocab_size = p.logits_stride = 4;
    CHECK_OK(ct_sample(i.buffer, f.buffer, i.buffer, nullptr, nullptr, i.buffer, nullptr, f.buffer, rows.buffer,
                       nullptr, nullptr, nullptr, nullptr, nullptr, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t at = 0; at < 4; ++at) CHECK(untouched(i.at[at]));
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        std::string device = context;
        // A lane has 8 tokens, at most 256 are compared with each other.
        std::vector<int64_t> widths = {1, 2, 7, 8, 9, 63, 255, 256, 257, 1025};
        if (!reduced()) widths.insert(widths.end(), {6143, 6144, 6145});
        for (int64_t vocab : widths) matchesTheSort(d, vocab, reduced() ? 20 : 60);
        agreesWithTheCpu(d, 1500, reduced() ? 30 : 200);
        context = device;
        tiesGoToTheLowerId(d);
        takesExtremeLogits(d);
        addsBiasInOrder(d);
        sumsManyLightTokens(d);
        context = device;
        samplesNoRows(d);
        if (!reduced()) {
            matchesTheSort(d, 20011, 24);
            context = device;
            keepsExactlyTheSortedSet(d);
            drawsWithTheRightFrequencies(d);
        }
    });
    std::printf("%lld rows sure, %lld within rounding\n", static_cast<long long>(sure_rows),
                static_cast<long long>(unsure_rows));
    return finish("sampling_gpu");
}
