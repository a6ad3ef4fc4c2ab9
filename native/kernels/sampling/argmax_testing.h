// argmax_testing.h: what every device is asked about ct_argmax.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

inline void findsTheLargest(Device& d, int64_t rows, int64_t cols, int64_t pad) {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    Random random(static_cast<uint64_t>(cols));
    int64_t stride = cols + pad;
    Array<float> logits(d, rows * stride);
    Array<int32_t> token(d, rows);
    token.poison();
    for (int64_t r = 0; r < rows; ++r) {
        float* row = logits.at + r * stride;
        for (int64_t i = 0; i < stride; ++i) row[i] = i < cols ? random.normal(3) : kNan;
        auto anywhere = [&] { return static_cast<size_t>(random.below(cols)); };
        if (r % 6 == 1) std::for_each(row, row + cols, [](float& v) { v = std::round(v); });  // many equals
        if (r % 6 == 2) row[anywhere()] = kNan;
        if (r % 6 == 3) row[anywhere()] = kInf;
        if (r % 6 == 4) std::fill_n(row, cols, random.below(2) ? -kInf : -0.0f);
        if (r % 6 == 4) row[anywhere()] = row[0] == 0 ? 0.0f : -kInf;
        if (r % 6 == 5) row[anywhere()] = row[anywhere()] = 100;
    }
    CHECK_OK(ct_argmax(token.buffer, logits.buffer, rows, cols, stride, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t r = 0; r < rows; ++r) {
        const float* row = logits.at + r * stride;
        bool has_nan = std::any_of(row, row + cols, [](float v) { return std::isnan(v); });
        CHECK(token.at[r] == (has_nan ? -1 : std::max_element(row, row + cols) - row));
    }
}

}  // namespace testing
