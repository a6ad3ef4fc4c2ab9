// select.h: the key at which a measure of what is kept (its number or its mass), summed in an order, reaches a target. In the
// list by comparing all with all; else by histograms, first in steps of the logit, then of the key, until so few tokens are
// left that each can be compared with every other.
#pragma once

#include "kernels/sampling/block_row.h"

namespace gpu {
namespace {

// A step of the search: the tokens with keys in `range` that the steps of the logit put into bucket `step` (-1: any).
struct Search {
    ct::KeyRange range;
    double steps;  // a unit of the depth; 0: no steps
    int step;
    int shift;  // of keys to buckets, once the step is known

    __device__ __forceinline__ int step_of(double depth) const {
        const double at = depth * steps;
        return at < kBuckets - 1 ? static_cast<int>(at) : kBuckets - 1;
    }
    __device__ __forceinline__ bool contains(double depth, uint64_t key) const {
        return range.contains(key) && (step < 0 || step_of(depth) == step);
    }
    __device__ __forceinline__ bool by_steps() const { return steps > 0 && step < 0; }
    // Bucket 0 has the first of the order.
    __device__ __forceinline__ int bucket(double depth, uint64_t key) const {
        return by_steps() ? step_of(depth) : static_cast<int>((range.high - key) >> shift);
    }
    __device__ __forceinline__ void split() {
        shift = 0;
        while ((range.high - range.low) >> shift >= kBuckets) ++shift;
    }
    // To the chosen bucket, whose keys lie in `found`.
    __device__ __forceinline__ void narrow(int chosen, const ct::KeyRange& found) {
        if (by_steps()) step = chosen;
        range = found;
        split();
    }
};

// In s.list: sets s.chosen and s.reached. False where all of it does not reach the target.
template <bool kByMass>
__device__ inline bool BlockRow::reach_in_list(uint64_t target) {
    const int n = listed_ >= 0 ? listed_ : gathered_;
    uint64_t own = 0;
    share(n, [&](int i) {
        const uint64_t key = s.list[i];
        s.masses[i] = !range.contains(key) ? 0 : kByMass ? weight_of(key) : 1;
        own += s.masses[i];
    });
    if (sum_of(s, own) < target) return false;
    share(n, [&](int i) {
        const uint64_t key = s.list[i];
        uint64_t before = 0;
        for (int j = 0; j < n; ++j) before += s.list[j] > key ? s.masses[j] : 0;
        if (before < target && target <= before + s.masses[i]) {
            s.chosen = key;
            s.reached = before + s.masses[i];
        }
    });
    __syncthreads();
    return true;
}

template <bool kByMass, typename Order, typename Search>
__device__ inline void BlockRow::fill_histogram(const Order& order, const Search& search) {
    share(kBuckets, [&](int b) {
        s.counts[b] = 0;
        s.mass_low[b] = 0;
        s.mass_high[b] = 0;
    });
    __syncthreads();
    const ct::Weigher w = weigher();
    each_key([&](uint64_t token, float logit) {
        const double depth = order.depth(logit);
        const uint64_t key = order.key(logit, token);
        if (!search.contains(depth, key)) return;
        const int b = search.bucket(depth, key);
        if constexpr (kByMass) {
            const uint64_t weight = w.weight(w.exponent(logit), s.steps);
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

// Sets s.bucket to the bucket in which the measure reaches target, s.above to the measure before it.
template <bool kByMass>
__device__ inline void BlockRow::choose_bucket(uint64_t target) {
    auto measure = [this](int b) {
        return kByMass ? static_cast<uint64_t>(s.mass_high[b]) << 32 | s.mass_low[b] : s.counts[b];
    };
    const int each = static_cast<int>(ceil_div(kBuckets, static_cast<int>(blockDim.x)));
    const int first = static_cast<int>(threadIdx.x) * each;
    uint64_t own = 0;
    for (int b = first; b < first + each && b < kBuckets; ++b) own += measure(b);
    uint64_t whole;
    uint64_t before = scan(s, own, &whole);
    if (before < target && target <= before + own) {
        int b = first;
        for (; before + measure(b) < target; ++b) before += measure(b);
        s.bucket = static_cast<uint32_t>(b);
        s.above = before;
    }
    __syncthreads();
}

// Compares the at most kFew that are left, or takes the only key of all that are left. `target` counts from them on.
template <bool kByMass, typename Order, typename Search>
__device__ inline void BlockRow::settle(const Order& order, const Search& search, uint64_t target) {
    if (threadIdx.x == 0) s.num_keys = 0;
    __syncthreads();
    const ct::Weigher w = weigher();
    each_key([&](uint64_t token, float logit) {
        const uint64_t key = order.key(logit, token);
        if (!search.contains(order.depth(logit), key)) return;
        const uint64_t value = kByMass ? w.weight(w.exponent(logit), s.steps) : 1;
        if (value == 0) return;
        const uint32_t at = atomic_add(&s.num_keys, 1u);
        s.keys[at] = key;
        s.masses[at] = value;
    });
    __syncthreads();
    const int n = static_cast<int>(s.num_keys);
    share(n, [&](int i) {
        uint64_t before = 0;
        uint64_t equal = 0;
        bool is_first = true;
        for (int j = 0; j < n; ++j) {
            before += s.keys[j] > s.keys[i] ? s.masses[j] : 0;
            equal += s.keys[j] == s.keys[i] ? s.masses[j] : 0;
            is_first = is_first && (j >= i || s.keys[j] != s.keys[i]);
        }
        if (is_first && before < target && target <= before + equal) {
            s.chosen = s.keys[i];
            s.reached = before + equal;
        }
    });
    __syncthreads();
}

// Sets s.chosen to the order's key at which the measure reaches target, s.reached to the measure up to it (of a key that
// more than kFew tokens share, not: only distances are shared, and nobody asks for theirs).
template <bool kByMass, typename Order>
__device__ inline void BlockRow::select(const Order& order, double deepest, uint64_t target) {
    double steps = kBuckets / deepest;
    if (!(deepest > 0 && steps < DBL_MAX)) steps = 0;
    Search search{{0, UINT64_MAX}, steps, -1, 0};
    uint64_t passed = 0;
    for (;;) {
        search.split();
        fill_histogram<kByMass>(order, search);
        choose_bucket<kByMass>(target);
        target -= s.above;
        passed += s.above;
        const int chosen = static_cast<int>(s.bucket);
        const bool few = s.counts[chosen] <= kFew;
        // The keys that are really there bound the next step.
        uint64_t first = 0;
        uint64_t last = UINT64_MAX;
        each_key([&](uint64_t token, float logit) {
            const double depth = order.depth(logit);
            const uint64_t key = order.key(logit, token);
            if (!search.contains(depth, key) || search.bucket(depth, key) != chosen) return;
            first = key > first ? key : first;
            last = key < last ? key : last;
        });
        first = largest_of(s, first);
        last = ~largest_of(s, ~last);
        search.narrow(chosen, {last, first});
        if (few) break;
        if (first == last) {
            if (threadIdx.x == 0) s.chosen = first;
            __syncthreads();
            return;
        }
    }
    settle<kByMass>(order, search, target);
    if (threadIdx.x == 0) s.reached += passed;
    __syncthreads();
}

__device__ inline uint64_t BlockRow::key_at_count(uint64_t k) {
    const auto wanted = static_cast<int>(k < kList ? k : kList);
    const bool gathered = k < kList && gather_first(wanted);
    if (!gathered || !reach_in_list<false>(k)) {
        // The list may be all there is.
        if (gathered && (listed_ >= 0 || gathered_low_ <= range.low)) return range.low;
        if (count() < k) return range.low;
        const double deepest = static_cast<double>(top) - static_cast<double>(bottom_);
        select<false>(ByLogit{code, static_cast<double>(top)}, deepest, k);
    }
    const uint64_t key = s.chosen;
    __syncthreads();
    return key;
}

__device__ inline ct::Reached BlockRow::key_at_mass(uint64_t target) {
    if (!gather_first(kFew / 2) || !reach_in_list<true>(target)) {
        gathered_ = -1;
        // What is deeper than 44 nats weighs nothing.
        const double there = static_cast<double>(top) - static_cast<double>(bottom_);
        const double weighty = 44 * temperature;
        select<true>(ByLogit{code, static_cast<double>(top)}, there < weighty ? there : weighty, target);
    }
    const ct::Reached reached{s.chosen, s.reached};
    __syncthreads();
    return reached;
}

__device__ inline double BlockRow::near(double center, uint64_t target) {
    const double there = static_cast<double>(top) - static_cast<double>(bottom_);
    const double weighty = 44 * temperature;
    select<true>(ByDistance{center}, there < weighty ? there : weighty, target);
    const uint64_t bits = ~s.chosen;
    __syncthreads();
    double distance;
    std::memcpy(&distance, &bits, 8);
    return distance;
}

__device__ inline const uint64_t* BlockRow::first_keys(int* n) {
    const uint64_t there = count();
    *n = static_cast<int>(there < ct::kTopHTokens ? there : ct::kTopHTokens);
    const ct::KeyRange all = range;
    range.low = key_at_count(static_cast<uint64_t>(*n));
    if (listed_ < 0) gather(range.low);
    sort_list();
    range = all;
    return s.keys;
}

}  // namespace
}  // namespace gpu
