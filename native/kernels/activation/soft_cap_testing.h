// soft_cap_testing.h: what every device is asked about ct_soft_cap: the plain loops in double.
#pragma once

#include <limits>

#include "tests/kernel_testing.h"

namespace testing {

inline void capsAsPlainLoops(Device& d, int64_t rows, int64_t cols, int64_t pad, float scale, float cap) {
    Random random(static_cast<uint64_t>(cols));
    int64_t stride = cols + pad;
    Array<float> x(d, rows * stride);
    x.poison();
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < cols; ++c) x.at[r * stride + c] = random.normal(20);
    }
    float extremes[] = {0, kNan, 1e-4f, -1e-4f, 1e30f, -1e30f, std::numeric_limits<float>::infinity(), 100};
    for (int64_t i = 0; i < std::min<int64_t>(cols, 8); ++i) x.at[i] = extremes[i];
    std::vector<float> before(x.at, x.at + x.size);
    CHECK_OK(ct_soft_cap(x.buffer, rows, cols, stride, scale, cap, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < cols; ++c) {
            int64_t at = r * stride + c;
            double scaled = static_cast<double>(scale) * value(before[static_cast<size_t>(at)]);
            double limit = static_cast<double>(cap);
            double expected = cap > 0 ? limit * std::tanh(scaled / limit) : scaled;
            if (std::isinf(expected)) {
                CHECK(value(x.at[at]) == expected);
            } else {
                CHECK_CLOSE(value(x.at[at]), expected, 1e-6 * std::fabs(expected) + 3e-7 * limit);
            }
        }
        for (int64_t c = cols; c < stride; ++c) CHECK(untouched(x.at[r * stride + c]));
    }
}

// The bits of a row, whatever the rows beside it and the place it starts at.
inline void capsRowsOnTheirOwn(Device& d, int64_t cols) {
    constexpr int64_t kRows = 5;
    Random random(11);
    Array<float> all(d, kRows * cols);
    fill(all, random, 20);
    Array<float> one(d, cols + 3);
    std::copy_n(all.at + 3 * cols, cols, one.at);
    CHECK_OK(ct_soft_cap(all.buffer, kRows, cols, cols, 0.5f, 30, d.stream));
    CHECK_OK(ct_soft_cap(one.buffer, 1, cols, cols + 3, 0.5f, 30, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(std::memcmp(all.at + 3 * cols, one.at, static_cast<size_t>(cols) * 4) == 0);
}

}  // namespace testing
