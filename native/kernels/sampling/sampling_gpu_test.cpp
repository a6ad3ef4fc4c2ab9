// sampling_gpu_test.cpp: the CUDA kernel of ct_sample, against the sort and against the CPU.
#include "kernels/sampling/sampling_laws.h"

namespace {

using namespace testing;

// Bit for bit, but for the last bit of what the C libraries' logarithms give.
void agreesWithTheCpu(Device& d, int64_t vocab, int64_t num_rows) {
    Device cpu;
    Random random(static_cast<uint64_t>(vocab) + 11);
    std::vector<Row> rows;
    for (int64_t r = 0; r < num_rows; ++r) rows.push_back(random_row(random, vocab));
    const std::vector<Result> here = sample(d, rows, 5), there = sample(cpu, rows, 5);
    for (size_t r = 0; r < rows.size(); ++r) {
        context = "with the cpu, " + described(rows[r]);
        CHECK(here[r].status == there[r].status);
        CHECK(here[r].token == there[r].token);
        CHECK(here[r].rank == there[r].rank);
        CHECK(here[r].top_ids == there[r].top_ids);
        CHECK_CLOSE(static_cast<double>(here[r].logprob), static_cast<double>(there[r].logprob),
                    1e-6 * (1 + std::fabs(static_cast<double>(there[r].logprob))));
    }
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        const std::string device = context;
        // A lane has 8 tokens, a block 4096 at a time, at most 256 are compared with each other.
        std::vector<int64_t> widths = {1, 2, 7, 8, 9, 63, 255, 257, 1025};
        if (!reduced()) widths.insert(widths.end(), {4095, 4097, 8193});
        for (int64_t vocab : widths) matchesTheSort(d, vocab, reduced() ? 12 : vocab > 2000 ? 20 : 60);
        agreesWithTheCpu(d, 1500, reduced() ? 20 : 150);
        agreesWithTheCpu(d, 13000, reduced() ? 2 : 20);
        context = device;
        obeysTheLaws(d);
        if (!reduced()) drawsByTheLaws(d, 60, 20000);
    });
    std::printf("%lld rows sure, %lld within rounding\n", static_cast<long long>(sure_rows),
                static_cast<long long>(unsure_rows));
    return finish("sampling_gpu");
}
