// argmax_test.cpp: ct_argmax on the CPU, and what it refuses.
#include "kernels/sampling/argmax_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d;
    Array<float> logits(d, 64);
    Array<int32_t> token(d, 4);
    auto argmax = [&](ct_buffer* to, const ct_buffer* from, int64_t rows, int64_t cols, int64_t stride) {
        return ct_argmax(to, from, rows, cols, stride, d.stream);
    };
    CHECK_OK(argmax(token.buffer, logits.buffer, 4, 16, 16));
    CHECK_STATUS(argmax(nullptr, logits.buffer, 4, 16, 16), CT_INVALID);
    CHECK_STATUS(argmax(token.buffer, nullptr, 4, 16, 16), CT_INVALID);
    CHECK_STATUS(argmax(token.buffer, logits.buffer, 5, 8, 8), CT_INVALID);
    CHECK_STATUS(argmax(token.buffer, logits.buffer, 4, 17, 17), CT_INVALID);
    CHECK_STATUS(argmax(token.buffer, logits.buffer, 4, 0, 16), CT_INVALID);
    CHECK_STATUS(argmax(token.buffer, logits.buffer, 4, 16, 15), CT_INVALID);
    CHECK_STATUS(argmax(token.buffer, logits.buffer, 1, int64_t{1} << 31, int64_t{1} << 31), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int64_t cols : kEdges) findsTheLargest(d, 12, cols, 1);
        findsTheLargest(d, 0, 5, 0);
    });
    refusesWrongArguments();
    return finish("argmax");
}
