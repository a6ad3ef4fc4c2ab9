// soft_cap_test.cpp: ct_soft_cap on the CPU, and what it refuses.
#include "kernels/activation/soft_cap_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d, other;
    Array<float> x(d, 64), foreign(other, 64);
    auto call = [&](ct_buffer* at, int64_t rows, int64_t cols, int64_t stride, float scale, float cap) {
        return ct_soft_cap(at, rows, cols, stride, scale, cap, d.stream);
    };
    CHECK_OK(call(x.buffer, 8, 8, 8, 1, 30));
    CHECK_OK(call(x.buffer, 0, 8, 8, 1, 30));
    CHECK_OK(call(x.buffer, 8, 0, 8, 1, 30));
    CHECK_STATUS(call(nullptr, 8, 8, 8, 1, 30), CT_INVALID);
    CHECK_STATUS(call(foreign.buffer, 8, 8, 8, 1, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, 9, 8, 8, 1, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, -1, 8, 8, 1, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, 4, -8, 8, 1, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, 8, 8, 7, 1, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, INT64_MAX, 8, 8, 1, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, 8, 8, 8, kNan, 30), CT_INVALID);
    CHECK_STATUS(call(x.buffer, 8, 8, 8, 1, -1), CT_INVALID);
    CHECK_STATUS(call(x.buffer, 8, 8, 8, 1, kNan), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int64_t cols : kEdges) {
            for (float scale : {1.0f, 0.0625f}) {
                for (float cap : {0.0f, 10.0f, 30.0f}) capsAsPlainLoops(d, 3, cols, 3, scale, cap);
            }
        }
        capsAsPlainLoops(d, 2, 8195, 0, 0.25f, 0);
        capsRowsOnTheirOwn(d, 4100);
    });
    refusesWrongArguments();
    return finish("soft_cap");
}
