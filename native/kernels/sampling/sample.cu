// sample.cu: ct_sample, one block a row. Not yet run on a GPU.
//
// Sums are exact integers (row_logits.h), so a row's bits depend on the row only, and the kept set is that of a full sort
// of these weights: what min_p, top_k and top_p keep is the tokens up to one key, which select.h finds.
//
// Floor: rows * vocabulary * 4 bytes read once. This version reads a row about 7 times (top_p; greedy 2), from L2 but for
// the first, with one multiprocessor a row: predicted 45 us for up to 132 rows of 131072 on an H200, of which the floor
// is 16 us at 132 rows. Many blocks a row is another issue's.
#include "gpu/operations.h"
#include "kernels/sampling/select.h"

namespace gpu {
namespace {

constexpr float kGreedyBelow = 1e-5f;

struct Sample {
    ct::SampleArgs a;
    int64_t workspace_stride;  // of a row's biased logits
    int32_t id_bits;           // of a key
    bool aligned;              // rows of logits
};

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
    const float least = floor_of(x.largest, a.rows[r].temperature, a.rows[r].min_p);
    KeyRange range{x.last_key(least), kNotFinite};
    const int64_t top_k = a.rows[r].top_k;
    if (top_k > 0 && top_k < x.size && measure_of<false>(s, x, range) > static_cast<uint64_t>(top_k)) {
        range.low = select<false>(s, x, range, static_cast<uint64_t>(top_k));
    }
    uint64_t whole = measure_of<true>(s, x, range);
    const float top_p = a.rows[r].top_p;
    if (top_p < 1) {
        const double share = static_cast<double>(top_p) * static_cast<double>(whole);
        range.low = select<true>(s, x, range, target_of(share, whole));
        whole = measure_of<true>(s, x, range);
    }
    const double uniform = ct::uniform_of(a.rows[r].seed, a.rows[r].position);
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
    const float* row = static_cast<const float*>(a.logits) + r * a.logits_stride;
    Logits x{row, nullptr, a.vocab_size, k.id_bits, k.aligned, 0, 0, 1};
    Logits reported = x;
    uint64_t best = survey(s, x);
    if (best == kNotFinite) return fail_row(a, r, CT_SAMPLE_NOT_FINITE);
    reported.largest = x.largest;
    reported.smallest = x.smallest;
    const int64_t begin = a.rows[r].bias_begin;
    const int64_t end = a.rows[r].bias_end;
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
    int64_t token = a.rows[r].forced;
    if (token < 0) {
        const float temperature = a.rows[r].temperature;
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
