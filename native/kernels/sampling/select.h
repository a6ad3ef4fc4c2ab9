// select.h: the key at which a measure of the tokens (their number or their weight), summed in the total order, reaches a
// target. Found by histograms over the keys' range, first in steps of the logit, then of the key, until so few tokens are
// left that each can be compared with every other.
#pragma once

#include "kernels/sampling/row_logits.h"

namespace gpu {
namespace {

// A step of the search: the tokens of `range` that the steps of the logit put into bucket `step` (-1: any).
struct Search {
    KeyRange range;
    float steps;  // a unit of the logit; 0: no steps
    int step;
    int shift;  // of keys to buckets, once the step is known

    __device__ __forceinline__ int step_of(const Logits& x, float logit) const {
        const float at = (x.largest - logit) * steps;
        return at < static_cast<float>(kBuckets - 1) ? static_cast<int>(at) : kBuckets - 1;
    }
    __device__ __forceinline__ bool contains(const Logits& x, float logit, uint64_t key) const {
        return range.contains(key) && (step < 0 || step_of(x, logit) == step);
    }
    // Bucket 0 has the first of the order.
    __device__ __forceinline__ int bucket(const Logits& x, float logit, uint64_t key) const {
        return steps > 0 && step < 0 ? step_of(x, logit) : static_cast<int>((range.high - key) >> shift);
    }
    __device__ __forceinline__ void split() {
        shift = 0;
        while ((range.high - range.low) >> shift >= kBuckets) ++shift;
    }
    __device__ __forceinline__ void narrow(const Logits& x, int chosen) {
        if (steps > 0 && step < 0) {
            // Wider by a step on both sides than rounding needs; step_of decides.
            step = chosen;
            const float width = 1.0f / steps;
            const float top = chosen > 1 ? x.largest - static_cast<float>(chosen - 1) * width : x.largest;
            const float bottom = chosen < kBuckets - 2 ? x.largest - static_cast<float>(chosen + 2) * width : -FLT_MAX;
            const uint64_t high = x.key(top, 0);
            const uint64_t low = x.last_key(bottom);
            range = {low > range.low ? low : range.low, high < range.high ? high : range.high};
        } else {
            const uint64_t high = range.high - (static_cast<uint64_t>(chosen) << shift);
            const uint64_t size = (uint64_t{1} << shift) - 1;
            range = {high - range.low > size ? high - size : range.low, high};
        }
        split();
    }
};

__device__ __forceinline__ Search begin_search(const Logits& x, KeyRange range, bool by_mass) {
    float depth = x.largest - x.smallest;
    if (by_mass) depth = min(depth, 44.0f / x.factor);  // what is deeper weighs nothing
    float steps = static_cast<float>(kBuckets) / depth;
    if (!(depth > 0 && depth < FLT_MAX && steps < FLT_MAX)) steps = 0;
    const uint64_t first = x.key(x.largest, 0);
    Search search{{range.low, first < range.high ? first : range.high}, steps, -1, 0};
    search.split();
    return search;
}

template <bool kByMass>
__device__ __forceinline__ void fill_histogram(SampleShared& s, const Logits& x, const Search& search) {
    for (int b = static_cast<int>(threadIdx.x); b < kBuckets; b += static_cast<int>(blockDim.x)) {
        s.counts[b] = 0;
        s.mass_low[b] = 0;
        s.mass_high[b] = 0;
    }
    __syncthreads();
    for_logits(x, [&](float logit, int64_t id) {
        const uint64_t key = x.key(logit, id);
        if (!search.contains(x, logit, key)) return;
        const int b = search.bucket(x, logit, key);
        if constexpr (kByMass) {
            const uint64_t weight = x.weight(logit);
            if (weight == 0) return;
            // Two 32-bit sums with a carry: shared memory has no 64-bit addition of its own.
            const auto low = static_cast<uint32_t>(weight);
            const uint32_t old = atomic_add(&s.mass_low[b], low);
            const uint32_t high = static_cast<uint32_t>(weight >> 32) + (old + low < old ? 1 : 0);
            if (high != 0) atomic_add(&s.mass_high[b], high);
        }
        atomic_add(&s.counts[b], 1u);
    });
    __syncthreads();
}

template <bool kByMass>
__device__ __forceinline__ uint64_t bucket_measure(const SampleShared& s, int b) {
    return kByMass ? static_cast<uint64_t>(s.mass_high[b]) << 32 | s.mass_low[b] : s.counts[b];
}

// Sets s.bucket to the bucket in which the measure reaches target, s.above to the measure before it.
template <bool kByMass>
__device__ __forceinline__ void choose_bucket(SampleShared& s, uint64_t target) {
    const int each = static_cast<int>(ceil_div(kBuckets, static_cast<int>(blockDim.x)));
    const int first = static_cast<int>(threadIdx.x) * each;
    uint64_t own = 0;
    for (int b = first; b < first + each && b < kBuckets; ++b) own += bucket_measure<kByMass>(s, b);
    uint64_t whole;
    uint64_t before = scan(s, own, &whole);
    if (before < target && target <= before + own) {
        int b = first;
        for (; before + bucket_measure<kByMass>(s, b) < target; ++b) before += bucket_measure<kByMass>(s, b);
        s.bucket = static_cast<uint32_t>(b);
        s.above = before;
    }
    __syncthreads();
}

// The keys of at most kFew tokens, with their measures.
template <bool kByMass>
__device__ __forceinline__ void collect(SampleShared& s, const Logits& x, const Search& search) {
    if (threadIdx.x == 0) s.num_keys = 0;
    __syncthreads();
    for_logits(x, [&](float logit, int64_t id) {
        const uint64_t key = x.key(logit, id);
        if (!search.contains(x, logit, key)) return;
        const uint64_t value = measure<kByMass>(x, logit);
        if (value == 0) return;
        const uint32_t at = atomic_add(&s.num_keys, 1u);
        s.keys[at] = key;
        s.measures[at] = value;
    });
    __syncthreads();
}

// The last key of the shortest beginning of the order, within the range, whose measure reaches target. The whole range
// must reach it; target >= 1.
template <bool kByMass>
__device__ __forceinline__ uint64_t select(SampleShared& s, const Logits& x, KeyRange range, uint64_t target) {
    Search search = begin_search(x, range, kByMass);
    bool few = x.size <= kFew;
    while (!few) {
        fill_histogram<kByMass>(s, x, search);
        choose_bucket<kByMass>(s, target);
        target -= s.above;
        const int chosen = static_cast<int>(s.bucket);
        few = s.counts[chosen] <= kFew;
        search.narrow(x, chosen);
        __syncthreads();  // the next histogram takes the place of this one
    }
    collect<kByMass>(s, x, search);
    const int n = static_cast<int>(s.num_keys);
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) {
        uint64_t before = 0;
        for (int j = 0; j < n; ++j) before += s.keys[j] > s.keys[i] ? s.measures[j] : 0;
        if (before < target && target <= before + s.measures[i]) s.chosen = s.keys[i];
    }
    __syncthreads();
    const uint64_t key = s.chosen;
    __syncthreads();
    return key;
}

}  // namespace
}  // namespace gpu
