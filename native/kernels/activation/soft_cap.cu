// soft_cap.cu: ct_soft_cap; every column is on its own. Not yet run on a GPU.
//
// Floor: 8 * rows * cols bytes; from 32 MB on at 0.85 of copy bandwidth. Predicted for 64 x 256000 logits on an H200
// (4.3 TB/s): 131 MB, 30 us at full rate, 36 us at 0.85; a row of a decode step is a launch, 2 to 3 us.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kRun = 4;
constexpr int kHeld = 4;

struct SoftCap {
    ct::SoftCapArgs a;
    int64_t tiles;
    bool aligned;
};

__global__ void soft_cap_kernel(SoftCap e) {
    const float factor = e.a.cap > 0 ? e.a.scale / e.a.cap : e.a.scale;
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < e.a.rows * e.tiles; part += gridDim.x) {
        const int64_t first = part % e.tiles * kHeld * blockDim.x + threadIdx.x;
        float* x = e.a.x + part / e.tiles * e.a.stride;
        float v[kHeld][kRun];
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kRun;
            load_run(v[h], x + c, e.a.cols - c, e.aligned);
        }
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kRun;
            for (int i = 0; i < kRun; ++i) {
                v[h][i] *= factor;
                if (e.a.cap > 0) v[h][i] = e.a.cap * tanh(v[h][i]);
            }
            store_run(x + c, v[h], e.a.cols - c, e.aligned);
        }
    }
}

}  // namespace

int32_t soft_cap(const LaunchContext& context, const ct::SoftCapArgs& args) {
    const TileGrid grid(ceil_div(args.cols, kRun), kHeld);
    const SoftCap e{args, grid.tiles, rows_aligned(args.x, args.stride, sizeof(float))};
    return GPU_LAUNCH(context, grid.shape(args.rows), soft_cap_kernel, e);
}

}  // namespace gpu
