// activation_testing.h: what every device is asked about ct_activation_mul: the plain loops in double.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

inline double simple_activation(double x, int32_t activation) {
    if (activation == CT_SILU) return x / (1 + std::exp(-x));
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

template <typename T>
void activatesAsPlainLoops(Device& d, int64_t rows, int64_t cols, int64_t pad, int32_t activation, bool in_place) {
    Random random(static_cast<uint64_t>(cols));
    int64_t stride = 2 * cols + pad;
    Array<T> x(d, rows * stride), y(d, rows * stride);
    fill(x, random, 4);
    float extremes[] = {0, -0.0f, 100, -100, 1e30f, -1e30f, -88.5f, 30};
    for (int64_t i = 0; i < std::min<int64_t>(cols, 8); ++i) x.at[i] = ct::from_float<T>(extremes[i]);
    std::vector<T> before(x.at, x.at + x.size);
    y.poison();
    Array<T>& out = in_place ? x : y;
    CHECK_OK(ct_activation_mul(out.buffer, x.buffer, rows, cols, stride, stride, kDtype<T>, activation, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < cols; ++c) {
            size_t at = static_cast<size_t>(r * stride + c);
            double expected =
                simple_activation(value(before[at]), activation) * value(before[at + static_cast<size_t>(cols)]);
            CHECK_CLOSE(value(out.at[at]), expected, tolerance<T>(expected));
        }
        for (int64_t c = cols; c < stride; ++c) {
            T got = out.at[r * stride + c];
            CHECK(in_place ? same_bits(got, before[static_cast<size_t>(r * stride + c)]) : untouched(got));
        }
    }
}

}  // namespace testing
