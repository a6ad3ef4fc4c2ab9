// sum_rows_gpu_test.cpp: the CUDA kernel of ct_sum_rows.
#include "kernels/embedding/sum_rows_testing.h"

int main() {
    using namespace testing;
    for_gpu_devices([](Device& d) {
        for (int64_t cols : {1, 63, 64, 65, 200}) {
            sumsRowsWhateverTheCuts<float>(d, cols, 3);
            sumsRowsWhateverTheCuts<ct::bf16>(d, cols, 0);
            sumsSegments<float>(d, cols);
            sumsSegments<ct::bf16>(d, cols);
        }
    });
    return finish("sum_rows_gpu");
}
