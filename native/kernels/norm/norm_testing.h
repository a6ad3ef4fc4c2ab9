// norm_testing.h: what every device is asked about ct_norm: the plain loops in double.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

struct NormCase {
    int64_t rows, cols, pad;
    bool residual, in_place;
    int32_t kind;
    float x_scale;
};

inline void simple_norm(std::vector<double>& v, int32_t kind, double eps, const float* weight) {
    if (kind == CT_NORM_NONE) return;
    auto n = static_cast<double>(v.size());
    double mean = 0, squares = 0;
    for (double x : v) mean += kind == CT_NORM_LAYER ? x / n : 0;
    for (double x : v) squares += (x - mean) * (x - mean);
    for (size_t i = 0; i < v.size(); ++i) {
        v[i] = (v[i] - mean) / std::sqrt(squares / n + eps) * static_cast<double>(weight[i]);
    }
}

// A deviation may be small where the errors of value and mean are not.
template <typename T>
double norm_tolerance(double expected, float weight) {
    return tolerance<T>(expected) + 1e-5 * std::fabs(static_cast<double>(weight));
}

template <typename T>
void normsAsPlainLoops(Device& d, const NormCase& c) {
    Random random(static_cast<uint64_t>(c.cols));
    int64_t stride = c.cols + c.pad;
    Array<T> x(d, c.rows * stride), y(d, c.rows * stride);
    Array<float> residual(d, c.rows * stride), weight(d, c.cols);
    fill(x, random);
    fill(residual, random);
    fill(weight, random);
    // A mean that is not near zero.
    for (int64_t i = 0; i < x.size; ++i) x.at[i] = ct::from_float<T>(ct::to_float(x.at[i]) + 2);
    y.poison();
    std::vector<T> before(x.at, x.at + x.size);
    std::vector<float> sums(residual.at, residual.at + residual.size);
    Array<T>& out = c.in_place ? x : y;
    CHECK_OK(ct_norm(out.buffer, c.residual ? residual.buffer : nullptr, x.buffer,
                     c.kind == CT_NORM_NONE ? nullptr : weight.buffer, c.rows, c.cols, stride, stride, stride,
                     kDtype<T>, c.kind, 1e-5f, c.x_scale, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t r = 0; r < c.rows; ++r) {
        std::vector<double> v;
        for (int64_t i = 0; i < c.cols; ++i) {
            size_t at = static_cast<size_t>(r * stride + i);
            v.push_back(static_cast<double>(c.x_scale) * value(before[at]) +
                        (c.residual ? static_cast<double>(sums[at]) : 0.0));
            if (c.residual) CHECK_CLOSE(value(residual.at[at]), v.back(), 1e-6);
        }
        simple_norm(v, c.kind, 1e-5, weight.at);
        for (int64_t i = 0; i < c.cols; ++i) {
            double expected = v[static_cast<size_t>(i)];
            CHECK_CLOSE(value(out.at[r * stride + i]), expected, norm_tolerance<T>(expected, weight.at[i]));
        }
        for (int64_t i = c.cols; i < stride && r + 1 < c.rows; ++i) {
            T got = out.at[r * stride + i];
            CHECK(c.in_place ? same_bits(got, before[static_cast<size_t>(r * stride + i)]) : untouched(got));
        }
    }
}

}  // namespace testing
