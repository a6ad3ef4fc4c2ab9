// argmax_gpu_test.cpp: the CUDA kernel of ct_argmax.
#include "kernels/sampling/argmax_testing.h"

namespace {

using namespace testing;

// A row behind 2^31 elements; almost all of the memory is never touched.
void findsInFarRows(Device& d) {
    constexpr int64_t kStride = int64_t{1} << 31, kCols = 100;
    ct_buffer* logits = nullptr;
    if (ct_buffer_create(&logits, d.device, (kStride + kCols) * 4) != CT_OK) {
        std::printf("rows past 2^31 elements are not tested: %s\n", ct_last_error());
        return;
    }
    Array<float> row(d, kCols);
    Array<int32_t> token(d, 2);
    row.at[63] = 1;
    CHECK_OK(ct_copy(logits, row.buffer, kStride * 4, 0, kCols * 4, d.stream));
    CHECK_OK(ct_argmax(token.buffer, logits, 2, kCols, kStride, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(token.at[0] == 0 && token.at[1] == 63);
    CHECK_OK(ct_buffer_destroy(logits));
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        // A warp takes 512 columns at a time, the largest block 16384.
        std::vector<int64_t> widths = {1, 3, 4, 5, 127, 128, 129, 511, 512, 513, 2049};
        if (!reduced()) widths.insert(widths.end(), {16383, 16384, 16385, 40001});
        for (int64_t cols : widths) {
            for (int64_t pad : {0, 1, 4}) findsTheLargest(d, 12, cols, pad);
        }
        findsTheLargest(d, 0, 5, 0);
        if (!reduced()) {
            findsTheLargest(d, 65543, 2, 0);
            findsInFarRows(d);
        }
    });
    return finish("argmax_gpu");
}
