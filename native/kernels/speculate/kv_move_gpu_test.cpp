// kv_move_gpu_test.cpp: the CUDA kernel of ct_kv_move.
#include "kernels/speculate/kv_move_testing.h"

int main() {
    testing::for_gpu_devices([](testing::Device& d) { testing::movesAllShapes(d); });
    return testing::finish("kv_move_gpu");
}
