// latent.cu: ct_latent_kv_write. Not yet run on a GPU.
//
// A warp computes one part of a token: the rotated end of a query head, or the token's key: the norm of the latent,
// lane i having the elements i, i + 32, ..., and the rotation behind it. A lane rotates whole pairs, so nothing passes
// between lanes but the sum of squares, which is a lane's elements in their order, then the lanes by butterfly.
//
// Floor: a token reads and writes heads * rope_dim elements of q and latent_dim + rope_dim of kv. Of DeepSeek-V3 (128
// heads, 64 of rotation, a latent of 512, bf16) 35 KB: 8192 tokens 287 MB, predicted 80 us on an H200 (0.83 of 4.3 TB/s,
// where rows of 128 bytes read as well as longer ones). A decode step's tokens are a launch, 2 to 3 us.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;
constexpr int kMostColumns = 512 / kWarp;  // of a latent, a lane

struct Latent {
    ct::LatentArgs a;
    int64_t blocks;  // of a token
};

template <typename K>
__device__ __forceinline__ void store_element(K* at, float value, float scale) {
    if constexpr (std::is_same_v<K, e4m3>) value /= scale;
    *at = from_float<K>(value);
}

// rope_dim elements; angles null: NaN.
template <typename Y, typename T>
__device__ __forceinline__ void rotate(Y* y, const T* x, const float* angles, float scale, const ct_latent_params& p) {
    const int half = p.rope_dim / 2;
    for (int i = lane(); i < half; i += kWarp) {
        const int low = p.style == CT_ROPE_HALVES ? i : 2 * i, high = p.style == CT_ROPE_HALVES ? i + half : 2 * i + 1;
        const float a = to_float(x[low]), b = to_float(x[high]);
        const float cosine = angles ? angles[i] : nan(), sine = angles ? angles[half + i] : nan();
        store_element(y + low, fma(-b, sine, a * cosine), scale);
        store_element(y + high, fma(a, sine, b * cosine), scale);
    }
}

template <typename K, typename T>
__device__ __forceinline__ void norm_latent(K* y, const T* x, const Latent& k) {
    const ct_latent_params& p = k.a.p;
    float v[kMostColumns];
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kMostColumns; ++i) {
        const int column = i * kWarp + lane();
        v[i] = column < p.latent_dim ? to_float(x[column]) : 0.0f;
        squares = fma(v[i], v[i], squares);
    }
    squares = warp_sum(squares);
    const float factor = 1.0f / sqrt(squares / static_cast<float>(p.latent_dim) + p.eps);
#pragma unroll
    for (int i = 0; i < kMostColumns; ++i) {
        const int column = i * kWarp + lane();
        if (column < p.latent_dim) store_element(y + column, v[i] * factor * k.a.kv_norm[column], p.k_scale);
    }
}

template <typename T, typename K>
__global__ void __launch_bounds__(kThreads) latent_kernel(Latent k) {
    const ct_latent_params& p = k.a.p;
    const int key_dim = p.latent_dim + p.rope_dim, query_dim = p.nope_dim + p.rope_dim;
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < p.num_tokens * k.blocks; part += gridDim.x) {
        const int64_t token = part / k.blocks, h = part % k.blocks * kWarps + warp();
        const int64_t position = k.a.positions[token];
        const float* angles =
            position >= 0 && position < p.num_positions ? k.a.cos_sin + position * p.rope_dim : nullptr;
        if (h < p.num_heads) {
            T* y = static_cast<T*>(k.a.q) + token * p.q_stride + h * key_dim + p.latent_dim;
            const T* x = static_cast<const T*>(k.a.queries) + token * p.queries_stride + h * query_dim + p.nope_dim;
            rotate(y, x, angles, 1.0f, p);
        } else if (h == p.num_heads) {
            const int64_t slot = k.a.slot_mapping[token];
            if (!angles || slot < 0 || slot >= p.num_slots) continue;
            const T* x = static_cast<const T*>(k.a.kv) + token * p.kv_stride;
            K* y = static_cast<K*>(k.a.k_cache) + slot / p.block_size * p.block_stride + slot % p.block_size * key_dim;
            norm_latent(y, x, k);
            rotate(y + p.latent_dim, x + p.latent_dim, angles, p.k_scale, p);
        }
    }
}

template <typename T, typename K>
int32_t launch_latent(const LaunchContext& context, const ct::LatentArgs& args) {
    const Latent k{args, ceil_div(args.p.num_heads + int64_t{1}, int64_t{kWarps})};
    LaunchShape shape;
    shape.threads = kThreads;
    if (__builtin_mul_overflow(args.p.num_tokens, k.blocks, &shape.blocks_x) || shape.blocks_x > kMaxGridBlocks) {
        shape.blocks_x = kMaxGridBlocks;
    }
    return GPU_LAUNCH(context, shape, latent_kernel<T, K>, k);
}

template <typename T>
int32_t launch_for_cache(const LaunchContext& context, const ct::LatentArgs& args) {
    switch (args.p.kv_dtype) {
        case CT_F32:
            return launch_latent<T, float>(context, args);
        case CT_BF16:
            return launch_latent<T, bf16>(context, args);
        case CT_F16:
            return launch_latent<T, f16>(context, args);
        default:
            return launch_latent<T, e4m3>(context, args);
    }
}

}  // namespace

int32_t latent_kv_write(const LaunchContext& context, const ct::LatentArgs& args) {
    return args.p.dtype == CT_F32 ? launch_for_cache<float>(context, args) : launch_for_cache<bf16>(context, args);
}

}  // namespace gpu
