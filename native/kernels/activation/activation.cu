// activation.cu: ct_activation_mul; every column is on its own. Not yet run on a GPU.
//
// Floor: 3 * rows * cols elements; from 32 MB on at 0.85 of copy bandwidth. Predicted for 8192 x 14336 bf16 on an H200
// (4.3 TB/s): 705 MB, 164 us at full rate, 193 us at 0.85. About 20 instructions an element, a third of what the
// bandwidth leaves time for.
#include "gpu/operations.h"
#include "gpu/pieces.h"
#include "kernels/activation/activation.cuh"

namespace gpu {
namespace {

constexpr int kRun = 8;
constexpr int kHeld = 2;

struct Activation {
    ct::ActivationArgs a;
    int64_t tiles;
    bool aligned;
};

template <typename T, int kActivation>
__global__ void activation_mul_kernel(Activation e) {
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < e.a.rows * e.tiles; part += gridDim.x) {
        const int64_t row = part / e.tiles;
        const int64_t first = part % e.tiles * kHeld * blockDim.x + threadIdx.x;
        const T* x = static_cast<const T*>(e.a.x) + row * e.a.x_stride;
        T* y = static_cast<T*>(e.a.y) + row * e.a.y_stride;
        float gate[kHeld][kRun];
        float up[kHeld][kRun];
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kRun;
            load_run(gate[h], x + c, e.a.cols - c, e.aligned);
            load_run(up[h], x + e.a.cols + c, e.a.cols - c, e.aligned);
        }
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kRun;
            for (int i = 0; i < kRun; ++i) gate[h][i] = activate<kActivation>(gate[h][i]) * up[h][i];
            store_run(y + c, gate[h], e.a.cols - c, e.aligned);
        }
    }
}

template <typename T>
int32_t launch_activation(const LaunchContext& context, const ct::ActivationArgs& args) {
    const TileGrid grid(ceil_div(args.cols, kRun), kHeld);
    const bool aligned = rows_aligned(args.y, args.y_stride, sizeof(T)) &&
                         rows_aligned(args.x, args.x_stride, sizeof(T)) &&
                         rows_aligned(nullptr, args.cols, sizeof(T));  // the up part
    const Activation e{args, grid.tiles, aligned};
    const LaunchShape shape = grid.shape(args.rows);
    return args.activation == CT_SILU ? GPU_LAUNCH(context, shape, activation_mul_kernel<T, CT_SILU>, e)
                                      : GPU_LAUNCH(context, shape, activation_mul_kernel<T, CT_GELU_TANH>, e);
}

}  // namespace

int32_t activation_mul(const LaunchContext& context, const ct::ActivationArgs& args) {
    return args.dtype == CT_F32 ? launch_activation<float>(context, args) : launch_activation<bf16>(context, args);
}

}  // namespace gpu
