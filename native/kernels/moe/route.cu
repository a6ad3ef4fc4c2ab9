// route.cu: ct_moe_route: a warp has a token, its scores and keys in shared memory; each of top_k rounds takes the
// largest key that is left. Not yet run on a GPU.
//
// Bytes: 4 E + 8 k a token. Instructions: about 30 a round and E / 32 loads of shared memory. For E = 128, k = 8 a warp
// takes about 2000 cycles (1.1 us on an H200), the shuffles' latency; 4 KB of shared memory a warp for E = 512 lets 8
// blocks of 4 warps reside. T = 1 is predicted at 3 us with the launch, T = 4096 at 3 us as well (4224 warps at once).
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kWarps = 4;
constexpr float kLeastSum = 1e-20f;

// Grows with the float; -0 is 0. 0 for none.
__device__ __forceinline__ uint32_t ordered(float value) {
    const uint32_t bits = float_bits(value + 0.0f);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

struct RouteShared {
    struct Warp {
        float scores[CT_MAX_EXPERTS];
        uint32_t keys[CT_MAX_EXPERTS];  // ordered; 0: taken, or not to be had
        uint32_t groups[CT_MAX_EXPERTS];
    };
    Warp warps[kWarps];
};

// The place of the largest of keys[0..count), the first of equals, in every lane; it is taken.
__device__ __forceinline__ int take_largest(uint32_t* keys, int count) {
    uint64_t best = 0;
    for (int i = lane(); i < count; i += kWarp) {
        const uint64_t own = static_cast<uint64_t>(keys[i]) << 32 | static_cast<uint32_t>(~i);
        best = own > best ? own : best;
    }
    for (int mask = kWarp / 2; mask > 0; mask /= 2) {
        const uint64_t other = shuffle_xor(best, mask);
        best = other > best ? other : best;
    }
    const int place = static_cast<int>(~static_cast<uint32_t>(best));
    sync_warp();  // everybody has read
    if (lane() == 0) keys[place] = 0;
    sync_warp();
    return place;
}

struct RouteToken {
    const ct::MoeRouteArgs& a;
    RouteShared::Warp& s;
    const float* logits;

    // Writes the scores and keys; false where the row cannot be routed.
    __device__ __forceinline__ bool score() const {
        const ct_moe_route_params& p = a.p;
        bool regular = true;
        float largest = -infinity();
        for (int e = lane(); e < p.num_experts; e += kWarp) {
            regular = regular && logits[e] < infinity();  // false for NaN
            largest = max(largest, logits[e]);
        }
        largest = warp_max(largest);
        if (!all(regular) || largest == -infinity()) return false;
        float sum = 0.0f;
        for (int e = lane(); e < p.num_experts; e += kWarp) {
            const float score = p.scores == CT_MOE_SOFTMAX   ? exp(logits[e] - largest)
                                : p.scores == CT_MOE_SIGMOID ? 1.0f / (1.0f + exp(-logits[e]))
                                                             : logits[e];
            s.scores[e] = score;
            sum += score;
        }
        sum = warp_sum(sum);
        const bool keyed_by_score = a.bias != nullptr || p.group_score == CT_MOE_GROUP_BEST_TWO;
        for (int e = lane(); e < p.num_experts; e += kWarp) {
            if (p.scores == CT_MOE_SOFTMAX) s.scores[e] /= sum;
            const float key = keyed_by_score ? s.scores[e] + (a.bias ? a.bias[e] : 0.0f) : logits[e];
            regular = regular && !is_nan(key);
            s.keys[e] = ordered(key);
        }
        sync_warp();
        return all(regular);
    }

    __device__ __forceinline__ float key_of(int e) const {
        const bool keyed_by_score = a.bias != nullptr || a.p.group_score == CT_MOE_GROUP_BEST_TWO;
        return keyed_by_score ? s.scores[e] + (a.bias ? a.bias[e] : 0.0f) : logits[e];
    }

    // Leaves only the experts of the best groups.
    __device__ __forceinline__ void keep_groups() const {
        const ct_moe_route_params& p = a.p;
        const int size = p.num_experts / p.num_groups;
        for (int g = lane(); g < p.num_groups; g += kWarp) {
            float best = key_of(g * size);
            float second = -infinity();
            for (int e = g * size + 1; e < (g + 1) * size; ++e) {
                const float key = key_of(e);
                second = max(second, min(best, key));
                best = max(best, key);
            }
            s.groups[g] = ordered(p.group_score == CT_MOE_GROUP_BEST_TWO ? best + second : best);
        }
        sync_warp();
        for (int i = 0; i < p.top_groups; ++i) take_largest(s.groups, p.num_groups);
        for (int e = lane(); e < p.num_experts; e += kWarp) {
            if (s.groups[e / size] != 0) s.keys[e] = 0;
        }
        sync_warp();
    }

    __device__ __forceinline__ void choose(int32_t* ids, float* weights) const {
        const ct_moe_route_params& p = a.p;
        if (p.top_groups < p.num_groups) keep_groups();
        float largest = -infinity();
        for (int j = 0; j < p.top_k; ++j) {
            const int id = take_largest(s.keys, p.num_experts);
            largest = max(largest, s.scores[id]);
            if (lane() != 0) continue;
            ids[j] = id;
            weights[j] = s.scores[id];
            if (a.counts) atomic_add(a.counts + id, 1);
        }
        sync_warp();
        // One lane, so that the sums have the order of j.
        if (lane() != 0) return;
        if (p.scores == CT_MOE_SOFTMAX_CHOSEN) {
            float sum = 0.0f;
            for (int j = 0; j < p.top_k; ++j) {
                weights[j] = exp(weights[j] - largest);
                sum += weights[j];
            }
            for (int j = 0; j < p.top_k; ++j) weights[j] /= sum;
        }
        if (p.renormalize) {
            float sum = 0.0f;
            for (int j = 0; j < p.top_k; ++j) sum += weights[j];
            for (int j = 0; j < p.top_k; ++j) weights[j] /= sum + kLeastSum;
        }
        for (int j = 0; j < p.top_k; ++j) weights[j] *= p.scale;
    }
};

__global__ void __launch_bounds__(kWarps* kWarp) route_kernel(ct::MoeRouteArgs a) {
    wait_for_previous();
    launch_next();
    RouteShared::Warp& s = shared<RouteShared>().warps[warp()];
    const ct_moe_route_params& p = a.p;
    for (int64_t token = int64_t{blockIdx.x} * kWarps + warp(); token < p.num_tokens;
         token += int64_t{gridDim.x} * kWarps) {
        const RouteToken route = {a, s, a.logits + token * p.logits_stride};
        int32_t* ids = a.ids + token * p.top_k;
        float* weights = a.weights + token * p.top_k;
        if (a.slot_mapping && a.slot_mapping[token] < 0) {
            for (int j = lane(); j < p.top_k; j += kWarp) {
                ids[j] = -1;
                weights[j] = 0.0f;
            }
        } else if (route.score()) {
            route.choose(ids, weights);
        } else {
            for (int j = lane(); j < p.top_k; j += kWarp) {
                ids[j] = j;
                weights[j] = nan();
            }
        }
        sync_warp();  // the next token's scores take the place of these
    }
}

}  // namespace

int32_t moe_route(const LaunchContext& context, const ct::MoeRouteArgs& args) {
    LaunchShape shape;
    const int64_t blocks = ceil_div(args.p.num_tokens, kWarps);
    shape.blocks_x = blocks < kMaxGridBlocks ? blocks : kMaxGridBlocks;
    shape.threads = kWarps * kWarp;
    shape.shared_bytes = sizeof(RouteShared);
    return GPU_LAUNCH(context, shape, route_kernel, args);
}

}  // namespace gpu
