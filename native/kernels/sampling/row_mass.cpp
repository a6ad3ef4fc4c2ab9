// row_mass.cpp: one row of ct_sample on the CPU: how much the tokens weigh, and which of them reaches a mass.
#include <algorithm>
#include <functional>

#include "kernels/sampling/row.h"

namespace ct {

namespace {

constexpr auto kFirst = std::greater<uint64_t>();
constexpr int64_t kSmall = 64;  // keys that are not worth buckets
constexpr double kStep = 1.5;   // nats: the first that a bound is lowered by

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

// Copies some of the keys, without a branch on which; gives their number.
template <typename IsWanted>
int64_t copy_wanted(uint64_t* to, const uint64_t* keys, int64_t size, const IsWanted& is_wanted) {
    int64_t found = 0;
    for (int64_t i = 0; i < size; ++i) {
        to[found] = keys[i];
        found += static_cast<int64_t>(is_wanted(keys[i]));
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
    } else if (has_all() && !pending_) {
        sum = masses_of_all(FLT_MAX).all;
    } else {
        settle();
        int64_t below = 0;
        const int64_t outside = ties_outside(&below);
        sum = passes_.mass(values_, maxima_, n_, w, std::max(low_logit(), least_weighty(w)), high_logit());
        sum -= static_cast<uint64_t>(below) * w.weight(w.exponent(low_logit()), steps_);
        if (outside > below) {
            sum -= static_cast<uint64_t>(outside - below) * w.weight(w.exponent(high_logit()), steps_);
        }
    }
    if (temperature == 1 && !is_list() && has_all()) plain_mass_ = sum;
    known_mass_ = sum;
    return sum;
}

Masses Row::masses_of_all(float split) const {
    return passes_.masses(logits(0), dtype(), maxima_, n_, weigher(), split);
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
    return key_from(target, likely_band(target).low);
}

Reached Row::key_from(uint64_t target, float low) {
    for (double step = kStep;; step *= 2) {
        low = std::max(low, low_logit());
        const int64_t size = gather(low, high_logit());
        fill_buckets(size, static_cast<double>(top), static_cast<double>(top) - static_cast<double>(low));
        if (bucket_mass_ >= target || low == low_logit()) return cross_in_list(size, target);
        low = size * 4 > n_ ? low_logit() : least_float(static_cast<double>(low) - step * temperature, top);
    }
}

// A bucket of depths, which is a range of logits.
KeyRange Row::keys_of(int bucket) const {
    const auto most = static_cast<float>(buckets_.center);
    const float low = least_logit(most, [&](float logit) { return buckets_.of(logit) <= bucket; });
    const float above = least_logit(most, [&](float logit) { return buckets_.of(logit) < bucket; });
    return {code.last_key(low), bucket == 0 ? code.first_key(most) : code.last_key(above) - 1};
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
    const uint64_t length = bucket.high - bucket.low;
    auto in_bucket = [&](uint64_t key) { return key - bucket.low <= length; };
    const int64_t inside = copy_wanted(m_.inside, m_.keys, size, in_bucket);
    return select_mass(m_.inside, inside, target, weight, kFirst, above);
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
    const int64_t inside = copy_wanted(m_.inside, m_.keys, size, in_bucket);
    return distance(select_mass(m_.inside, inside, target, weight, before, above).key);
}

}  // namespace ct
