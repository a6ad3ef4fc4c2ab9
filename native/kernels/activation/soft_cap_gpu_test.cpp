// soft_cap_gpu_test.cpp: the CUDA kernel of ct_soft_cap.
#include "kernels/activation/soft_cap_testing.h"

namespace {

using namespace testing;

void capsNothing(Device& d) {
    Array<float> x(d, 8);
    x.poison();
    CHECK_OK(ct_soft_cap(x.buffer, 0, 8, 8, 1, 30, d.stream));
    CHECK_OK(ct_soft_cap(x.buffer, 1, 0, 8, 1, 30, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t i = 0; i < 8; ++i) CHECK(untouched(x.at[i]));
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        // A warp's 512 columns and a block's 4096.
        std::vector<int64_t> widths = {1, 3, 4, 5, 15, 16, 17, 511, 512, 513};
        if (!reduced()) widths.insert(widths.end(), {4095, 4096, 4097, 8200});
        for (int64_t cols : widths) {
            for (int64_t pad : {0, 3, 4}) {
                capsAsPlainLoops(d, 3, cols, pad, 0.5f, 30);
                capsAsPlainLoops(d, 3, cols, pad, 0.125f, 0);
            }
        }
        capsRowsOnTheirOwn(d, 1000);
        capsNothing(d);
    });
    return finish("soft_cap_gpu");
}
