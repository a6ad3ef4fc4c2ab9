// argmax_gpu_test.cpp: the CUDA kernel of ct_argmax.
#include "kernels/sampling/argmax_testing.h"

int main() {
    using namespace testing;
    for_gpu_devices([](Device& d) {
        // A warp takes 512 columns at a time, the largest block 16384.
        std::vector<int64_t> widths = {1, 3, 4, 5, 127, 128, 129, 511, 512, 513, 2049};
        if (!reduced()) widths.insert(widths.end(), {16383, 16384, 16385, 40001});
        for (int64_t cols : widths) {
            for (int64_t pad : {0, 1, 4}) findsTheLargest(d, 12, cols, pad);
        }
        findsTheLargest(d, 0, 5, 0);
        if (!reduced()) findsTheLargest(d, 65543, 2, 0);
    });
    return finish("argmax_gpu");
}
