// norm_gpu_test.cpp: the CUDA kernel of ct_norm.
#include "kernels/norm/norm_testing.h"

namespace {

using namespace testing;

// The rows of `count` with a residual, normed in one call; each row's y and residual.
template <typename T>
struct Normed {
    std::vector<T> y;
    std::vector<float> residual;
};

template <typename T>
Normed<T> norm(Device& d, const std::vector<T>& rows, int64_t count, int64_t cols, int64_t pad, int32_t kind) {
    Random random(3);
    int64_t stride = cols + pad;
    Array<T> x(d, count * stride), y(d, count * stride);
    Array<float> residual(d, count * stride), weight(d, cols);
    fill(weight, random);
    for (int64_t r = 0; r < count; ++r) {
        std::copy_n(rows.data() + r * cols, cols, x.at + r * stride);
        for (int64_t i = 0; i < cols; ++i) residual.at[r * stride + i] = static_cast<float>((r * 7 + i) % 11) / 8;
    }
    CHECK_OK(ct_norm(y.buffer, residual.buffer, x.buffer, kind == CT_NORM_NONE ? nullptr : weight.buffer, count, cols,
                     stride, stride, stride, kDtype<T>, kind, 1e-6f, 0.75f, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    Normed<T> result;
    for (int64_t r = 0; r < count; ++r) {
        result.y.insert(result.y.end(), y.at + r * stride, y.at + r * stride + cols);
        result.residual.insert(result.residual.end(), residual.at + r * stride, residual.at + r * stride + cols);
    }
    return result;
}

template <typename T>
void rowsDependOnNothingElse(Device& d, int64_t cols, int32_t kind) {
    constexpr int64_t kRows = 17;
    Random random(static_cast<uint64_t>(cols));
    std::vector<T> rows(static_cast<size_t>(kRows * cols));
    for (T& v : rows) v = ct::from_float<T>(random.normal());
    Normed<T> all = norm(d, rows, kRows, cols, 0, kind);
    for (int64_t count : {1, 2, 3, 17}) {
        for (int64_t pad : {0, 3, 8}) {
            Normed<T> some = norm(d, rows, count, cols, pad, kind);
            CHECK(std::memcmp(some.y.data(), all.y.data(), some.y.size() * sizeof(T)) == 0);
            CHECK(std::memcmp(some.residual.data(), all.residual.data(), some.residual.size() * 4) == 0);
        }
    }
}

void normsNoRows(Device& d) {
    Array<float> x(d, 8), weight(d, 8);
    x.poison();
    CHECK_OK(ct_norm(x.buffer, nullptr, x.buffer, weight.buffer, 0, 8, 8, 0, 8, CT_F32, CT_NORM_RMS, 0, 1, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t i = 0; i < 8; ++i) CHECK(untouched(x.at[i]));
}

// More blocks than gridDim.y could have.
void normsManyRows(Device& d) {
    constexpr int64_t kRows = 65543;
    Array<float> x(d, kRows), weight(d, std::vector<float>{2});
    for (int64_t r = 0; r < kRows; ++r) x.at[r] = static_cast<float>(r % 9 - 4);
    CHECK_OK(ct_norm(x.buffer, nullptr, x.buffer, weight.buffer, kRows, 1, 1, 0, 1, CT_F32, CT_NORM_RMS, 1e-30f, 1,
                     d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    bool right = true;
    for (int64_t r = 0; r < kRows; ++r) right = right && x.at[r] == (r % 9 < 4 ? -2.0f : r % 9 == 4 ? 0.0f : 2.0f);
    CHECK(right);
}

template <typename T>
void matches(Device& d, int64_t cols) {
    for (int64_t pad : {0, 3, 8}) {
        for (bool residual : {false, true}) {
            for (bool in_place : {false, true}) {
                for (int32_t kind : {CT_NORM_RMS, CT_NORM_LAYER, CT_NORM_NONE}) {
                    normsAsPlainLoops<T>(d, {2, cols, pad, residual, in_place, kind, 1});
                }
                normsAsPlainLoops<T>(d, {2, cols, pad, residual, in_place, CT_NORM_RMS, 0.22f});
            }
        }
    }
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        // A warp's 512 columns, and the widths at which the registers no longer hold a row.
        std::vector<int64_t> widths = {1, 7, 8, 9, 255, 256, 257, 511, 512, 513, 1025};
        if (!reduced()) widths.insert(widths.end(), {8191, 8192, 8193, 16384, 16385});
        for (int64_t cols : widths) {
            matches<float>(d, cols);
            matches<ct::bf16>(d, cols);
        }
        for (int64_t cols : {100, 1024}) {
            for (int32_t kind : {CT_NORM_RMS, CT_NORM_LAYER, CT_NORM_NONE}) {
                rowsDependOnNothingElse<float>(d, cols, kind);
                rowsDependOnNothingElse<ct::bf16>(d, cols, kind);
            }
        }
        if (!reduced()) {
            rowsDependOnNothingElse<ct::bf16>(d, 16400, CT_NORM_RMS);
            rowsDependOnNothingElse<ct::bf16>(d, 16400, CT_NORM_LAYER);
            normsManyRows(d);
        }
        normsNoRows(d);
    });
    return finish("norm_gpu");
}
