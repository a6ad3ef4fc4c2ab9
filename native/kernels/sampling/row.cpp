// row.cpp: one row of ct_sample on the CPU: its memory, the first look, how many and which tokens.
#include "kernels/sampling/row.h"

#include <algorithm>
#include <functional>

namespace ct {

namespace {

constexpr auto kFirst = std::greater<uint64_t>();
constexpr int64_t kFew = 256;   // tokens that are gathered at first for a top-k
constexpr int64_t kSpare = 16;  // penalised tokens that may have been in front
constexpr int64_t kDense = 8;   // a list is worth it below a share of the row of 1 / this

int64_t chunks_of(int64_t n) { return (n + kChunk - 1) / kChunk; }

}  // namespace

float bound_of(const SamplingPasses& passes, const float* maxima, int64_t chunks, int64_t count) {
    constexpr int kHalvings = 20;  // fewer where so many more logits do not stand so close
    constexpr float kFirstStep = 0.5f;
    const float most = passes.largest_of(maxima, chunks);
    if (count > chunks || !std::isfinite(most)) return -FLT_MAX;
    float low = most;
    float high = most;
    int64_t reaching = passes.count_from(maxima, chunks, low);
    for (float step = kFirstStep; reaching < count; step *= 2) {
        high = low;
        low = most - step;
        if (!(low > -FLT_MAX)) return -FLT_MAX;
        reaching = passes.count_from(maxima, chunks, low);
    }
    for (int i = 0; i < kHalvings && reaching > count + count / 4; ++i) {
        const float middle = low + (high - low) / 2;
        const int64_t there = passes.count_from(maxima, chunks, middle);
        (there < count ? high : low) = middle;
        reaching = there < count ? reaching : there;
    }
    return low;
}

size_t RowMemory::bytes(int64_t vocab_size) {
    auto tokens = static_cast<size_t>(chunks_of(vocab_size) * kChunk);
    return tokens * (2 * sizeof(uint64_t) + 3 * sizeof(float)) + Buckets::kCount * sizeof(uint64_t) +
           2 * tokens / kChunk * sizeof(float);
}

RowMemory RowMemory::at(void* memory, int64_t vocab_size) {
    auto chunks = static_cast<size_t>(chunks_of(vocab_size));
    auto tokens = chunks * static_cast<size_t>(kChunk);
    auto* keys = static_cast<uint64_t*>(memory);
    uint64_t* masses = keys + 2 * tokens;
    auto* values = reinterpret_cast<float*>(masses + Buckets::kCount);
    float* small = values + 3 * tokens;
    return {keys, keys + tokens, masses, values, values + tokens, values + 2 * tokens, small, small + chunks};
}

Row::Row(const SampleArgs& args, const SamplingPasses& passes, const RowMemory& memory, int64_t row,
         const float* maxima)
    : code(key_code(args.vocab_size)),
      a_(args),
      passes_(passes),
      m_(memory),
      p_(args.rows[row]),
      assumed_(p_, args.history_ids),
      r_(row),
      n_(args.vocab_size),
      chunks_(chunks_of(args.vocab_size)),
      found_maxima_(maxima) {
    for (int i = 0; i < kWeightSteps; ++i) steps_[i] = weight_step(i);
}

int32_t Row::survey() {
    has_run_ = true;
    if (not_finite_) return CT_SAMPLE_NOT_FINITE;
    range = whole_range(code);
    known_mass_ = 0;
    bucket_mass_ = 0;
    gathered_ = 0;
    if (is_list()) {
        narrow(0);
        if (listed_ == 0) return CT_SAMPLE_EMPTY;
        begin_at(*std::max_element(m_.keys, m_.keys + listed_));
        return CT_SAMPLE_OK;
    }
    if (pending_) {
        const int64_t size = gather_first(p_.top_k > 0 ? std::min<int64_t>(p_.top_k, kFew) : 1);
        begin_at(*std::max_element(m_.keys, m_.keys + size));
        return CT_SAMPLE_OK;
    }
    const float largest = passes_.largest_of(maxima_, chunks_);
    if (largest < -FLT_MAX) return CT_SAMPLE_EMPTY;
    int64_t id = (std::find(maxima_, maxima_ + chunks_, largest) - maxima_) * kChunk;
    while (logit_of(id) != largest) ++id;
    begin_at(code.key(largest, id));
    return CT_SAMPLE_OK;
}

void Row::begin_at(uint64_t key) {
    best = key;
    top = code.logit(key);
    known_mass_ = 0;
    bucket_mass_ = 0;
}

void Row::retemper(double to) {
    temperature = to;
    known_mass_ = 0;
    bucket_mass_ = 0;
}

// Logits at the range's ends that lie outside it; *below of them at the lower end.
int64_t Row::ties_outside(int64_t* below) const {
    const float low = low_logit();
    *below =
        range.low == code.last_key(low) ? 0 : passes_.count(values_, maxima_, code.id(range.low) + 1, n_, low, low);
    if (range.high == UINT64_MAX) return *below;
    const float high = high_logit();
    const bool whole = range.high == code.first_key(high);
    return *below + (whole ? 0 : passes_.count(values_, maxima_, 0, code.id(range.high), high, high));
}

uint64_t Row::count() {
    if (is_list()) return static_cast<uint64_t>(listed_);
    settle();
    int64_t below = 0;
    const int64_t outside = ties_outside(&below);
    return static_cast<uint64_t>(passes_.count(values_, maxima_, 0, n_, low_logit(), high_logit()) - outside);
}

// Of the first keys of m_.keys those in a range, without a branch on what no one foresees.
int64_t Row::keep(int64_t size, const KeyRange& wanted) {
    int64_t kept = 0;
    for (int64_t i = 0; i < size; ++i) {
        const uint64_t key = m_.keys[i];
        m_.keys[kept] = key;
        kept += static_cast<int64_t>(key - wanted.low <= wanted.high - wanted.low);
    }
    return kept;
}

// Puts what is kept from a logit to another into m_.keys.
int64_t Row::gather(float low, float high) {
    int64_t size = halves_ ? passes_.gather_bf16(m_.keys, halves_, maxima_, n_, code, low, high)
                           : passes_.gather(m_.keys, values_, maxima_, n_, code, low, high);
    const KeyRange wanted{std::max(range.low, code.last_key(low)), range.high};
    if (pending_) penalise_keys(size);
    if (pending_ || range.high != UINT64_MAX || wanted.low != code.last_key(low)) {
        size = keep(size, wanted);
    }
    gathered_ = size;
    gathered_low_ = wanted.low;
    return size;
}

// Puts at least the first `wanted` of the range into m_.keys, all from some key on; all there are where they are fewer.
int64_t Row::gather_first(int64_t wanted) {
    if (is_list()) return listed_;
    if (gathered_ >= wanted) return gathered_;
    // Penalised tokens fall behind others, and with a beginning cut off the maxima tell of tokens that are gone.
    for (int64_t asked = pending_ ? wanted + wanted / 2 + kSpare : wanted;; asked *= 4) {
        const float low = std::max(bound_of(passes_, maxima_, chunks_, asked), low_logit());
        const int64_t size = gather(low, high_logit());
        if (size >= wanted || low == low_logit()) return size;
    }
}

uint64_t Row::key_at_count(uint64_t k) {
    const auto wanted = static_cast<int64_t>(k);
    const int64_t size = gather_first(wanted);
    if (size < wanted) return range.low;
    std::nth_element(m_.keys, m_.keys + wanted - 1, m_.keys + size, kFirst);
    return m_.keys[wanted - 1];
}

uint64_t Row::first_of(uint64_t high) {
    settle();
    uint64_t first = 0;
    each_key([&](uint64_t key, float) { first = key <= high ? std::max(first, key) : first; });
    return first;
}

uint64_t Row::last_of(uint64_t low) {
    settle();
    uint64_t last = UINT64_MAX;
    each_key([&](uint64_t key, float) { last = key >= low ? std::min(last, key) : last; });
    return last;
}

Spread Row::spread() {
    settle();
    const Weigher w = weigher();
    Spread s{0, 0};
    each_key([&](uint64_t, float logit) {
        const uint64_t exponent = w.exponent(logit);
        const uint64_t weight = w.weight(exponent, steps_);
        s.mass += weight;
        s.moment += weight_times(weight, exponent);
    });
    return s;
}

double Row::deviation() {
    settle();
    Moments moments(top, code.logit(last_of(range.low)));
    each_key([&](uint64_t, float logit) { moments.add(logit); });
    return moments.deviation();
}

uint64_t Row::key_of(int64_t id) {
    if (is_list()) {
        uint64_t found = 0;
        for (int64_t i = 0; i < listed_; ++i) found = code.id(m_.keys[i]) == id ? m_.keys[i] : found;
        return found;
    }
    if (pending_) settle();
    const uint64_t key = code.key(logit_of(id), id);
    return range.contains(key) ? key : 0;
}

const uint64_t* Row::first_keys(int* n) {
    *n = static_cast<int>(std::min<uint64_t>(kTopHTokens, count()));
    key_at_count(static_cast<uint64_t>(*n));
    std::sort(m_.keys, m_.keys + *n, kFirst);
    return m_.keys;
}

void Row::narrow(uint64_t mass) {
    known_mass_ = mass;
    const int64_t gathered = gathered_low_ <= range.low ? gathered_ : 0;
    gathered_ = 0;
    if (range.low == range.high) {
        m_.keys[0] = range.low;
        listed_ = 1;
    } else if (is_list()) {
        listed_ = keep(listed_, range);
    } else if (gathered > 0) {
        const int64_t kept = keep(gathered, range);
        if (kept <= n_ / kDense) listed_ = kept;
    } else {
        const float low = low_logit();
        auto reaches = [low](float largest) { return largest >= low; };
        if (std::count_if(maxima_, maxima_ + chunks_, reaches) > chunks_ / kDense) return;
        listed_ = gather(low, high_logit());
        gathered_ = 0;
    }
}

}  // namespace ct
