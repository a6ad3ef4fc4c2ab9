// row_logits.h: a row of logits as the blocks of sample.cu see it: keys in the total order, weights, passes over the tokens
// and sums over the block.
//
// Weights are integers, exp(...) in units of 2^-62 * (vocabulary rounded up to a power of two), so that their sums are
// exact, of any order. A token in the total order is one 64-bit key, its logit's bits above its id.
#pragma once

#include <cfloat>

#include "gpu/pieces.h"
#include "kernels/sampling/sampling.h"

namespace gpu {
namespace {

constexpr int kMaxThreads = 768;  // 85 registers each
constexpr int kRun = 8;
constexpr int kBuckets = 2048;
constexpr int kFew = 256;
constexpr uint64_t kNotFinite = UINT64_MAX;  // above every key

struct SampleShared {
    uint32_t counts[kBuckets];
    uint32_t mass_low[kBuckets];
    uint32_t mass_high[kBuckets];
    uint64_t keys[kFew];
    uint64_t measures[kFew];
    uint64_t warp_values[kMaxThreads / kWarp];
    uint64_t above;   // measure before the chosen bucket
    uint64_t chosen;  // a key
    uint32_t bucket;
    uint32_t num_keys;
    int32_t bias_ids[kFew];
    float bias_values[kFew];
};

// The logits of a row as one of two readers sees them, and what turns them into keys and weights.
struct Logits {
    const float* values;
    const float* biased;  // null: values are taken as they are; else -inf where these are: what is reported
    int64_t size;
    int32_t id_bits;
    bool aligned;
    float largest;
    float smallest;  // above -inf
    float factor;    // 1 / temperature

    __device__ __forceinline__ uint64_t key(float logit, int64_t id) const {
        return ct::order_key(logit, 0) >> 32 << id_bits | static_cast<uint64_t>(size - 1 - id);
    }
    __device__ __forceinline__ int64_t id(uint64_t key) const {
        return size - 1 - static_cast<int64_t>(key & ((uint64_t{1} << id_bits) - 1));
    }
    // The last key of the tokens at or above a logit.
    __device__ __forceinline__ uint64_t last_key(float logit) const { return key(logit, size - 1); }

    // 1 as a weight.
    __device__ __forceinline__ float unit() const { return static_cast<float>(uint64_t{1} << (62 - id_bits)); }
    __device__ __forceinline__ uint64_t weight(float logit) const {
        // -inf * 0 is NaN, which max turns into a logit of weight 0.
        return static_cast<uint64_t>(exp(max((logit - largest) * factor, -200.0f)) * unit());
    }
};

// Both ends belong to it.
struct KeyRange {
    uint64_t low, high;
    __device__ __forceinline__ bool contains(uint64_t key) const { return key >= low && key <= high; }
};

// body(logit, id) for this thread's tokens.
template <typename Body>
__device__ __forceinline__ void for_logits(const Logits& x, const Body& body) {
    for (int64_t first = static_cast<int64_t>(threadIdx.x) * kRun; first < x.size;
         first += static_cast<int64_t>(blockDim.x) * kRun) {
        float v[kRun];
        load_run(v, x.values + first, x.size - first, x.aligned);
        if (x.biased) {
            float b[kRun];
            load_run(b, x.biased + first, x.size - first, true);
            for (int i = 0; i < kRun; ++i) v[i] = b[i] == -infinity() ? b[i] : v[i];
        }
        for (int i = 0; i < kRun; ++i) {
            if (first + i < x.size) body(v[i], first + i);
        }
    }
}

// ---- of the block: every thread must be there ----------------------------------------------------------------------

// The sum of the values of the threads before this one; *whole: of all.
__device__ __forceinline__ uint64_t scan(SampleShared& s, uint64_t value, uint64_t* whole) {
    uint64_t sum = value;
    for (int distance = 1; distance < kWarp; distance *= 2) {
        const uint64_t other = shuffle_up(sum, distance);
        if (lane() >= distance) sum += other;
    }
    if (lane() == kWarp - 1) s.warp_values[warp()] = sum;
    __syncthreads();
    uint64_t before = sum - value;
    *whole = 0;
    for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; ++w) {
        before += w < warp() ? s.warp_values[w] : 0;
        *whole += s.warp_values[w];
    }
    __syncthreads();
    return before;
}

__device__ __forceinline__ uint64_t sum_of(SampleShared& s, uint64_t value) {
    uint64_t whole;
    scan(s, value, &whole);
    return whole;
}

__device__ __forceinline__ uint64_t largest_of(SampleShared& s, uint64_t value) {
    for (int mask = kWarp / 2; mask > 0; mask /= 2) {
        const uint64_t other = shuffle_xor(value, mask);
        value = other > value ? other : value;
    }
    if (lane() == 0) s.warp_values[warp()] = value;
    __syncthreads();
    for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; ++w) {
        value = s.warp_values[w] > value ? s.warp_values[w] : value;
    }
    __syncthreads();
    return value;
}

template <bool kByMass>
__device__ __forceinline__ uint64_t measure(const Logits& x, float logit) {
    return kByMass ? x.weight(logit) : 1;
}

// Of the tokens in the range.
template <bool kByMass>
__device__ __forceinline__ uint64_t measure_of(SampleShared& s, const Logits& x, KeyRange range) {
    uint64_t sum = 0;
    for_logits(x, [&](float logit, int64_t id) {
        if (range.contains(x.key(logit, id))) sum += measure<kByMass>(x, logit);
    });
    return sum_of(s, sum);
}

}  // namespace
}  // namespace gpu
