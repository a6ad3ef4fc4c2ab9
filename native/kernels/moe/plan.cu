// plan.cu: ct_moe_plan: one block counts the slots of each expert, adds the counts up, and places the slots in order,
// 512 at a time. Not yet run on a GPU.
//
// Bytes: 8 a slot of ids, 4 of slots. What counts is the latency of a pass over 512 slots, about 800 cycles for the
// places (32 shuffles and three barriers) and 300 for the count: T = 1 is predicted at 4 us with the launch, T = 4096 with
// k = 8 (64 passes) at 40 us, a tenth of the products' 400 us.
#include "gpu/operations.h"
#include "kernels/moe/moe_gpu.h"

namespace gpu {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarp;
static_assert(kThreads >= CT_MAX_EXPERTS, "a thread has an expert");

struct PlanShared {
    int32_t next[CT_MAX_EXPERTS];                 // counts, then where the expert's next slot goes
    int32_t warp_counts[kWarps][CT_MAX_EXPERTS];  // of one pass
    int32_t warp_sums[kWarps];
};

struct PlanArguments {
    ct::MoePlanArgs a;
    int64_t slots;
    int32_t height;
};

// The sum of the values of the threads before this one, and of all.
__device__ __forceinline__ int32_t scan(int32_t value, int32_t* warp_sums, int32_t* total) {
    int32_t sum = value;
    for (int distance = 1; distance < kWarp; distance *= 2) {
        const int32_t below = shuffle_up(sum, distance);
        if (lane() >= distance) sum += below;
    }
    if (lane() == kWarp - 1) warp_sums[warp()] = sum;
    __syncthreads();
    int32_t before = 0;
    *total = 0;
    for (int w = 0; w < kWarps; ++w) {
        if (w < warp()) before += warp_sums[w];
        *total += warp_sums[w];
    }
    __syncthreads();  // the next scan writes where this one read
    return before + sum - value;
}

__device__ __forceinline__ bool is_expert(int32_t id, int32_t num_experts) { return id >= 0 && id < num_experts; }

// Of thread's slot in this pass: how many lanes before it have the same id; the last such lane notes the warp's number.
__device__ __forceinline__ int32_t rank(int32_t id, bool valid, int32_t* counts) {
    int32_t before = 0;
    bool last = valid;
    for (int l = 0; l < kWarp; ++l) {
        const bool same = shuffle(id, l) == id;
        before += same && l < lane() ? 1 : 0;
        last = last && !(same && l > lane());
    }
    if (last) counts[id] = before + 1;
    return before;
}

__global__ void __launch_bounds__(kThreads) plan_kernel(PlanArguments p) {
    wait_for_previous();
    launch_next();
    auto& s = shared<PlanShared>();
    const auto thread = static_cast<int>(threadIdx.x);
    const int32_t experts = p.a.num_experts;
    int32_t* offsets = p.a.plan;
    int32_t* sorted = offsets + experts + 1;
    int32_t* num_tiles = sorted + p.slots;
    auto* tiles = reinterpret_cast<moe::Tile*>(num_tiles + 1);

    for (int e = thread; e < experts; e += kThreads) s.next[e] = 0;
    __syncthreads();
    for (int64_t slot = thread; slot < p.slots; slot += kThreads) {
        const int32_t id = p.a.ids[slot];
        if (is_expert(id, experts)) atomic_add(&s.next[id], 1);
    }
    __syncthreads();

    const int32_t count = thread < experts ? s.next[thread] : 0;
    const int32_t own_tiles = (count + p.height - 1) / p.height;
    int32_t total = 0, total_tiles = 0;
    const int32_t first = scan(count, s.warp_sums, &total);
    const int32_t first_tile = scan(own_tiles, s.warp_sums, &total_tiles);
    if (thread < experts) {
        offsets[thread] = first;
        s.next[thread] = first;
        for (int32_t i = 0; i < own_tiles; ++i) tiles[first_tile + i] = {thread, first + i * p.height};
    }
    if (thread == 0) {
        offsets[experts] = total;
        *num_tiles = total_tiles;
    }

    for (int64_t begin = 0; begin < p.slots; begin += kThreads) {
        for (int i = thread; i < kWarps * experts; i += kThreads) s.warp_counts[i / experts][i % experts] = 0;
        __syncthreads();
        const int64_t slot = begin + thread;
        const int32_t id = slot < p.slots ? p.a.ids[slot] : -1;
        const bool valid = is_expert(id, experts);
        const int32_t before = rank(id, valid, s.warp_counts[warp()]);
        __syncthreads();
        if (thread < experts) {  // where each warp's slots of this expert begin
            int32_t next = s.next[thread];
            for (int w = 0; w < kWarps; ++w) {
                const int32_t own = s.warp_counts[w][thread];
                s.warp_counts[w][thread] = next;
                next += own;
            }
            s.next[thread] = next;
        }
        __syncthreads();
        if (valid) sorted[s.warp_counts[warp()][id] + before] = static_cast<int32_t>(slot);
        __syncthreads();  // the next pass clears the counts
    }
}

}  // namespace

int32_t moe_plan_bytes(const DeviceLimits&, const ct::MoePlanArgs& args, int64_t* bytes) {
    *bytes = 4 * moe::plan_words(args.num_tokens, args.top_k, args.num_experts);
    return CT_OK;
}

int32_t moe_plan(const LaunchContext& context, const ct::MoePlanArgs& args) {
    LaunchShape shape;
    shape.threads = kThreads;
    shape.shared_bytes = sizeof(PlanShared);
    return GPU_LAUNCH(
        context, shape, plan_kernel,
        {args, args.num_tokens * args.top_k, moe::tile_height(args.num_tokens, args.top_k, args.num_experts)});
}

}  // namespace gpu
