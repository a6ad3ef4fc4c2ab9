// linear.cu: y = x W^T + bias on GPUs: the choice of the kernel. The family depends on the dtypes and on the layout of x,
// the tile on the number of rows, and the order of sums on W alone (linear_gpu.h: Ranges): the bits of a row of y depend
// on that row of x, on W and on the bias.
//
//   bf16 x and W, rows of x at multiples of 16 bytes, K % 8 == 0   linear_mma.cu: tensor cores
//     up to 16 rows        linear_mma_rows    reads W once; bytes bound
//     more                 linear_mma_tiles   64 x 64, and 128 x 128 where those fill the GPU; bound by mma
//   all else               linear_fma.cu: float32 products
//     up to 8 rows         linear_fma_rows
//     more                 linear_fma_tiles   64 x 64
//
// ct_linear_heads runs the same kernels, the heads being a dimension of the grid.
//
// Bytes: N K of W, M K of x and M N of y, each times its element's size. Operations: 2 M N K. The files tell each
// kernel's floor and what is predicted of it. Not yet run on a GPU.
#include "gpu/operations.h"
#include "kernels/linear/linear_gpu.h"

int32_t gpu::linear(const LaunchContext& context, const ct::LinearArgs& args) {
    return gemm::fits_mma(args) ? gemm::launch_mma(context, args) : gemm::launch_fma(context, args);
}

int32_t gpu::linear_heads(const LaunchContext& context, const ct::LinearHeadsArgs& args) {
    return gemm::fits_mma(args) ? gemm::launch_mma(context, args) : gemm::launch_fma(context, args);
}
