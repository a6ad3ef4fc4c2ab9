// activation_test.cpp: ct_activation_mul on the CPU, and what it refuses.
#include "kernels/activation/activation_testing.h"

namespace {

using namespace testing;

template <typename T>
void isBitwiseTheSameForAnyRowsAndThreads(int32_t isa) {
    constexpr int64_t kRows = 5, kCols = 4100;
    std::vector<T> first;
    for (int threads : {1, 2}) {
        Device d(threads, isa);
        Random random(3);
        Array<T> x(d, kRows * 2 * kCols), y(d, kRows * kCols), one(d, 2 * kCols);
        fill(x, random);
        CHECK_OK(ct_activation_mul(y.buffer, x.buffer, kRows, kCols, kCols, 2 * kCols, kDtype<T>, CT_SILU, d.stream));
        std::copy_n(x.at + 4 * kCols, 2 * kCols, one.at);
        CHECK_OK(ct_activation_mul(one.buffer, one.buffer, 1, kCols, kCols, 2 * kCols, kDtype<T>, CT_SILU, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        if (first.empty()) first.assign(y.at, y.at + y.size);
        CHECK(std::memcmp(first.data(), y.at, first.size() * sizeof(T)) == 0);
        CHECK(std::memcmp(y.at + 2 * kCols, one.at, kCols * sizeof(T)) == 0);
    }
}

void refusesWrongArguments() {
    Device d;
    Array<float> x(d, 64), y(d, 32);
    auto call = [&](ct_buffer* out, const ct_buffer* from, int64_t rows, int64_t cols, int64_t y_stride,
                    int64_t x_stride, int32_t dtype, int32_t activation) {
        return ct_activation_mul(out, from, rows, cols, y_stride, x_stride, dtype, activation, d.stream);
    };
    CHECK_OK(call(y.buffer, x.buffer, 4, 8, 8, 16, CT_F32, CT_SILU));
    CHECK_STATUS(call(nullptr, x.buffer, 4, 8, 8, 16, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, nullptr, 4, 8, 8, 16, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, 5, 8, 8, 16, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, 4, 8, 8, 15, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, 4, INT64_MAX / 2 + 1, INT64_MAX, INT64_MAX, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, -4, 8, 8, 16, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, 4, -8, 8, 16, CT_F32, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, 4, 8, 8, 16, 7, CT_SILU), CT_INVALID);
    CHECK_STATUS(call(y.buffer, x.buffer, 4, 8, 8, 16, CT_F32, 2), CT_INVALID);
    CHECK_STATUS(call(x.buffer, x.buffer, 2, 8, 8, 16, CT_F32, CT_SILU), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t isa) {
        for (int64_t cols : kEdges) {
            for (int32_t activation : {CT_SILU, CT_GELU_TANH}) {
                for (bool in_place : {false, true}) {
                    activatesAsPlainLoops<float>(d, 3, cols, 3, activation, in_place);
                    activatesAsPlainLoops<ct::bf16>(d, 3, cols, 3, activation, in_place);
                }
            }
        }
        activatesAsPlainLoops<float>(d, 2, 4099, 3, CT_SILU, false);
        isBitwiseTheSameForAnyRowsAndThreads<float>(isa);
        isBitwiseTheSameForAnyRowsAndThreads<ct::bf16>(isa);
    });
    refusesWrongArguments();
    return finish("activation");
}
