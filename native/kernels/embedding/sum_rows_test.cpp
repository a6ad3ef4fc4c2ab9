// sum_rows_test.cpp: ct_sum_rows on the CPU, and what it refuses.
#include "kernels/embedding/sum_rows_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d;
    constexpr int64_t kCols = 8;
    Array<float> x(d, 6 * kCols), sums(d, 2 * kCols);
    Array<int32_t> segments(d, 8);
    auto sum = [&](ct_buffer* to, ct_buffer* from, int64_t num_segments, int64_t num_sums, int64_t x_rows) {
        return ct_sum_rows(to, from, segments.buffer, num_segments, kCols, num_sums, x_rows, kCols, CT_F32, d.stream);
    };
    CHECK_OK(sum(sums.buffer, x.buffer, 2, 2, 6));
    CHECK_STATUS(sum(sums.buffer, x.buffer, 3, 3, 6), CT_INVALID);
    CHECK_STATUS(sum(sums.buffer, x.buffer, 2, 1, 6), CT_INVALID);
    CHECK_STATUS(sum(sums.buffer, x.buffer, 2, 2, 7), CT_INVALID);
    CHECK_STATUS(sum(sums.buffer, x.buffer, -1, 2, 6), CT_INVALID);
    CHECK_STATUS(sum(x.buffer, x.buffer, 1, 2, 3), CT_INVALID);
    CHECK_STATUS(sum(nullptr, x.buffer, 1, 2, 6), CT_INVALID);
    CHECK_STATUS(sum(sums.buffer, nullptr, 1, 2, 6), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int64_t cols : {1, 16, 511, 512, 513}) {
            sumsRowsWhateverTheCuts<float>(d, cols, 0);
            sumsRowsWhateverTheCuts<ct::bf16>(d, cols, 3);
            sumsSegments<float>(d, cols);
            sumsSegments<ct::bf16>(d, cols);
        }
    });
    refusesWrongArguments();
    return finish("sum_rows");
}
