// activation_gpu_test.cpp: the CUDA kernel of ct_activation_mul.
#include "kernels/activation/activation_testing.h"

namespace {

using namespace testing;

// The first `count` rows, activated in one call.
template <typename T>
std::vector<T> activate(Device& d, const std::vector<T>& rows, int64_t count, int64_t cols, int64_t pad) {
    int64_t stride = 2 * cols + pad;
    Array<T> x(d, count * stride), y(d, count * cols);
    for (int64_t r = 0; r < count; ++r) std::copy_n(rows.data() + r * 2 * cols, 2 * cols, x.at + r * stride);
    CHECK_OK(ct_activation_mul(y.buffer, x.buffer, count, cols, cols, stride, kDtype<T>, CT_GELU_TANH, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    return {y.at, y.at + y.size};
}

template <typename T>
void rowsDependOnNothingElse(Device& d, int64_t cols) {
    constexpr int64_t kRows = 17;
    Random random(static_cast<uint64_t>(cols));
    std::vector<T> rows(static_cast<size_t>(kRows * 2 * cols));
    for (T& v : rows) v = ct::from_float<T>(random.normal(3));
    std::vector<T> all = activate(d, rows, kRows, cols, 0);
    for (int64_t count : {0, 1, 2, 3, 17}) {
        for (int64_t pad : {0, 3}) {
            std::vector<T> some = activate(d, rows, count, cols, pad);
            CHECK(some.empty() || std::memcmp(some.data(), all.data(), some.size() * sizeof(T)) == 0);
        }
    }
}

template <typename T>
void matches(Device& d, int64_t cols) {
    for (int64_t pad : {0, 3, 8}) {
        for (int32_t activation : {CT_SILU, CT_GELU_TANH}) {
            for (bool in_place : {false, true}) activatesAsPlainLoops<T>(d, 2, cols, pad, activation, in_place);
        }
    }
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        // 6 and 12: rows of gate and up may be aligned where the up part is not.
        std::vector<int64_t> widths = {1, 6, 7, 8, 9, 12, 16, 255, 256, 257, 511, 512, 513};
        if (!reduced()) widths.insert(widths.end(), {4095, 4096, 4097, 8200});
        for (int64_t cols : widths) {
            matches<float>(d, cols);
            matches<ct::bf16>(d, cols);
        }
        rowsDependOnNothingElse<float>(d, 1000);
        rowsDependOnNothingElse<ct::bf16>(d, 1000);
    });
    return finish("activation_gpu");
}
