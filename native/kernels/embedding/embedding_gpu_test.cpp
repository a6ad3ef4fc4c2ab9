// embedding_gpu_test.cpp: the CUDA kernels of ct_embedding, ct_gather_rows and ct_feed_tokens.
#include "kernels/embedding/embedding_testing.h"

namespace {

using namespace testing;

// More blocks than gridDim.y could have.
void gathersManyRows(Device& d) {
    constexpr int64_t kTaken = 65543, kRows = 3;
    Array<float> x(d, {1, 2, 3}), y(d, kTaken);
    Array<int32_t> rows(d, kTaken);
    for (int64_t i = 0; i < kTaken; ++i) rows.at[i] = static_cast<int32_t>(i % kRows);
    CHECK_OK(ct_gather_rows(y.buffer, x.buffer, rows.buffer, kTaken, 1, kRows, 1, 1, CT_F32, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    bool right = true;
    for (int64_t i = 0; i < kTaken; ++i) right = right && y.at[i] == static_cast<float>(i % kRows + 1);
    CHECK(right);
}

// Elements past 2^31; almost all of the memory is never touched.
void gathersFromFarRows(Device& d) {
    constexpr int64_t kStride = (int64_t{1} << 30) + 8, kCols = 24;
    ct_buffer* x = nullptr;
    if (ct_buffer_create(&x, d.device, (2 * kStride + kCols) * 2) != CT_OK) {
        std::printf("rows past 2^31 elements are not tested: %s\n", ct_last_error());
        return;
    }
    Random random(8);
    Array<ct::bf16> row(d, kCols), y(d, kCols);
    Array<int32_t> rows(d, std::vector<int32_t>{2});
    fill(row, random);
    CHECK_OK(ct_copy(x, row.buffer, 2 * kStride * 2, 0, kCols * 2, d.stream));
    CHECK_OK(ct_gather_rows(y.buffer, x, rows.buffer, 1, kCols, 3, kCols, kStride, CT_BF16, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t c = 0; c < kCols; ++c) CHECK(same_bits(y.at[c], row.at[c]));
    CHECK_OK(ct_buffer_destroy(x));
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        std::vector<int64_t> widths = {1, 7, 8, 9, 255, 256, 257, 511, 512, 513};
        if (!reduced()) widths.insert(widths.end(), {4095, 4096, 4097, 8193});
        for (int64_t cols : widths) {
            for (int64_t pad : {0, 1, 8}) {
                gathersRows<float>(d, cols, pad);
                gathersRows<ct::bf16>(d, cols, pad);
                embedsIds<float, float>(d, cols, pad, CT_WEIGHTS_EMBEDDING);
                embedsIds<float, ct::bf16>(d, cols, pad, CT_WEIGHTS_LINEAR);
                embedsIds<ct::bf16, float>(d, cols, pad, CT_WEIGHTS_LINEAR);
                embedsIds<ct::bf16, ct::bf16>(d, cols, pad, CT_WEIGHTS_EMBEDDING);
            }
        }
        for (int64_t tokens : {0, 1, 2, 31, 32, 33, 127, 128, 129, 300}) feedsTokens(d, tokens, 17);
        if (!reduced()) {
            gathersManyRows(d);
            gathersFromFarRows(d);
        }
    });
    return finish("embedding_gpu");
}
