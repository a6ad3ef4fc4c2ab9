// norm_test.cpp: ct_norm on the CPU, and what it refuses.
#include "kernels/norm/norm_testing.h"

namespace {

using namespace testing;

template <typename T>
void rowsDoNotDependOnTheirNumberOrThreads(int32_t isa, int32_t kind) {
    constexpr int64_t kRows = 9, kCols = 333;
    std::vector<T> first;
    for (int threads : {1, 2}) {
        Device d(threads, isa);
        Random random(7);
        Array<T> x(d, kRows * kCols), y(d, kRows * kCols), one(d, kCols);
        Array<float> weight(d, kCols);
        fill(x, random);
        fill(weight, random);
        CHECK_OK(ct_norm(y.buffer, nullptr, x.buffer, weight.buffer, kRows, kCols, kCols, 0, kCols, kDtype<T>, kind, 0,
                         1, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        if (first.empty()) first.assign(y.at, y.at + y.size);
        for (int64_t i = 0; i < y.size; ++i) CHECK(same_bits(first[static_cast<size_t>(i)], y.at[i]));
        for (int64_t r = 0; r < kRows; ++r) {
            std::copy_n(x.at + r * kCols, kCols, one.at);
            CHECK_OK(ct_norm(one.buffer, nullptr, one.buffer, weight.buffer, 1, kCols, kCols, 0, kCols, kDtype<T>, kind,
                             0, 1, d.stream));
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
        return ct_norm(y, nullptr, from, weight, rows, cols, y_stride, 0, x_stride, dtype, CT_NORM_RMS, eps, 1,
                       d.stream);
    };
    auto kind_call = [&](int32_t kind, const ct_buffer* weight, float x_scale) {
        return ct_norm(x.buffer, nullptr, x.buffer, weight, 8, 8, 8, 0, 8, CT_F32, kind, 0, x_scale, d.stream);
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
    CHECK_OK(kind_call(CT_NORM_LAYER, w.buffer, 1));
    CHECK_OK(kind_call(CT_NORM_NONE, nullptr, 1));
    CHECK_STATUS(kind_call(-1, w.buffer, 1), CT_INVALID);
    CHECK_STATUS(kind_call(3, w.buffer, 1), CT_INVALID);
    CHECK_STATUS(kind_call(CT_NORM_LAYER, nullptr, 1), CT_INVALID);
    CHECK_STATUS(kind_call(CT_NORM_NONE, w.buffer, 1), CT_INVALID);
    CHECK_STATUS(kind_call(CT_NORM_RMS, w.buffer, kNan), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t isa) {
        for (int64_t cols : kEdges) {
            for (bool residual : {false, true}) {
                for (bool in_place : {false, true}) {
                    for (int32_t kind : {CT_NORM_RMS, CT_NORM_LAYER, CT_NORM_NONE}) {
                        for (float x_scale : {1.0f, 0.22f}) {
                            NormCase c{3, cols, cols % 5, residual, in_place, kind, x_scale};
                            normsAsPlainLoops<float>(d, c);
                            normsAsPlainLoops<ct::bf16>(d, c);
                        }
                    }
                }
            }
        }
        for (int32_t kind : {CT_NORM_RMS, CT_NORM_LAYER}) {
            rowsDoNotDependOnTheirNumberOrThreads<float>(isa, kind);
            rowsDoNotDependOnTheirNumberOrThreads<ct::bf16>(isa, kind);
        }
    });
    refusesWrongArguments();
    return finish("norm");
}
