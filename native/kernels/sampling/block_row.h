// block_row.h: one row of ct_sample as a block of threads sees it: its logits with their edits, passes over them and sums
// over the block, and the answers that chain.h asks for. Every thread calls every function, with the same arguments.
//
// Each thread remembers its largest key. As many threads as k reach the k-th largest of these, so at least k tokens do, and
// only threads that reach it have to look again: what they find fits into a list in shared memory, which the rest of the
// chain works on. Where it does not fit, select.h searches by histograms.
#pragma once

#include "gpu/pieces.h"
#include "kernels/sampling/chain.h"

namespace gpu {
namespace {

constexpr int kMaxThreads = 512;  // 128 registers each
constexpr int kRun = 8;
constexpr int kBuckets = 2048;
constexpr int kList = 1024;
constexpr int kFew = 256;
constexpr uint64_t kNotFinite = UINT64_MAX;  // above every key

struct SampleShared {
    uint32_t counts[kBuckets];
    uint32_t mass_low[kBuckets];
    uint32_t mass_high[kBuckets];
    uint64_t list[kList];    // keys of tokens
    uint64_t keys[kList];    // what a search compares
    uint64_t masses[kList];  // of those
    uint64_t maxima[kMaxThreads];
    uint64_t warp_values[kMaxThreads / kWarp];
    uint64_t above;    // measure before the chosen bucket
    uint64_t chosen;   // a key
    uint64_t reached;  // the measure up to it
    uint32_t bucket;
    uint32_t num_keys;
    uint32_t steps[ct::kWeightSteps];
    int32_t bias_ids[kFew];
    float bias_values[kFew];
};

// ---- of the block --------------------------------------------------------------------------------------------------

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

// body(i) for this thread's share of n.
template <typename Body>
__device__ __forceinline__ void share(int n, const Body& body) {
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) body(i);
}

// ---- logits as they lie --------------------------------------------------------------------------------------------

struct LogitRow {
    const void* at;
    int64_t size;
    bool halves;   // bf16
    bool aligned;  // to 16 bytes

    __device__ __forceinline__ void load(float (&v)[kRun], int64_t first) const {
        if (halves) {
            load_run(v, static_cast<const bf16*>(at) + first, size - first, aligned);
        } else {
            load_run(v, static_cast<const float*>(at) + first, size - first, aligned);
        }
    }
    __device__ __forceinline__ float operator[](int64_t id) const {
        return halves ? to_float(static_cast<const bf16*>(at)[id]) : static_cast<const float*>(at)[id];
    }

    // body(logit, id) for this thread's tokens, of every pieces-th tile from `piece` on.
    template <typename Body>
    __device__ __forceinline__ void each(const Body& body, int64_t piece = 0, int64_t pieces = 1) const {
        const int64_t tile = static_cast<int64_t>(blockDim.x) * kRun;
        for (int64_t first = piece * tile + static_cast<int64_t>(threadIdx.x) * kRun; first < size;
             first += pieces * tile) {
            float v[kRun];
            load(v, first);
            for (int i = 0; i < kRun; ++i) {
                if (first + i < size) body(v[i], first + i);
            }
        }
    }
};

__device__ __forceinline__ LogitRow logit_row(const ct::SampleArgs& a, int64_t row, bool aligned) {
    const bool halves = a.logits_dtype == CT_BF16;
    const int64_t at = row * a.logits_stride * (halves ? 2 : 4);
    return {static_cast<const unsigned char*>(a.logits) + at, a.vocab_size, halves, aligned};
}

// ---- the row -------------------------------------------------------------------------------------------------------

// The order in which tokens are searched: a key of their own, the larger the earlier, and how far from the first a logit is.
struct ByLogit {
    ct::KeyCode code;
    double top;
    __device__ __forceinline__ uint64_t key(float, uint64_t key) const { return key; }
    __device__ __forceinline__ double depth(float logit) const { return top - static_cast<double>(logit); }
};
struct ByDistance {
    double center;
    __device__ __forceinline__ double depth(float logit) const {
        const double off = static_cast<double>(logit) - center;
        return off < 0 ? -off : off;
    }
    __device__ __forceinline__ uint64_t key(float logit, uint64_t) const {
        const double distance = depth(logit);
        uint64_t bits;
        std::memcpy(&bits, &distance, 8);
        return ~bits;
    }
};

class BlockRow {
public:
    ct::KeyCode code;
    ct::KeyRange range{0, 0};
    uint64_t best = 0;
    float top = 0;
    double temperature = 1;

    // mine: this block's row of float32 for edits, null where no row has any. maxima: the threads' largest keys of the row as
    // it comes, a set for each of `pieces`, where another kernel has made them; else null.
    __device__ BlockRow(SampleShared& shared, const ct::SampleArgs& args, int64_t row, bool aligned, float* mine,
                        const uint64_t* maxima, int pieces)
        : code(ct::key_code(args.vocab_size)),
          s(shared),
          a(args),
          p(args.rows[row]),
          assumed_(p, args.history_ids),
          r(row),
          mine_(mine),
          maxima_(maxima),
          pieces_(pieces),
          raw_(logit_row(args, row, aligned)),
          values_(raw_) {}

    __device__ int32_t begin();
    __device__ bool edits(int step) const {
        return step == CT_STEP_DRY ? p.dry_begin < p.dry_end : p.state_slot >= 0 && ct::has_penalties(p);
    }
    __device__ void edit(int step);
    __device__ int32_t survey();
    __device__ void begin_at(uint64_t key);
    __device__ void retemper(double to);
    __device__ uint64_t count();
    static constexpr bool kFindsMass = false;  // so that the pass stands at one place of the chain
    __device__ uint64_t mass();
    __device__ uint64_t weight_of(uint64_t key) const { return weight(code.logit(key)); }
    __device__ uint64_t key_at_count(uint64_t k);
    __device__ ct::Reached key_at_mass(uint64_t target);
    __device__ __forceinline__ ct::Reached key_at_share(double share, uint64_t whole) {
        return key_at_mass(ct::target_of(share * static_cast<double>(whole), whole));
    }
    __device__ double near(double center, uint64_t target);
    __device__ uint64_t first_of(uint64_t high);
    __device__ uint64_t last_of(uint64_t low);
    __device__ ct::Spread spread();
    __device__ double deviation();
    __device__ const uint64_t* first_keys(int* n);
    // 0: not kept.
    __device__ uint64_t key_of(int64_t id);
    // body(id, weight) for this thread's share of what is kept.
    template <typename Body>
    __device__ __forceinline__ void each_weight(const Body& body) const {
        const ct::Weigher w = weigher();
        each_key([&](uint64_t key, float logit) { body(code.id(key), w.weight(w.exponent(logit), s.steps)); });
    }
    __device__ void narrow(uint64_t mass);

    // Writes logprob, rank and the likeliest tokens.
    __device__ void report(int64_t token);

private:
    __device__ __forceinline__ ct::Weigher weigher() const {
        return {static_cast<double>(top), ct::kLog2E / temperature, code.id_bits};
    }
    __device__ __forceinline__ uint64_t weight(float logit) const {
        const ct::Weigher w = weigher();
        return w.weight(w.exponent(logit), s.steps);
    }

    // body(key, logit) for this thread's share of what is kept.
    template <typename Body>
    __device__ __forceinline__ void each_key(const Body& body) const {
        if (listed_ >= 0) {
            share(listed_, [&](int i) {
                const uint64_t key = s.list[i];
                if (range.contains(key)) body(key, code.logit(key));
            });
        } else {
            values_.each([&](float logit, int64_t id) {
                const uint64_t key = code.key(logit, id);
                if (range.contains(key)) body(key, logit);
            });
        }
    }

    __device__ uint64_t look(const LogitRow& at);
    __device__ bool gather(uint64_t low);
    __device__ bool gather_first(int wanted);
    __device__ int sort_list();
    template <bool kByMass>
    __device__ bool reach_in_list(uint64_t target);
    template <bool kByMass, typename Order>
    __device__ void select(const Order& order, double deepest, uint64_t target);
    template <bool kByMass, typename Order, typename Search>
    __device__ void fill_histogram(const Order& order, const Search& search);
    template <bool kByMass>
    __device__ void choose_bucket(uint64_t target);
    template <bool kByMass, typename Order, typename Search>
    __device__ void settle(const Order& order, const Search& search, uint64_t target);
    __device__ void own_row();
    __device__ void add_entries(int64_t begin, int64_t end, bool bans, bool all);
    __device__ void edit_row(int step);
    __device__ void edit_list(int step);
    __device__ void report_raw(int64_t token);
    __device__ void report_processed(int64_t token);
    __device__ void write_tops(double log_mass);

    SampleShared& s;
    const ct::SampleArgs& a;
    const ct_sample_row& p;
    const ct::Assumed assumed_;
    int64_t r;
    float* mine_;
    const uint64_t* maxima_;
    int pieces_;
    LogitRow raw_;
    LogitRow values_;           // what the chain sees
    bool edited_ = false;       // values_ are mine_
    bool overwritten_ = false;  // and hold -inf for what the chain has cut
    bool has_run_ = false;      // surveyed once: further edits change only what is kept
    float bottom_ = 0;          // the smallest logit above -inf
    int listed_ = -1;           // keys in s.list that hold all that is kept; -1: not yet
    int gathered_ = -1;         // keys in s.list: all of the range from gathered_low_ on; -1: none
    uint64_t gathered_low_ = 0;
    uint64_t known_mass_ = 0;  // of the range; 0: not known
};

__device__ __forceinline__ void BlockRow::begin_at(uint64_t key) {
    best = key;
    top = code.logit(key);
    known_mass_ = 0;
}

__device__ __forceinline__ void BlockRow::retemper(double to) {
    temperature = to;
    known_mass_ = 0;
}

// The largest key, kNotFinite where a logit is NaN or +inf; the threads' own into s.maxima.
__device__ inline uint64_t BlockRow::look(const LogitRow& at) {
    uint64_t first = 0;
    uint64_t least = 0;
    at.each([&](float logit, int64_t id) {
        const uint64_t key = logit < infinity() ? code.key(logit, id) : kNotFinite;
        first = key > first ? key : first;
        const uint64_t low = logit > -infinity() ? ~ct::ordered_bits(logit) : 0;
        least = low > least ? low : least;
    });
    s.maxima[threadIdx.x] = first;
    bottom_ = ct::ordered_float(~static_cast<uint32_t>(largest_of(s, least)));
    return largest_of(s, first);
}

__device__ inline int32_t BlockRow::survey() {
    if (listed_ >= 0) {
        uint64_t first = 0;
        share(listed_, [&](int i) {
            // 0: what the chain had cut before an edit.
            const bool finite = s.list[i] == 0 || code.logit(s.list[i]) < infinity();
            const uint64_t key = finite ? s.list[i] : kNotFinite;
            first = key > first ? key : first;
        });
        best = largest_of(s, first);
    } else if (edited_) {
        best = look(values_);
    }
    has_run_ = true;
    range = ct::whole_range(code);
    known_mass_ = 0;
    gathered_ = -1;
    if (best == kNotFinite) return CT_SAMPLE_NOT_FINITE;
    if (best < range.low) return CT_SAMPLE_EMPTY;
    begin_at(best);
    return CT_SAMPLE_OK;
}

__device__ inline uint64_t BlockRow::count() {
    uint64_t own = 0;
    each_key([&](uint64_t, float) { ++own; });
    return sum_of(s, own);
}

__device__ inline uint64_t BlockRow::mass() {
    if (known_mass_ != 0) return known_mass_;
    const ct::Weigher w = weigher();
    uint64_t own = 0;
    if (range.low == range.high) {
        own = threadIdx.x == 0 ? weight_of(range.low) : 0;
    } else {
        each_key([&](uint64_t, float logit) { own += w.weight(w.exponent(logit), s.steps); });
    }
    known_mass_ = sum_of(s, own);
    return known_mass_;
}

__device__ inline uint64_t BlockRow::key_of(int64_t id) {
    if (listed_ < 0) {
        const uint64_t key = code.key(values_[id], id);
        return range.contains(key) ? key : 0;
    }
    uint64_t own = 0;
    each_key([&](uint64_t key, float) { own = code.id(key) == id ? key : own; });
    return largest_of(s, own);
}

__device__ inline uint64_t BlockRow::first_of(uint64_t high) {
    uint64_t first = 0;
    each_key([&](uint64_t key, float) { first = key <= high && key > first ? key : first; });
    return largest_of(s, first);
}

__device__ inline uint64_t BlockRow::last_of(uint64_t low) {
    uint64_t last = UINT64_MAX;
    each_key([&](uint64_t key, float) { last = key >= low && key < last ? key : last; });
    return ~largest_of(s, ~last);
}

__device__ inline ct::Spread BlockRow::spread() {
    const ct::Weigher w = weigher();
    ct::Spread own{0, 0};
    each_key([&](uint64_t, float logit) {
        const uint64_t exponent = w.exponent(logit);
        const uint64_t weight = w.weight(exponent, s.steps);
        own.mass += weight;
        own.moment += ct::weight_times(weight, exponent);
    });
    own.mass = sum_of(s, own.mass);
    own.moment = sum_of(s, own.moment);
    return own;
}

__device__ inline double BlockRow::deviation() {
    ct::Moments moments(top, code.logit(last_of(range.low)));
    each_key([&](uint64_t, float logit) { moments.add(logit); });
    moments.count = sum_of(s, moments.count);
    moments.sum = sum_of(s, moments.sum);
    moments.squares_high = sum_of(s, moments.squares_high);
    moments.squares_low = sum_of(s, moments.squares_low);
    return moments.deviation();
}

// Keys of the range from `low` on into s.list; false where they are too many for it.
__device__ inline bool BlockRow::gather(uint64_t low) {
    low = low > range.low ? low : range.low;
    if (threadIdx.x == 0) s.num_keys = 0;
    __syncthreads();
    if (s.maxima[threadIdx.x] >= low) {
        values_.each([&](float logit, int64_t id) {
            const uint64_t key = code.key(logit, id);
            if (key < low || key > range.high) return;
            const uint32_t at = atomic_add(&s.num_keys, 1u);
            if (at < kList) s.list[at] = key;
        });
    }
    __syncthreads();
    const bool fits = s.num_keys <= kList;
    gathered_ = fits ? static_cast<int>(s.num_keys) : -1;
    gathered_low_ = low;
    __syncthreads();
    return fits;
}

// The first `wanted` of the range, and some more, into s.list. False where they are not within reach.
__device__ inline bool BlockRow::gather_first(int wanted) {
    if (listed_ >= 0) return true;
    if (range.high != UINT64_MAX || wanted > static_cast<int>(blockDim.x)) return false;
    // The threads' maxima are different keys, but for threads without a token.
    const uint64_t own = s.maxima[threadIdx.x];
    int before = 0;
    for (int t = 0; t < static_cast<int>(blockDim.x); ++t) before += s.maxima[t] > own;
    if (threadIdx.x == 0) s.chosen = 0;
    __syncthreads();
    if (own != 0 && before == wanted - 1) s.chosen = own;
    __syncthreads();
    const uint64_t low = s.chosen;
    __syncthreads();
    return gather(low);
}

// Those of s.list that are in the range into s.keys, in the order; returns their number.
__device__ inline int BlockRow::sort_list() {
    const int n = listed_ >= 0 ? listed_ : gathered_;
    uint64_t own = 0;
    share(n, [&](int i) {
        const uint64_t key = s.list[i];
        if (!range.contains(key)) return;
        ++own;
        int before = 0;
        for (int j = 0; j < n; ++j) before += s.list[j] > key && range.contains(s.list[j]);
        s.keys[before] = key;
    });
    return static_cast<int>(sum_of(s, own));
}

__device__ inline void BlockRow::narrow(uint64_t mass) {
    known_mass_ = mass;
    if (listed_ >= 0 || range.low == range.high) return;
    if (gathered_ >= 0 && gathered_low_ <= range.low) {
        listed_ = gathered_;
    } else {
        const uint64_t reaching = sum_of(s, s.maxima[threadIdx.x] >= range.low ? 1 : 0);
        if (reaching <= blockDim.x / 4 && gather(range.low)) listed_ = gathered_;
    }
}

}  // namespace
}  // namespace gpu
