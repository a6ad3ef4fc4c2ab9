// norm_test.cpp: ct_rms_norm against plain loops in double.
#include "tests/kernel_testing.h"

namespace {

using namespace testing;

struct Case {
    int64_t rows, cols, pad;
    bool residual, in_place;
};

template <typename T>
void matchesPlainLoops(Device& d, const Case& c) {
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
            T untouched = c.in_place ? before[static_cast<size_t>(r * stride + i)] : out.at[r * stride + i];
            CHECK(c.in_place ? same_bits(untouched, out.at[r * stride + i]) : std::isnan(value(untouched)));
        }
    }
}

template <typename T>
void rowsDoNotDependOnTheirNumberOrThreads(int32_t isa) {
    constexpr int64_t kRows = 9, kCols = 333;
    std::vector<T> first;
    for (int threads : {1, 2}) {
        Device d(threads, isa);
        Random random(7);
        Array<T> x(d, kRows * kCols), y(d, kRows * kCols), one(d, kCols);
        Array<float> weight(d, kCols);
        fill(x, random);
        fill(weight, random);
        CHECK_OK(ct_rms_norm(y.buffer, nullptr, x.buffer, weight.buffer, kRows, kCols, kCols, 0, kCols, kDtype<T>, 0,
                             d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        if (first.empty()) first.assign(y.at, y.at + y.size);
        for (int64_t i = 0; i < y.size; ++i) CHECK(same_bits(first[static_cast<size_t>(i)], y.at[i]));
        for (int64_t r = 0; r < kRows; ++r) {
            std::copy_n(x.at + r * kCols, kCols, one.at);
            CHECK_OK(ct_rms_norm(one.buffer, nullptr, one.buffer, weight.buffer, 1, kCols, kCols, 0, kCols, kDtype<T>,
                                 0, d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
            for (int64_t i = 0; i < kCols; ++i) CHECK(same_bits(one.at[i], y.at[r * kCols + i]));
        }
    }
}

void refusesWrongArguments() {
    Device d, other;
    Array<float> x(d, 64), w(d, 8), foreign(other, 64);
    auto call = [&](ct_buffer* y, const ct_buffer* from, const ct_buffer* weight, int64_t rows, int64_t cols,
                    int64_t y_stride, int64_t x_stride, int32_t dtype, float eps) {
        return ct_rms_norm(y, nullptr, from, weight, rows, cols, y_stride, 0, x_stride, dtype, eps, d.stream);
    };
    CHECK_OK(call(x.buffer, x.buffer, w.buffer, 8, 8, 8, 8, CT_F32, 0));
    CHECK_STATUS(call(nullptr, x.buffer, w.buffer, 8, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, nullptr, w.buffer, 8, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, nullptr, 8, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(foreign.buffer, x.buffer, w.buffer, 8, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 9, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, -1, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 4, 9, 9, 9, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 8, 8, 7, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 4, 8, 8, 9, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, INT64_MAX, 8, 8, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 2, 8, INT64_MAX, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 8, 8, 8, 8, CT_F16, 0), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, w.buffer, 8, 8, 8, 8, CT_F32, kNan), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t isa) {
        for (int64_t cols : kEdges) {
            for (bool residual : {false, true}) {
                for (bool in_place : {false, true}) {
                    Case c{3, cols, cols % 5, residual, in_place};
                    matchesPlainLoops<float>(d, c);
                    matchesPlainLoops<ct::bf16>(d, c);
                }
            }
        }
        rowsDoNotDependOnTheirNumberOrThreads<float>(isa);
        rowsDoNotDependOnTheirNumberOrThreads<ct::bf16>(isa);
    });
    refusesWrongArguments();
    return finish("norm");
}
