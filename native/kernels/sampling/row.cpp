// row.cpp: one row of ct_sample on the CPU: its memory, the first look, the questions of the chain.
#include "kernels/sampling/row.h"

#include <algorithm>
#include <functional>

namespace ct {

namespace {

constexpr auto kFirst = std::greater<uint64_t>();
constexpr int64_t kFew = 256;    // tokens that most rows cross their share within
constexpr int64_t kSmall = 64;   // keys that are not worth buckets
constexpr int64_t kDense = 8;    // a list is worth it below a share of the row of 1 / this
constexpr double kWeighty = 44;  // nats: what is deeper weighs nothing

int64_t chunks_of(int64_t n) { return (n + kChunk - 1) / kChunk; }

// Moves the shortest beginning of the order `before` whose mass reaches `target` to the front, and gives the last key of it
// and its mass, after `above` of others. Halves the part in which the crossing lies, as a selection does.
template <typename Weight, typename Before>
Reached select_mass(uint64_t* keys, int64_t size, uint64_t target, const Weight& weight, const Before& before,
                    uint64_t above = 0) {
    int64_t begin = 0;
    int64_t end = size;
    while (end - begin > 32) {
        int64_t middle = begin + (end - begin) / 2;
        std::nth_element(keys + begin, keys + middle, keys + end, before);
        uint64_t half = 0;
        for (int64_t i = begin; i < middle; ++i) half += weight(keys[i]);
        if (above + half >= target) {
            end = middle;
        } else {
            above += half;
            begin = middle;
        }
    }
    std::sort(keys + begin, keys + end, before);
    for (; begin < end; ++begin) {
        above += weight(keys[begin]);
        if (above >= target) break;
    }
    return {keys[std::min(begin, size - 1)], above};
}

// Few of the keys, to the front; gives their number.
template <typename IsWanted>
int64_t bring_forward(uint64_t* keys, int64_t size, const IsWanted& is_wanted) {
    int64_t found = 0;
    for (int64_t i = 0; i < size; ++i) {
        if (is_wanted(keys[i])) std::swap(keys[found++], keys[i]);
    }
    return found;
}

// The least logit up to most for which is_there; for most, and from the least on, it is.
template <typename IsThere>
float least_logit(float most, const IsThere& is_there) {
    uint32_t low = ordered_bits(-FLT_MAX);
    uint32_t high = ordered_bits(most);
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (is_there(ordered_float(middle))) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return ordered_float(low);
}

}  // namespace

float bound_of(const float* maxima, float* spare, int64_t chunks, int64_t count) {
    if (count > chunks) return -FLT_MAX;
    constexpr int64_t kSamples = 128;
    int64_t size = 0;
    if (count * 4 <= chunks && chunks >= 4 * kSamples) {
        // Only those that a sample of them says are near.
        float samples[kSamples];
        for (int64_t i = 0; i < kSamples; ++i) samples[i] = maxima[i * chunks / kSamples];
        const int64_t place = count * kSamples / chunks;
        const auto bound = samples + std::min(kSamples - 1, place + 2 * static_cast<int64_t>(std::sqrt(place)) + 4);
        std::nth_element(samples, bound, samples + kSamples, std::greater<float>());
        for (int64_t i = 0; i < chunks; ++i) {
            spare[size] = maxima[i];
            size += maxima[i] >= *bound;
        }
    }
    if (size < count) size = std::copy_n(maxima, chunks, spare) - spare;
    std::nth_element(spare, spare + count - 1, spare + size, std::greater<float>());
    return std::max(spare[count - 1], -FLT_MAX);
}

size_t RowMemory::bytes(int64_t vocab_size) {
    auto tokens = static_cast<size_t>(chunks_of(vocab_size) * kChunk);
    return tokens * (sizeof(uint64_t) + 3 * sizeof(float)) + Buckets::kCount * sizeof(uint64_t) +
           3 * tokens / kChunk * sizeof(float);
}

RowMemory RowMemory::at(void* memory, int64_t vocab_size) {
    auto chunks = static_cast<size_t>(chunks_of(vocab_size));
    auto tokens = chunks * static_cast<size_t>(kChunk);
    auto* keys = static_cast<uint64_t*>(memory);
    auto* values = reinterpret_cast<float*>(keys + tokens + Buckets::kCount);
    float* small = values + 3 * tokens;
    return {keys,           keys + tokens,     values, values + tokens, values + 2 * tokens, small,
            small + chunks, small + 2 * chunks};
}

Row::Row(const SampleArgs& args, const SamplingPasses& passes, const RowMemory& memory, int64_t row,
         const float* maxima)
    : code(key_code(args.vocab_size)),
      a_(args),
      passes_(passes),
      m_(memory),
      p_(args.rows[row]),
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
    while (values_[id] != largest) ++id;
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

uint64_t Row::weight_of(uint64_t key) const {
    const Weigher w = weigher();
    return w.weight(w.exponent(code.logit(key)), steps_);
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

uint64_t Row::mass() {
    if (known_mass_ != 0) return known_mass_;
    const Weigher w = weigher();
    uint64_t sum = 0;
    if (is_list() && listed_ > kSmall) {
        fill_buckets(listed_, w.top, w.top - static_cast<double>(low_logit()));
        sum = bucket_mass_;
    } else if (is_list()) {
        for (int64_t i = 0; i < listed_; ++i) sum += weight_of(m_.keys[i]);
    } else {
        settle();
        int64_t below = 0;
        const int64_t outside = ties_outside(&below);
        sum = passes_.mass(values_, maxima_, n_, w, std::max(low_logit(), least_weighty(w)), high_logit());
        sum -= static_cast<uint64_t>(below) * w.weight(w.exponent(low_logit()), steps_);
        if (outside > below) {
            sum -= static_cast<uint64_t>(outside - below) * w.weight(w.exponent(high_logit()), steps_);
        }
        const KeyRange all = whole_range(code);
        if (temperature == 1 && range.low == all.low && range.high == all.high) plain_mass_ = sum;
    }
    known_mass_ = sum;
    return sum;
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
    int64_t size = passes_.gather(m_.keys, values_, maxima_, n_, code, low, high);
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
    for (int64_t asked = pending_ ? wanted + wanted / 2 + kSmall : wanted;; asked *= 4) {
        const float low = std::max(bound_of(maxima_, m_.spare, chunks_, asked), low_logit());
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

// ---- which token reaches a mass ------------------------------------------------------------------------------------

// A logit such that those above are about so much mass, if every chunk is a sample of the row: of c of C chunks whose
// maximum reaches a logit follows that a share 1 - (1 - c / C)^(1 / 64) of the tokens does. Where all chunks reach it they
// tell no more.
float Row::bound_of_mass(uint64_t target) const {
    constexpr int kEdges = 128;
    const auto highest = static_cast<double>(top);
    const double deepest = std::min(highest - static_cast<double>(low_logit()), kWeighty * temperature);
    const double scale = kEdges / deepest;
    if (!(scale > 0 && scale < DBL_MAX)) return -FLT_MAX;
    int32_t chunks[kEdges] = {};
    for (int64_t i = 0; i < chunks_; ++i) {
        const double edge = (highest - static_cast<double>(maxima_[i])) * scale;
        ++chunks[edge > 0 ? edge < kEdges ? static_cast<int>(edge) : kEdges - 1 : 0];
    }
    const double wanted = 1.02 * static_cast<double>(target) / unit_of(code);
    double mass = 0;
    double tokens = 0;
    int64_t reaching = 0;
    int edge = 0;
    for (; edge < kEdges; ++edge) {
        reaching += chunks[edge];
        if (chunks[edge] == 0) continue;
        const double share = static_cast<double>(reaching) / static_cast<double>(chunks_);
        const double there = static_cast<double>(n_) * (1 - std::pow(1 - share, 1.0 / kChunk));
        mass += (there - tokens) * std::exp(-(edge + 0.5) / scale / temperature);
        tokens = there;
        if (mass >= wanted || reaching == chunks_) break;
    }
    return least_float(highest - (edge + 1) / scale, top);
}

// Of the first keys of m_.keys, by their distance from center.
void Row::fill_buckets(int64_t size, double center, double deepest) {
    const double scale = Buckets::kCount / std::min(deepest, kWeighty * temperature);
    buckets_ = {center, scale < DBL_MAX ? scale : 0};
    std::fill_n(m_.masses, Buckets::kCount, uint64_t{0});
    passes_.add_masses(m_.masses, m_.keys, size, code, weigher(), buckets_);
    bucket_mass_ = 0;
    for (int i = 0; i < Buckets::kCount; ++i) bucket_mass_ += m_.masses[i];
}

// The bucket that the target falls into, and the mass above it.
int Row::bucket_of(uint64_t target, uint64_t* above) const {
    int bucket = 0;
    *above = 0;
    for (; bucket < Buckets::kCount - 1 && *above + m_.masses[bucket] < target; ++bucket) *above += m_.masses[bucket];
    return bucket;
}

Reached Row::key_at_mass(uint64_t target) {
    if (is_list()) return cross_in_list(listed_, target);
    settle();
    if (target <= bucket_mass_) return cross_in_row(target);
    float low = bound_of(maxima_, m_.spare, chunks_, std::min(kFew, chunks_));
    for (double step = 0;; step = step > 0 ? 2 * step : 1.5) {
        low = std::max(low, low_logit());
        const int64_t size = gather(low, high_logit());
        fill_buckets(size, static_cast<double>(top), static_cast<double>(top) - static_cast<double>(low));
        if (bucket_mass_ >= target || low == low_logit()) return cross_in_list(size, target);
        if (step == 0) {
            low = std::min(low, bound_of_mass(target));
        } else if (size * 4 > n_) {
            low = low_logit();
        } else {
            low = least_float(static_cast<double>(low) - step * temperature, top);
        }
    }
}

// A bucket of depths, which is a range of logits.
KeyRange Row::keys_of(int bucket) const {
    const float low = least_logit(top, [&](float logit) { return buckets_.of(logit) <= bucket; });
    const float above = least_logit(top, [&](float logit) { return buckets_.of(logit) < bucket; });
    return {code.last_key(low), bucket == 0 ? code.first_key(top) : code.last_key(above) - 1};
}

Reached Row::cross_in_list(int64_t size, uint64_t target) {
    auto weight = [this](uint64_t key) { return weight_of(key); };
    if (size <= kSmall) return select_mass(m_.keys, size, target, weight, kFirst);
    if (target > bucket_mass_) {
        fill_buckets(size, static_cast<double>(top), static_cast<double>(top) - static_cast<double>(low_logit()));
    }
    uint64_t above = 0;
    const KeyRange bucket = keys_of(bucket_of(target, &above));
    const int64_t inside = bring_forward(m_.keys, size, [bucket](uint64_t key) { return bucket.contains(key); });
    return select_mass(m_.keys, inside, target, weight, kFirst, above);
}

// Of a row that is no list, but has its buckets.
Reached Row::cross_in_row(uint64_t target) {
    uint64_t above = 0;
    const KeyRange bucket = keys_of(bucket_of(target, &above));
    const int64_t size =
        gather(std::max(low_logit(), code.logit(bucket.low)), std::min(high_logit(), code.logit(bucket.high)));
    gathered_ = 0;
    auto weight = [this](uint64_t key) { return weight_of(key); };
    return select_mass(m_.keys, size, target, weight, kFirst, above);
}

double Row::near(double center, uint64_t target) {
    settle();
    const int64_t size = is_list() ? listed_ : gather(low_logit(), high_logit());
    fill_buckets(size, center, static_cast<double>(top) - static_cast<double>(low_logit()));
    uint64_t above = 0;
    const int bucket = bucket_of(target, &above);
    bucket_mass_ = 0;  // they are by another center than the chain's
    auto in_bucket = [&](uint64_t key) { return buckets_.of(code.logit(key)) == bucket; };
    auto distance = [&](uint64_t key) { return std::fabs(static_cast<double>(code.logit(key)) - center); };
    auto before = [&](uint64_t a, uint64_t b) { return distance(a) < distance(b); };
    auto weight = [this](uint64_t key) { return weight_of(key); };
    const int64_t inside = bring_forward(m_.keys, size, in_bucket);
    return distance(select_mass(m_.keys, inside, target, weight, before, above).key);
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
