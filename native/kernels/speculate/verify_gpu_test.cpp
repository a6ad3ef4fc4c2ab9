// verify_gpu_test.cpp: the CUDA kernels of ct_verify, against the reference and against the CPU.
#include "kernels/speculate/verify_laws.h"

namespace {

using namespace testing;

void agreesWithTheCpu(Device& d, int64_t vocab, int64_t count, const VerifyOptions& options) {
    Device cpu;
    Random random(static_cast<uint64_t>(vocab) + 11);
    std::vector<Speculation> requests;
    for (int64_t i = 0; i < count; ++i) {
        requests.push_back(random_speculation(random, vocab, random.below(6), options.chains, 8));
    }
    CHECK(verify(d, requests, options) == verify(cpu, requests, options));
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        verifiesByTheRules(d, reduced() ? std::vector<int64_t>{7, 260} : std::vector<int64_t>{2, 9, 70, 300, 1100},
                           reduced() ? 4 : 16);
        agreesWithTheCpu(d, 1500, reduced() ? 3 : 20, {});
        agreesWithTheCpu(d, 5000, reduced() ? 1 : 6, {CT_VERIFY_BLOCK, 8, true});
        if (!reduced()) emitsByTheLaws(d, 2048);
    });
    std::printf("%lld requests sure, %lld within rounding\n", static_cast<long long>(sure_requests),
                static_cast<long long>(unsure_requests));
    return finish("verify_gpu");
}
