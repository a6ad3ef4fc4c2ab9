// sample.cu: ct_sample, one block a row. Not yet run on a GPU.
//
// Weights are integers, exp(...) in units of 2^-62 * (vocabulary rounded up to a power of two), so that sums are exact,
// of any order: a row's bits depend on the row only, and the kept set is that of a full sort of these weights. A token in
// the total order is one 64-bit key, its logit's bits above its id; what min_p, top_k and top_p keep is the tokens from
// one key on. That key is found by histograms of the measure (count or weight) over the keys' range, first in 2048 steps
// of the logit, then of the key, until at most 256 tokens are left, which are compared with each other.
//
// Floor: rows * vocabulary * 4 bytes read once. This version reads a row about 7 times (top_p; greedy 2), from L2 but for
// the first, with one multiprocessor a row: predicted 45 us for up to 132 rows of 131072 on an H200, of which the floor
// is 16 us at 132 rows. Many blocks a row is another issue's.
#include <cfloat>

#include "gpu/operations.h"
#include "gpu/pieces.h"
#include "kernels/sampling/sampling.h"

namespace gpu {
namespace {

constexpr int kMaxThreads = 768;  // 85 registers each
constexpr int kRun = 8;
constexpr int kBuckets = 2048;
constexpr int kFew = 256;
constexpr uint64_t kNotFinite = UINT64_MAX;  // above every key
constexpr float kGreedyBelow = 1e-5f;

struct Sample {
    ct::SampleArgs a;
    int64_t workspace_stride;  // of a row's biased logits
    int32_t id_bits;           // of a key
    bool aligned;              // rows of logits
};

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

// ---- selection -----------------------------------------------------------------------------------------------------

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

// ---- the draw ------------------------------------------------------------------------------------------------------

// The smallest integer that is not below share, in [1, whole].
__device__ __forceinline__ uint64_t target_of(double share, uint64_t whole) {
    if (!(share > 1)) return 1;
    if (share >= static_cast<double>(whole)) return whole;
    auto target = static_cast<uint64_t>(share);
    if (static_cast<double>(target) < share) ++target;
    return target < whole ? target : whole;
}

// The lowest logit that min_p keeps: exp((logit - largest) / temperature) >= min_p. Above 1 it would keep none; taken as
// 1.
__device__ __forceinline__ float floor_of(float largest, float temperature, float min_p) {
    if (!(min_p > 0)) return -FLT_MAX;
    const double share = min_p < 1 ? static_cast<double>(min_p) : 1.0;
    const double exact = static_cast<double>(largest) + static_cast<double>(temperature) * log(share);
    if (!(exact > -static_cast<double>(FLT_MAX))) return -FLT_MAX;
    if (exact >= static_cast<double>(largest)) return largest;
    const auto rounded = static_cast<float>(exact);
    if (static_cast<double>(rounded) >= exact) return rounded;
    if (rounded == 0) return bits_float(1);  // the next one up
    return bits_float(rounded > 0 ? float_bits(rounded) + 1 : float_bits(rounded) - 1);
}

// The first token, by id, at which the running weight of the range reaches target.
__device__ __forceinline__ int64_t walk(SampleShared& s, const Logits& x, KeyRange range, uint64_t target) {
    const int64_t tile = static_cast<int64_t>(blockDim.x) * kRun;
    uint64_t passed = 0;
    for (int64_t begin = 0; begin < x.size; begin += tile) {
        const int64_t first = begin + static_cast<int64_t>(threadIdx.x) * kRun;
        float v[kRun];
        load_run(v, x.values + first, x.size - first, x.aligned);
        uint64_t weights[kRun];
        uint64_t own = 0;
        for (int i = 0; i < kRun; ++i) {
            const bool kept = first + i < x.size && range.contains(x.key(v[i], first + i));
            weights[i] = kept ? x.weight(v[i]) : 0;
            own += weights[i];
        }
        uint64_t whole;
        uint64_t before = passed + scan(s, own, &whole);
        if (before < target && target <= before + own) {
            int i = 0;
            for (; i < kRun - 1 && before + weights[i] < target; ++i) before += weights[i];
            s.chosen = static_cast<uint64_t>(first + i);
        }
        passed += whole;
        if (passed >= target) break;
    }
    __syncthreads();
    const auto id = static_cast<int64_t>(s.chosen);
    __syncthreads();
    return id;
}

__device__ __forceinline__ int64_t draw(SampleShared& s, const Logits& x, const ct::SampleArgs& a, int64_t r) {
    const float least = floor_of(x.largest, a.temperature[r], a.min_p[r]);
    KeyRange range{x.last_key(least), kNotFinite};
    const int64_t top_k = a.top_k[r];
    if (top_k > 0 && top_k < x.size && measure_of<false>(s, x, range) > static_cast<uint64_t>(top_k)) {
        range.low = select<false>(s, x, range, static_cast<uint64_t>(top_k));
    }
    uint64_t whole = measure_of<true>(s, x, range);
    const float top_p = a.top_p[r];
    if (top_p < 1) {
        const double share = static_cast<double>(top_p) * static_cast<double>(whole);
        range.low = select<true>(s, x, range, target_of(share, whole));
        whole = measure_of<true>(s, x, range);
    }
    const double uniform = ct::uniform_of(a.seed[r], a.position[r]);
    return walk(s, x, range, target_of(uniform * static_cast<double>(whole), whole));
}

// ---- what is reported ----------------------------------------------------------------------------------------------

__device__ __forceinline__ void fill_top(const ct::SampleArgs& a, int64_t r, int64_t from) {
    for (int64_t i = from + threadIdx.x; i < a.max_top; i += blockDim.x) {
        a.top_ids[r * a.max_top + i] = -1;
        a.top_logprobs[r * a.max_top + i] = -infinity();
    }
}

__device__ __forceinline__ void fail_row(const ct::SampleArgs& a, int64_t r, int32_t why) {
    if (threadIdx.x == 0) {
        a.token[r] = -1;
        a.logprob[r] = -infinity();
        a.rank[r] = 0;
        a.status[r] = why;
    }
    fill_top(a, r, 0);
}

__device__ __forceinline__ float reported_at(const Logits& x, int64_t id) {
    return x.biased && x.biased[id] == -infinity() ? -infinity() : x.values[id];
}

__device__ __forceinline__ float logprob_of(const Logits& x, int64_t id, double log_sum) {
    return static_cast<float>(static_cast<double>(reported_at(x, id)) - static_cast<double>(x.largest) - log_sum);
}

// The first of the order, kFew at a time.
__device__ __forceinline__ void report_top(SampleShared& s, const Logits& x, const ct::SampleArgs& a, int64_t r,
                                           double log_sum) {
    KeyRange range{x.last_key(-FLT_MAX), kNotFinite};
    const auto exist = static_cast<int64_t>(measure_of<false>(s, x, range));
    const int64_t wanted = a.max_top < exist ? a.max_top : exist;
    for (int64_t done = 0; done < wanted; done += kFew) {
        const int64_t left = wanted - done;
        const uint64_t last = select<false>(s, x, range, static_cast<uint64_t>(left < kFew ? left : kFew));
        collect<false>(s, x, {{last, range.high}, 0, -1, 0});
        const int n = static_cast<int>(s.num_keys);
        for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) {
            int64_t at = r * a.max_top + done;
            for (int j = 0; j < n; ++j) at += s.keys[j] > s.keys[i];
            const int64_t id = x.id(s.keys[i]);
            a.top_ids[at] = static_cast<int32_t>(id);
            a.top_logprobs[at] = logprob_of(x, id, log_sum);
        }
        range.high = last - 1;
        __syncthreads();  // the next keys take the place of these
    }
    fill_top(a, r, wanted);
}

__device__ __forceinline__ void report(SampleShared& s, const Logits& x, const ct::SampleArgs& a, int64_t r,
                                       int64_t token) {
    const uint64_t own = x.key(reported_at(x, token), token);
    uint64_t sum = 0;
    uint64_t before = 0;
    for_logits(x, [&](float logit, int64_t id) {
        sum += x.weight(logit);
        before += x.key(logit, id) > own;
    });
    sum = sum_of(s, sum);
    before = sum_of(s, before);
    const double log_sum = log(static_cast<double>(sum) / static_cast<double>(x.unit()));
    if (threadIdx.x == 0) {
        a.token[r] = static_cast<int32_t>(token);
        a.logprob[r] = logprob_of(x, token, log_sum);
        a.rank[r] = static_cast<int32_t>(before + 1);
        a.status[r] = CT_SAMPLE_OK;
    }
    if (a.max_top > 0) report_top(s, x, a, r, log_sum);
}

// ---- bias ----------------------------------------------------------------------------------------------------------

// to[id] += value for the row's entries, in their order where an id comes more than once. A ban is -inf; a sum that
// overflows is not.
__device__ __forceinline__ void add_bias(SampleShared& s, float* to, const ct::SampleArgs& a, int64_t begin,
                                         int64_t end) {
    for (; begin < end; begin += kFew) {
        const int n = static_cast<int>(end - begin < kFew ? end - begin : kFew);
        for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) {
            s.bias_ids[i] = a.bias_ids[begin + i];
            s.bias_values[i] = a.bias_values[begin + i];
        }
        __syncthreads();
        for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) {
            const int32_t id = s.bias_ids[i];
            if (id < 0 || id >= a.vocab_size) continue;
            // The first entry of an id adds them all.
            int j = 0;
            while (s.bias_ids[j] != id) ++j;
            if (j < i) continue;
            float logit = to[id];
            for (; j < n; ++j) {
                if (s.bias_ids[j] != id) continue;
                const float sum = logit + s.bias_values[j];
                const bool overflown = sum == -infinity() && logit > sum && s.bias_values[j] > sum;
                logit = overflown ? -FLT_MAX : sum;
            }
            to[id] = logit;
        }
        __syncthreads();
    }
}

// ---- a row ---------------------------------------------------------------------------------------------------------

// The largest key, kNotFinite where a logit is NaN or +inf; sets the largest and the smallest logit.
__device__ __forceinline__ uint64_t survey(SampleShared& s, Logits& x) {
    uint64_t best = 0;
    uint64_t least = 0;
    for_logits(x, [&](float logit, int64_t id) {
        const uint64_t key = logit < infinity() ? x.key(logit, id) : kNotFinite;
        best = key > best ? key : best;
        const uint64_t low = logit > -infinity() ? ~(ct::order_key(logit, 0) >> 32) & 0xffffffffu : 0;
        least = low > least ? low : least;
    });
    best = largest_of(s, best);
    least = largest_of(s, least);
    if (best == kNotFinite) return best;
    auto logit_of = [](uint64_t ordered) {
        const auto bits = static_cast<uint32_t>(ordered);
        return bits_float(bits >> 31 ? bits & 0x7fffffffu : ~bits);
    };
    x.largest = logit_of(best >> x.id_bits);
    x.smallest = logit_of(~least);
    return best;
}

__device__ __forceinline__ void sample_row(SampleShared& s, const Sample& k, int64_t r) {
    const ct::SampleArgs& a = k.a;
    const float* row = a.logits + r * a.logits_stride;
    Logits x{row, nullptr, a.vocab_size, k.id_bits, k.aligned, 0, 0, 1};
    Logits reported = x;
    uint64_t best = survey(s, x);
    if (best == kNotFinite) return fail_row(a, r, CT_SAMPLE_NOT_FINITE);
    reported.largest = x.largest;
    reported.smallest = x.smallest;
    const int64_t begin = a.bias_offsets ? a.bias_offsets[r] : 0;
    const int64_t end = a.bias_offsets ? a.bias_offsets[r + 1] : 0;
    // Offsets that cannot be read would silently lift bans; the row is reported as broken instead.
    if (begin < 0 || begin > end || end > a.num_bias) return fail_row(a, r, CT_SAMPLE_NOT_FINITE);
    if (begin < end) {
        float* biased = static_cast<float*>(a.workspace) + r * k.workspace_stride;
        for_logits(x, [&](float logit, int64_t id) { biased[id] = logit; });
        __syncthreads();
        add_bias(s, biased, a, begin, end);
        x.values = biased;
        x.aligned = true;
        best = survey(s, x);
        if (best == kNotFinite) return fail_row(a, r, CT_SAMPLE_NOT_FINITE);
        reported.biased = biased;
        if (x.largest > -infinity()) survey(s, reported);
    }
    if (x.largest == -infinity()) return fail_row(a, r, CT_SAMPLE_EMPTY);
    int64_t token = a.forced ? a.forced[r] : -1;
    if (token < 0) {
        const float temperature = a.temperature[r];
        if (temperature >= kGreedyBelow) {
            x.factor = 1.0f / temperature;
            token = draw(s, x, a, r);
        } else {
            token = x.id(best);
        }
    }
    if (token >= a.vocab_size) return fail_row(a, r, CT_SAMPLE_EMPTY);
    report(s, reported, a, r, token);
}

__global__ void __launch_bounds__(kMaxThreads) sample_kernel(Sample k) {
    SampleShared& s = shared<SampleShared>();
    wait_for_previous();
    launch_next();
    for (int64_t r = blockIdx.x; r < k.a.num_rows; r += gridDim.x) {
        sample_row(s, k, r);
        __syncthreads();
    }
}

int64_t workspace_stride(int64_t vocab_size) { return (vocab_size + 15) / 16 * 16; }

}  // namespace

int32_t sample_workspace_bytes(const DeviceLimits&, const ct_sample_params& params, int64_t* bytes) {
    *bytes = 0;
    if (params.num_bias == 0) return CT_OK;
    const int64_t row = workspace_stride(params.vocab_size) * static_cast<int64_t>(sizeof(float));
    if (!ct::multiply(params.num_rows, row, bytes)) {
        return ct::fail(CT_INVALID, "ct_sample: num_rows=%lld of vocab_size=%lld do not fit into a workspace",
                        static_cast<long long>(params.num_rows), static_cast<long long>(params.vocab_size));
    }
    return CT_OK;
}

int32_t sample(const LaunchContext& context, const ct::SampleArgs& args) {
    Sample k{args, workspace_stride(args.vocab_size), 1, rows_aligned(args.logits, args.logits_stride, sizeof(float))};
    while (int64_t{1} << k.id_bits < args.vocab_size) ++k.id_bits;
    const int64_t threads = ceil_div(ceil_div(args.vocab_size, int64_t{kRun}), int64_t{kWarp}) * kWarp;
    LaunchShape shape;
    shape.blocks_x = args.num_rows < kMaxGridBlocks ? args.num_rows : kMaxGridBlocks;
    shape.threads = threads < kMaxThreads ? static_cast<int32_t>(threads) : kMaxThreads;
    shape.shared_bytes = sizeof(SampleShared);
    return GPU_LAUNCH(context, shape, sample_kernel, k);
}

}  // namespace gpu
