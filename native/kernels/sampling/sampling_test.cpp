// sampling_test.cpp: ct_sample on the CPU, and its random numbers.
#include "kernels/sampling/sampling_laws.h"

namespace {

using namespace testing;

void philoxMatchesItsAuthors() {
    uint32_t counter[4] = {0, 0, 0, 0};
    ct::philox4x32(counter, 0, 0);
    CHECK(counter[0] == 0x6627e8d5 && counter[1] == 0xe169c58d && counter[2] == 0xbc57ac4c && counter[3] == 0x9b00dbd8);
    uint32_t ones[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    ct::philox4x32(ones, UINT32_MAX, UINT32_MAX);
    CHECK(ones[0] == 0x408f276d && ones[1] == 0x41c83b0e && ones[2] == 0xa20bc7c6 && ones[3] == 0x6d5451fd);
}

}  // namespace

int main() {
    philoxMatchesItsAuthors();
    for_devices([](Device& d, int32_t) {
        for (int64_t vocab : {1, 2, 15, 16, 17, 63, 64, 65, 129, 1000, 1025}) matchesTheSort(d, vocab, 60);
        if (!reduced()) matchesTheSort(d, 20011, 6);
        obeysTheLaws(d);
    });
    Device d;
    for (int64_t left = thousands(reduced() ? 0 : 1500), seed = 1; left > 0; left -= 500, ++seed) {
        matchesTheSort(d, 1 + static_cast<int64_t>(static_cast<uint64_t>(seed) * 7919 % 700), 500,
                       static_cast<uint64_t>(seed));
    }
    if (!reduced()) {
        for (int64_t vocab : {131072, 151937, 200003}) matchesTheSort(d, vocab, 3);
        drawsByTheLaws(d, 1000, 10 * thousands(6000));
        drawsTheTail(d, 200003, thousands(1000));
    }
    std::printf("%lld rows sure, %lld within rounding\n", static_cast<long long>(sure_rows),
                static_cast<long long>(unsure_rows));
    return finish("sampling");
}
