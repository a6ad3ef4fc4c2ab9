// row_mass.cpp: one row of ct_sample on the CPU: how much the tokens weigh, and which of them reaches a mass.
#include <algorithm>
#include <functional>

#include "kernels/sampling/row.h"

namespace ct {

namespace {

constexpr auto kFirst = std::greater<uint64_t>();
constexpr int64_t kFew = 256;    // tokens that most rows cross their share within
constexpr int64_t kSmall = 64;   // keys that are not worth buckets
constexpr double kStep = 1.5;    // nats: the first that a bound is lowered by
constexpr double kWeighty = 44;  // nats: what is deeper weighs nothing

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

uint64_t Row::weight_of(uint64_t key) const {
    const Weigher w = weigher();
    return w.weight(w.exponent(code.logit(key)), steps_);
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

// A logit such that those above are about so much mass, if every chunk is a sample of the row: of c of C chunks whose
// maximum reaches a logit follows that a share 1 - (1 - c / C)^(1 / 64) of the tokens does. Where all chunks reach it they
// tell no more: a step deeper.
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
    const double deeper = mass < wanted ? kStep * temperature : 0;
    return least_float(highest - (edge + 1) / scale - deeper, top);
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
    if (pending_) settle();
    if (target <= bucket_mass_) return cross_in_row(target);
    float low = bound_of(maxima_, m_.spare, chunks_, std::min(kFew, chunks_));
    for (double step = 0;; step = step > 0 ? 2 * step : kStep) {
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
    if (target > bucket_mass_) return {m_.keys[0], bucket_mass_};
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

}  // namespace ct
