// rope.cu: ct_rope_kv_write. Not yet run on a GPU.
//
// A lane has 16 elements of a head; a head is that of 1, 2, 4, 8 or 16 neighbouring lanes, so that one shape serves
// every head_dim and a block is eight to 128 heads of one token. The partners of a rotation by halves may be any lane's:
// they pass through shared memory, 17 floats a lane, so that no two lanes of a head meet in a bank.
//
// Floor: a token reads (q + 2 kv heads) * head_dim elements of qkv and writes as many of q and the cache; the angles come
// from L2. From 32 MB on at 0.85 of copy bandwidth. Predicted for 8192 tokens of 32 + 2 * 8 heads of 128, bf16, on an
// H200 (4.3 TB/s): 201 MB, 47 us at full rate, 55 us at 0.85. A decode step's tokens are a launch, 2 to 3 us.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kRun = 16;
constexpr int kThreads = 128;

struct Rope {
    ct::RopeArgs a;
    int64_t blocks;  // of a token
    int32_t lanes;   // of a head
};

struct RopeShared {
    float heads[kThreads][kRun + 1];
};

// A head's element e as the lanes left it; `head` is its first lane.
__device__ __forceinline__ float element(const RopeShared& s, int head, int e) {
    return s.heads[head + e / kRun][e % kRun];
}

// RMSNorm of the head; values (no weight) pass as they are. The squares' sum has a shape of its own for every head_dim:
// a lane's elements in their order, the lanes by butterfly.
__device__ __forceinline__ void norm_head(float (&v)[kRun], const float* weight, int first, const Rope& k) {
    float squares = 0;
    for (int i = 0; i < kRun; ++i) squares = fma(v[i], v[i], squares);
    for (int mask = k.lanes / 2; mask > 0; mask /= 2) squares += shuffle_xor(squares, mask);
    if (!weight || first >= k.a.p.head_dim) return;
    const float factor = 1.0f / sqrt(squares / static_cast<float>(k.a.p.head_dim) + k.a.p.eps);
    float w[kRun];
    load_run(w, weight + first, kRun, true);
    for (int i = 0; i < kRun; ++i) v[i] = v[i] * factor * w[i];
}

// Pairs (e, e + half), kStep elements at a time: 4 where the halves are multiples of four, which none of them parts.
template <int kStep>
__device__ __forceinline__ void rotate_halves(float (&v)[kRun], const RopeShared& s, int head, int first,
                                              const float* angles, int half) {
    for (int i = 0; i < kRun; i += kStep) {
        const int e = first + i;
        if (e >= 2 * half) continue;
        const bool low = e < half;
        const int pair = low ? e : e - half;
        float cosine[kStep];
        float sine[kStep];
        if constexpr (kStep == 4) {
            load_run(cosine, angles + pair, 4, true);
            load_run(sine, angles + half + pair, 4, true);
        } else {
            cosine[0] = angles[pair];
            sine[0] = angles[half + pair];
        }
        for (int j = 0; j < kStep; ++j) {
            const float other = element(s, head, low ? pair + half + j : pair + j);
            v[i + j] = fma(low ? -other : other, sine[j], v[i + j] * cosine[j]);
        }
    }
}

// Pairs (2i, 2i + 1): a lane has both.
__device__ __forceinline__ void rotate_neighbours(float (&v)[kRun], int first, const float* angles, int half,
                                                  bool aligned) {
    constexpr int kPairs = kRun / 2;
    const int pair = first / 2;
    float cosine[kPairs];
    float sine[kPairs];
    load_run(cosine, angles + pair, half - pair, aligned);
    load_run(sine, angles + half + pair, half - pair, aligned);
    for (int i = 0; i < kPairs; ++i) {
        if (pair + i >= half) continue;
        const float a = v[2 * i];
        const float b = v[2 * i + 1];
        v[2 * i] = fma(-b, sine[i], a * cosine[i]);
        v[2 * i + 1] = fma(a, sine[i], b * cosine[i]);
    }
}

template <typename K>
__device__ __forceinline__ void store_cache(K* at, float (&v)[kRun], float scale, bool aligned) {
    if constexpr (std::is_same_v<K, e4m3>) {
        for (int i = 0; i < kRun; ++i) v[i] /= scale;
    }
    store_run(at, v, kRun, aligned);
}

// kAligned: rows of qkv and q, blocks of the caches and halves of the angles start at multiples of 16 bytes.
template <typename T, typename K, bool kAligned>
__global__ void __launch_bounds__(kThreads) rope_kernel(Rope k) {
    RopeShared& s = shared<RopeShared>();
    const ct_rope_params& p = k.a.p;
    const int place = static_cast<int>(threadIdx.x) % k.lanes;  // of the lane in its head
    const int first = place * kRun;                             // its first element
    const int head_lane = static_cast<int>(threadIdx.x) - place;
    const int num_heads = p.num_q_heads + 2 * p.num_kv_heads;
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < p.num_tokens * k.blocks; part += gridDim.x) {
        const int64_t token = part / k.blocks;
        const int h = static_cast<int>(part % k.blocks) * (kThreads / k.lanes) + head_lane / k.lanes;
        const bool is_q = h < p.num_q_heads;
        const bool is_value = h >= p.num_q_heads + p.num_kv_heads;
        const bool has_elements = h < num_heads && first < p.head_dim;
        const int64_t position = k.a.cos_sin ? k.a.positions[token] : 0;
        const bool known = !k.a.cos_sin || (position >= 0 && position < p.num_positions);

        float v[kRun];  // zeros where the lane has no elements
        const T* x = static_cast<const T*>(k.a.qkv) + token * p.qkv_stride + int64_t{h} * p.head_dim + first;
        load_run(v, x, has_elements ? kRun : 0, kAligned);
        if (k.a.q_norm) norm_head(v, is_value ? nullptr : is_q ? k.a.q_norm : k.a.k_norm, first, k);
        if (k.a.cos_sin && known) {
            const float* angles = k.a.cos_sin + position * p.rotary_dim;
            const int half = p.rotary_dim / 2;
            if (p.style == CT_ROPE_HALVES) {
                for (int i = 0; i < kRun; ++i) s.heads[threadIdx.x][i] = v[i];
                sync_warp();
                if (!is_value) rotate_halves<kAligned ? 4 : 1>(v, s, head_lane, first, angles, half);
                sync_warp();  // the next token's elements take the place of these
            } else if (!is_value) {
                rotate_neighbours(v, first, angles, half, kAligned);
            }
        }
        if (!has_elements) continue;
        if (is_q) {
            for (int i = 0; i < kRun; ++i) v[i] = known ? v[i] : nan();
            store_run(static_cast<T*>(k.a.q) + token * p.q_stride + int64_t{h} * p.head_dim + first, v, kRun, kAligned);
            continue;
        }
        const int64_t slot = k.a.slot_mapping[token];
        if (!known || slot < 0 || slot >= p.num_slots) continue;
        const int64_t kv_head = h - p.num_q_heads - (is_value ? p.num_kv_heads : 0);
        const int64_t at =
            slot / p.block_size * p.block_stride + (kv_head * p.block_size + slot % p.block_size) * p.head_dim + first;
        K* cache = static_cast<K*>(is_value ? k.a.v_cache : k.a.k_cache);
        store_cache(cache + at, v, is_value ? p.v_scale : p.k_scale, kAligned);
    }
}

template <typename T, typename K>
int32_t launch_rope(const LaunchContext& context, const ct::RopeArgs& args) {
    const ct_rope_params& p = args.p;
    Rope k{args, 0, 1};
    while (k.lanes * kRun < p.head_dim) k.lanes *= 2;
    k.blocks = ceil_div(p.num_q_heads + 2 * int64_t{p.num_kv_heads}, int64_t{kThreads / k.lanes});
    const bool aligned = rows_aligned(args.qkv, p.qkv_stride, sizeof(T)) &&
                         rows_aligned(args.q, p.q_stride, sizeof(T)) &&
                         rows_aligned(args.k_cache, p.block_stride, sizeof(K)) &&
                         rows_aligned(args.v_cache, p.block_stride, sizeof(K)) &&
                         (!args.cos_sin || rows_aligned(args.cos_sin, p.rotary_dim / 2, sizeof(float)));
    LaunchShape shape;
    shape.threads = kThreads;
    shape.shared_bytes = sizeof(RopeShared);
    if (__builtin_mul_overflow(p.num_tokens, k.blocks, &shape.blocks_x) || shape.blocks_x > kMaxGridBlocks) {
        shape.blocks_x = kMaxGridBlocks;
    }
    return aligned ? GPU_LAUNCH(context, shape, rope_kernel<T, K, true>, k)
                   : GPU_LAUNCH(context, shape, rope_kernel<T, K, false>, k);
}

template <typename T>
int32_t launch_for_cache(const LaunchContext& context, const ct::RopeArgs& args) {
    switch (args.p.kv_dtype) {
        case CT_F32:
            return launch_rope<T, float>(context, args);
        case CT_BF16:
            return launch_rope<T, bf16>(context, args);
        case CT_F16:
            return launch_rope<T, f16>(context, args);
        default:
            return launch_rope<T, e4m3>(context, args);
    }
}

}  // namespace

int32_t rope_kv_write(const LaunchContext& context, const ct::RopeArgs& args) {
    return args.p.dtype == CT_F32 ? launch_for_cache<float>(context, args) : launch_for_cache<bf16>(context, args);
}

}  // namespace gpu
