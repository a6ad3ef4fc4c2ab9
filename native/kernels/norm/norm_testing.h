// norm_testing.h: what every device is asked about ct_rms_norm: the plain loops in double.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

struct NormCase {
    int64_t rows, cols, pad;
    bool residual, in_place;
};

template <typename T>
void normsAsPlainLoops(Device& d, const NormCase& c) {
    Random random(static_cast<uint64_t>(c.cols));
    int64_t stride = c.cols + c.pad;
    Array<T> x(d, c.rows * stride), y(d, c.rows * stride);
    Array<float> residual(d, c.rows * stride), weight(d, c.cols);
    fill(x, random);
    fill(residual, random);
    fill(weight, random);
    y.poison();
    std::vector<T> before(x.at, x.at + x.size);
    std::vector<float> sums(residual.at, residual.at + residual.size);
    Array<T>& out = c.in_place ? x : y;
    CHECK_OK(ct_rms_norm(out.buffer, c.residual ? residual.buffer : nullptr, x.buffer, weight.buffer, c.rows, c.cols,
                         stride, stride, stride, kDtype<T>, 1e-5f, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t r = 0; r < c.rows; ++r) {
        std::vector<double> v;
        double squares = 0;
        for (int64_t i = 0; i < c.cols; ++i) {
            size_t at = static_cast<size_t>(r * stride + i);
            v.push_back(value(before[at]) + (c.residual ? static_cast<double>(sums[at]) : 0.0));
            if (c.residual) CHECK_CLOSE(value(residual.at[at]), v.back(), 1e-6);
            squares += v.back() * v.back();
        }
        double rms = std::sqrt(squares / static_cast<double>(c.cols) + 1e-5);
        for (int64_t i = 0; i < c.cols; ++i) {
            double expected = v[static_cast<size_t>(i)] / rms * value(weight.at[i]);
            CHECK_CLOSE(value(out.at[r * stride + i]), expected, tolerance<T>(expected));
        }
        for (int64_t i = c.cols; i < stride && r + 1 < c.rows; ++i) {
            T got = out.at[r * stride + i];
            CHECK(c.in_place ? same_bits(got, before[static_cast<size_t>(r * stride + i)]) : untouched(got));
        }
    }
}

}  // namespace testing
