// sum_rows_testing.h: what every device is asked about ct_sum_rows.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

inline constexpr int64_t kSumsRows = 41;

// sums[n] of rows [0, kSumsRows) cut at the given places, one call a piece; bits as without any cut.
template <typename T>
void sumsRowsWhateverTheCuts(Device& d, int64_t cols, int64_t pad) {
    Random random(static_cast<uint64_t>(cols));
    const int64_t stride = cols + pad;
    Array<T> x(d, kSumsRows * stride);
    fill(x, random);
    std::vector<float> expected(static_cast<size_t>(cols), 0.0f);
    for (int64_t r = 0; r < kSumsRows; ++r) {
        for (int64_t c = 0; c < cols; ++c) expected[static_cast<size_t>(c)] += ct::to_float(x.at[r * stride + c]);
    }
    for (const std::vector<int32_t>& cuts :
         {std::vector<int32_t>{0, 41}, std::vector<int32_t>{0, 1, 8, 9, 24, 41}, std::vector<int32_t>{0, 40, 40, 41}}) {
        Array<float> sums(d, 3 * cols);
        sums.poison();
        for (size_t i = 0; i + 1 < cuts.size(); ++i) {
            Array<int32_t> segments(d, {cuts[i], cuts[i + 1], 1, i == 0 ? 1 : 0});
            CHECK_OK(ct_sum_rows(sums.buffer, x.buffer, segments.buffer, 1, cols, 3, kSumsRows, stride, kDtype<T>,
                                 d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
        }
        for (int64_t c = 0; c < cols; ++c) {
            CHECK(untouched(sums.at[c]));
            CHECK(same_bits(sums.at[cols + c], expected[static_cast<size_t>(c)]));
            CHECK(untouched(sums.at[2 * cols + c]));
        }
    }
}

// Many segments in a call, each its own sum; wrong ones harm nobody else.
template <typename T>
void sumsSegments(Device& d, int64_t cols) {
    Random random(static_cast<uint64_t>(cols) + 1);
    constexpr int64_t kSums = 12;
    Array<T> x(d, kSumsRows * cols);
    fill(x, random);
    Array<int32_t> segments(d, {3,  4, 0,  1, 0,  41, 11,        0, 7, 7, 2,         1, 7,         7,         3,  0,
                                -1, 4, 4,  1, 40, 42, 5,         1, 9, 8, 6,         0, 0,         1,         -1, 1,
                                0,  1, 12, 1, 0,  1,  INT32_MAX, 1, 0, 1, INT32_MIN, 0, INT32_MIN, INT32_MAX, 8,  1});
    Array<float> sums(d, kSums * cols);
    for (int64_t i = 0; i < kSums * cols; ++i) sums.at[i] = 0.25f;
    CHECK_OK(
        ct_sum_rows(sums.buffer, x.buffer, segments.buffer, 12, cols, kSums, kSumsRows, cols, kDtype<T>, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t c = 0; c < cols; ++c) {
        float all = 0.25f;
        for (int64_t r = 0; r < kSumsRows; ++r) all += ct::to_float(x.at[r * cols + c]);
        CHECK(same_bits(sums.at[c], ct::to_float(x.at[3 * cols + c])));
        CHECK(same_bits(sums.at[11 * cols + c], all));
        CHECK(sums.at[2 * cols + c] == 0.0f);
        for (int64_t kept : {1, 3, 7, 9, 10}) CHECK(sums.at[kept * cols + c] == 0.25f);
        for (int64_t wrong : {4, 5, 6, 8}) CHECK(std::isnan(sums.at[wrong * cols + c]));
    }
    CHECK_OK(ct_sum_rows(sums.buffer, x.buffer, segments.buffer, 0, cols, kSums, kSumsRows, cols, kDtype<T>, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace testing
