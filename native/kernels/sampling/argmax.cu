// argmax.cu: ct_argmax, one block a row. Not yet run on a GPU.
//
// Floor: rows * cols * 4 bytes read. From a few rows a multiprocessor on that is bandwidth; a single row is read by one
// multiprocessor with 64 KB in flight: predicted 8 us for 131072 columns on an H200, where the whole GPU would need 3.
#include "gpu/operations.h"
#include "gpu/pieces.h"
#include "kernels/sampling/weight.h"

namespace gpu {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int kHeld = 4;  // pieces of a thread, all loaded before the first is looked at
constexpr int kPiece = 4;
constexpr uint64_t kNanKey = UINT64_MAX;  // above every logit's

struct Argmax {
    ct::ArgmaxArgs a;
    ct::KeyCode code;
    bool aligned;
};

struct ArgmaxShared {
    uint64_t keys[kMaxThreads / kWarp];
};

// The largest key of this thread's columns, 0 where it has none.
__device__ __forceinline__ uint64_t largest_key(const float* row, const ct::KeyCode& code, bool aligned) {
    const int64_t cols = code.size;
    float best = -infinity();
    int64_t best_id = -1;
    bool has_nan = false;
    const int64_t stride = static_cast<int64_t>(blockDim.x) * kPiece;
    for (int64_t first = static_cast<int64_t>(threadIdx.x) * kPiece; first < cols; first += kHeld * stride) {
        float v[kHeld][kPiece];
        for (int h = 0; h < kHeld; ++h) {
            load_run(v[h], row + first + h * stride, cols - (first + h * stride), aligned);
        }
        for (int h = 0; h < kHeld; ++h) {
            for (int i = 0; i < kPiece; ++i) {
                const int64_t id = first + h * stride + i;
                if (id >= cols) continue;
                has_nan = has_nan || is_nan(v[h][i]);
                if (best_id < 0 || v[h][i] > best) {
                    best = v[h][i];
                    best_id = id;
                }
            }
        }
    }
    if (has_nan) return kNanKey;
    return best_id < 0 ? 0 : code.key(best, best_id);
}

__global__ void __launch_bounds__(kMaxThreads) argmax_kernel(Argmax k) {
    ArgmaxShared& s = shared<ArgmaxShared>();
    wait_for_previous();
    launch_next();
    for (int64_t row = blockIdx.x; row < k.a.rows; row += gridDim.x) {
        uint64_t key = largest_key(k.a.logits + row * k.a.stride, k.code, k.aligned);
        for (int mask = kWarp / 2; mask > 0; mask /= 2) {
            const uint64_t other = shuffle_xor(key, mask);
            key = other > key ? other : key;
        }
        if (lane() == 0) s.keys[warp()] = key;
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int w = 1; w < static_cast<int>(blockDim.x) / kWarp; ++w) key = s.keys[w] > key ? s.keys[w] : key;
            k.a.token[row] = key == kNanKey ? -1 : static_cast<int32_t>(k.code.id(key));
        }
        __syncthreads();  // the next row's keys take the place of these
    }
}

}  // namespace

int32_t argmax(const LaunchContext& context, const ct::ArgmaxArgs& args) {
    const int64_t threads = ceil_div(ceil_div(args.cols, int64_t{kPiece * kHeld}), kWarp) * kWarp;
    LaunchShape shape;
    shape.blocks_x = args.rows < kMaxGridBlocks ? args.rows : kMaxGridBlocks;
    shape.threads = threads < kMaxThreads ? static_cast<int32_t>(threads) : kMaxThreads;
    shape.shared_bytes = sizeof(ArgmaxShared);
    return GPU_LAUNCH(context, shape, argmax_kernel,
                      {args, ct::key_code(args.cols), rows_aligned(args.logits, args.stride, sizeof(float))});
}

}  // namespace gpu
