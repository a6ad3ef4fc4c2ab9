// linear.cu: y = x W^T + bias on GPUs: the choice of the kernel.
#include "gpu/operations.h"
#include "kernels/linear/linear_gpu.h"

int32_t gpu::linear(const LaunchContext& context, const ct::LinearArgs& args) {
    return gemm::launch_fma(context, args);
}
