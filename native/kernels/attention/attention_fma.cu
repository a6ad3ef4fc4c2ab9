// attention_fma.cu: paged attention in plain float32, a warp for each row and query head: every shape, every pair of
// types, no plan. The strict mode (float32 activations) and the fallback of the tensor-core kernels.
//
// Keys are taken in splits of 256 at absolute positions, folded in their order (online softmax: Milakov and Gimelshein
// 2018, arXiv 1805.02867). In a split a lane computes the scores of its keys (key % 32), then the warp shares out the
// columns of the values. Floor: each row reads its KV by itself, so 2 * kv_len * head_dim elements from L2 (or L1, where
// the warps of a block are heads of one KV head) and as many fused multiply-adds; at most 1 / group of the bandwidth that
// the tensor-core kernels reach. Not yet run on a GPU.
#include "kernels/attention/attention_gpu.h"
#include "kernels/attention/attention_sequence.h"

namespace gpu {
namespace {

using attention::Sequence;
using attention::State;
using attention::Visible;
using ct::AttentionArgs;

constexpr int kSplit = 256;
constexpr int kRowsOfBlock = 4;
constexpr int kMaxHeadDim = 576;

struct Shared {
    struct Row {
        alignas(16) float q[kMaxHeadDim];
        float weights[kSplit];
    } rows[kRowsOfBlock];
};

// Running softmax of a row; each lane has the columns lane() + 32 j.
template <int Columns>
struct Total {
    float max;
    float sum;
    float values[Columns];
};

// exp(from - to), for from <= to.
__device__ __forceinline__ float decay(float from, float to) { return to == -infinity() ? 0.0f : exp(from - to); }

template <int Columns>
__device__ __forceinline__ void fold(Total<Columns>& total, const Total<Columns>& split) {
    const float next = max(total.max, split.max);
    const float a = decay(total.max, next), b = decay(split.max, next);
    total.max = next;
    total.sum = fma(total.sum, a, split.sum * b);
#pragma unroll
    for (int j = 0; j < Columns; ++j) total.values[j] = fma(total.values[j], a, split.values[j] * b);
}

template <typename Kv>
__device__ __forceinline__ void load_elements(Kv (&to)[16], const Kv* from, bool aligned) {
    if (aligned) {
#pragma unroll
        for (int i = 0; i < static_cast<int>(sizeof to / 16); ++i) {
            const Vec16 piece = load16(reinterpret_cast<const unsigned char*>(from) + 16 * i);
            memcpy(reinterpret_cast<unsigned char*>(to) + 16 * i, &piece, 16);
        }
    } else {
#pragma unroll
        for (int i = 0; i < 16; ++i) to[i] = from[i];
    }
}

template <typename Kv>
__device__ __forceinline__ float dot(const float* q, const Kv* key, int head_dim, bool aligned) {
    float sums[4] = {};
    for (int d = 0; d < head_dim; d += 16) {
        Kv elements[16];
        load_elements(elements, key + d, aligned);
#pragma unroll
        for (int i = 0; i < 16; ++i) sums[i % 4] = fma(q[d + i], to_float(elements[i]), sums[i % 4]);
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// What a warp works on.
template <typename Kv>
struct Row {
    const AttentionArgs& args;
    const Sequence& sequence;
    Visible visible;
    int32_t kv_head;
    bool aligned;  // keys begin at multiples of 16 bytes

    __device__ const Kv* element(const void* cache, int32_t key, int width) const {
        const ct_attention_params& p = args.p;
        const int64_t block = args.block_table[sequence.index * p.max_blocks + key / p.block_size];
        const int64_t place = int64_t{kv_head} * p.block_size + key % p.block_size;
        return static_cast<const Kv*>(cache) + block * p.block_stride + place * width;
    }
    __device__ const Kv* key(int32_t i) const { return element(args.k_cache, i, args.p.head_dim); }
    __device__ const Kv* value(int32_t i) const {
        return args.p.values_in_keys ? key(i) : element(args.v_cache, i, args.p.head_dim_v);
    }
};

template <typename Kv>
__device__ __forceinline__ float score_of(const Row<Kv>& row, const float* q, int32_t key) {
    const ct_attention_params& p = row.args.p;
    const float score = dot(q, row.key(key), p.head_dim, row.aligned) * p.k_scale * p.scale;
    return p.soft_cap > 0 ? p.soft_cap * tanh(score / p.soft_cap) : score;
}

// The split's part of the softmax: weights[i] of key split + i.
template <int Columns, typename Kv>
__device__ __forceinline__ void weigh_keys(Total<Columns>& split, float* weights, const float* q, const Row<Kv>& row,
                                           int32_t first) {
    split.max = -infinity();
#pragma unroll 1
    for (int i = lane(); i < kSplit; i += kWarp) {
        weights[i] = row.visible.sees(first + i) ? score_of(row, q, first + i) : -infinity();
        split.max = max(split.max, weights[i]);
    }
    split.max = warp_max(split.max);
    split.sum = 0;
    const float shift = split.max == -infinity() ? 0.0f : split.max;
    for (int i = lane(); i < kSplit; i += kWarp) {
        weights[i] = exp(weights[i] - shift);
        split.sum += weights[i];
    }
    split.sum = warp_sum(split.sum);
}

template <int Columns, typename Kv>
__device__ __forceinline__ void add_values(Total<Columns>& split, const float* weights, const Row<Kv>& row,
                                           int32_t first) {
#pragma unroll
    for (int j = 0; j < Columns; ++j) split.values[j] = 0;
    const int32_t begin = row.visible.begin > first ? row.visible.begin : first;
    const int32_t end = row.visible.end < first + kSplit ? row.visible.end : first + kSplit;
    for (int32_t key = begin; key < end; ++key) {
        if (!row.visible.sees(key)) continue;  // what it holds must not matter: 0 * NaN is NaN
        const Kv* value = row.value(key);
        const float weight = weights[key - first];
#pragma unroll
        for (int j = 0; j < Columns; ++j) {
            const int column = j * kWarp + lane();
            if (column < row.args.p.head_dim_v) split.values[j] = fma(weight, to_float(value[column]), split.values[j]);
        }
    }
}

template <int Columns, typename Kv>
__device__ __forceinline__ Total<Columns> attend(Shared::Row& memory, const Row<Kv>& row) {
    Total<Columns> total{-infinity(), 0, {}};
    for (int32_t first = row.visible.begin / kSplit * kSplit; first < row.visible.end; first += kSplit) {
        Total<Columns> split;
        weigh_keys(split, memory.weights, memory.q, row, first);
        sync_warp();
        add_values(split, memory.weights, row, first);
        sync_warp();
        fold(total, split);
    }
    return total;
}

template <typename T>
__device__ __forceinline__ void load_query(float* to, const void* q, int64_t at, int head_dim) {
    for (int d = lane(); d < head_dim; d += kWarp) to[d] = to_float(static_cast<const T*>(q)[at + d]);
}

template <typename T, int Columns>
__device__ __forceinline__ void store_row(void* out, int64_t at, int width, const float (&values)[Columns],
                                          float factor) {
#pragma unroll
    for (int j = 0; j < Columns; ++j) {
        const int column = j * kWarp + lane();
        if (column < width) static_cast<T*>(out)[at + column] = from_float<T>(values[j] * factor);
    }
}

// A row that saw nothing is zeros with lse -inf; the sink takes part and adds no value.
template <int Columns>
__device__ __forceinline__ void finish(const AttentionArgs& args, Total<Columns>& total, int32_t token, int32_t head) {
    const ct_attention_params& p = args.p;
    const bool saw_nothing = total.sum == 0;
    if (args.sinks) fold(total, Total<Columns>{args.sinks[head], 1.0f, {}});
    const float factor = saw_nothing ? 0.0f : p.v_scale / total.sum;
    const int64_t at = token * p.out_stride + int64_t{head} * p.head_dim_v;
    if (p.dtype == CT_F32) {
        store_row<float>(args.out, at, p.head_dim_v, total.values, factor);
    } else {
        store_row<bf16>(args.out, at, p.head_dim_v, total.values, factor);
    }
    if (args.lse && lane() == 0) {
        args.lse[int64_t{token} * p.num_q_heads + head] = saw_nothing ? -infinity() : total.max + log(total.sum);
    }
}

template <int Columns>
__device__ __forceinline__ Total<Columns> constant(float value) {
    Total<Columns> total{0, 0, {}};
#pragma unroll
    for (int j = 0; j < Columns; ++j) total.values[j] = value;
    total.sum = value;
    return total;
}

template <typename Kv, int Columns>
__global__ void __launch_bounds__(kRowsOfBlock* kWarp, 3) attention_fma_kernel(AttentionArgs args) {
    wait_for_previous();
    const ct_attention_params& p = args.p;
    const int64_t row = int64_t{blockIdx.x} * kRowsOfBlock + warp();
    if (row >= p.num_tokens * p.num_q_heads) return;
    const auto token = static_cast<int32_t>(row / p.num_q_heads), head = static_cast<int32_t>(row % p.num_q_heads);
    const Sequence sequence = attention::sequence_of(args, token);
    Total<Columns> total = constant<Columns>(sequence.state == State::kContradictory ? nan() : 0.0f);
    if (sequence.state == State::kAttends) {
        Shared::Row& memory = shared<Shared>().rows[warp()];
        const int64_t at = token * p.q_stride + int64_t{head} * p.head_dim;
        if (p.dtype == CT_F32) {
            load_query<float>(memory.q, args.q, at, p.head_dim);
        } else {
            load_query<bf16>(memory.q, args.q, at, p.head_dim);
        }
        sync_warp();
        const bool aligned = (reinterpret_cast<uintptr_t>(args.k_cache) | p.block_stride * sizeof(Kv)) % 16 == 0;
        const Row<Kv> work{args, sequence, attention::visible_to(args, sequence, token),
                           head / (p.num_q_heads / p.num_kv_heads), aligned};
        total = attend<Columns>(memory, work);
    }
    finish(args, total, token, head);
}

// ---- launch --------------------------------------------------------------------------------------------------------

template <typename Kv>
int32_t launch_for(const LaunchContext& context, const AttentionArgs& args) {
    LaunchShape shape;
    shape.blocks_x = ceil_div(args.p.num_tokens * args.p.num_q_heads, int64_t{kRowsOfBlock});
    shape.threads = kRowsOfBlock * kWarp;
    shape.shared_bytes = sizeof(Shared);
    if (args.p.head_dim_v <= 8 * kWarp) return GPU_LAUNCH(context, shape, attention_fma_kernel<Kv, 8>, args);
    return GPU_LAUNCH(context, shape, attention_fma_kernel<Kv, 16>, args);
}

}  // namespace

int32_t attention_fma(const LaunchContext& context, const AttentionArgs& args) {
    switch (args.p.kv_dtype) {
        case CT_F32:
            return launch_for<float>(context, args);
        case CT_BF16:
            return launch_for<bf16>(context, args);
        case CT_F16:
            return launch_for<f16>(context, args);
        default:
            return launch_for<e4m3>(context, args);
    }
}

}  // namespace gpu
