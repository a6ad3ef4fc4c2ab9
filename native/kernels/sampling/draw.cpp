// draw.cpp: min_p, top_k, top_p and the draw, without a sort of the vocabulary.
//
// The k-th largest of the chunks' maxima is a bound that at least k logits reach, so only the chunks whose maximum
// reaches it are looked into. What they hold above the bound is the beginning of the total order.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>

#include "kernels/sampling/sampling.h"

namespace ct {

namespace {

constexpr auto kFirst = std::greater<uint64_t>();

// A bound that at least `count` of the n logits reach; -FLT_MAX (every logit but -inf) where the maxima cannot tell.
float bound_of(const float* maxima, float* spare, int64_t n, int64_t count) {
    int64_t chunks = (n + kChunk - 1) / kChunk;
    if (count > chunks) return -FLT_MAX;
    std::copy_n(maxima, chunks, spare);
    std::nth_element(spare, spare + count - 1, spare + chunks, std::greater<float>());
    return std::max(spare[count - 1], -FLT_MAX);
}

// Keys of all tokens at or above the bound, by id.
int64_t collect(uint64_t* keys, const float* logits, int64_t n, const float* maxima, float bound) {
    int64_t size = 0;
    for (int64_t chunk = 0; chunk * kChunk < n; ++chunk) {
        if (maxima[chunk] < bound) continue;
        int64_t end = std::min(n, (chunk + 1) * kChunk);
        for (int64_t i = chunk * kChunk; i < end; ++i) {
            keys[size] = order_key(logits[i], i);
            size += logits[i] >= bound;
        }
    }
    return size;
}

double mass(const uint64_t* keys, int64_t size, const float* weights) {
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(weights[key_id(keys[i])]);
    return sum;
}

// Moves the shortest beginning of the order whose mass reaches `target` to the front; returns its length. Halves the
// part in which the crossing lies, as a selection does.
int64_t select_mass(uint64_t* keys, int64_t size, const float* weights, double target) {
    int64_t begin = 0;
    int64_t end = size;
    double before = 0;
    while (end - begin > 32) {
        int64_t middle = begin + (end - begin) / 2;
        std::nth_element(keys + begin, keys + middle, keys + end, kFirst);
        double half = mass(keys + begin, middle - begin, weights);
        if (before + half >= target) {
            end = middle;
        } else {
            before += half;
            begin = middle;
        }
    }
    std::sort(keys + begin, keys + end, kFirst);
    for (; begin < end; ++begin) {
        before += static_cast<double>(weights[key_id(keys[begin])]);
        if (before >= target) return begin + 1;
    }
    return end;
}

// The first token, by id, at which the running mass reaches uniform * whole: first among the pieces' sums, then inside
// the piece. piece(begin) gives the weights of the piece at `begin`; kept(i): the token takes part.
template <typename Piece, typename Kept>
int64_t walk(const double* sums, double whole, int64_t n, double uniform, const Piece& piece, const Kept& kept) {
    double target = uniform * whole;
    double sum = 0;
    double up_to = 0;
    int64_t at = 0;
    for (int64_t i = 0; i * kPiece < n; ++i) {
        if (sums[i] <= 0) continue;
        at = i;
        sum = up_to;
        up_to += sums[i];
        if (up_to >= target) break;
    }
    int64_t begin = at * kPiece;
    int64_t size = std::min(kPiece, n - begin);
    const float* weights = piece(begin, size);
    int64_t last = -1;
    for (int64_t i = 0; i < size; ++i) {
        if (!kept(begin + i) || weights[i] <= 0) continue;
        sum += static_cast<double>(weights[i]);
        last = begin + i;
        if (sum >= target) break;
    }
    return last;
}

// The same over the tokens up to the key `lowest`, of which all have weights.
int64_t walk_kept(const SamplingPasses& passes, const DrawMemory& memory, uint64_t lowest, const float* logits,
                  int64_t n, double uniform) {
    const float* weights = memory.weights;
    int64_t last = key_id(lowest);
    double whole = passes.sum_kept(memory.sums, weights, logits, n, logits[last], last);
    return walk(
        memory.sums, whole, n, uniform, [=](int64_t begin, int64_t) { return weights + begin; },
        [=](int64_t i) { return order_key(logits[i], i) >= lowest; });
}

// The same over the first keys of the order, of which at least these have weights.
int64_t walk_keys(const SamplingPasses& passes, const DrawMemory& memory, int64_t size, const float* logits, int64_t n,
                  double uniform) {
    constexpr int64_t kFew = 1024;
    uint64_t* keys = memory.keys;
    const float* weights = memory.weights;
    if (size > kFew) return walk_kept(passes, memory, *std::min_element(keys, keys + size), logits, n, uniform);
    std::sort(keys, keys + size, [](uint64_t a, uint64_t b) { return key_id(a) < key_id(b); });
    double target = uniform * mass(keys, size, weights);
    double sum = 0;
    int64_t last = key_id(keys[0]);
    for (int64_t i = 0; i < size; ++i) {
        float weight = weights[key_id(keys[i])];
        if (weight <= 0) continue;
        sum += static_cast<double>(weight);
        last = key_id(keys[i]);
        if (sum >= target) break;
    }
    return last;
}

// Weights of these tokens alone, the same bits as the pass over all.
void weigh_keys(const SamplingPasses& passes, const DrawMemory& memory, int64_t size, const float* logits,
                float largest, float factor) {
    float some[kChunk];
    for (int64_t begin = 0; begin < size; begin += kChunk) {
        int64_t count = std::min(kChunk, size - begin);
        for (int64_t i = 0; i < count; ++i) some[i] = logits[key_id(memory.keys[begin + i])];
        passes.weigh(some, nullptr, some, count, largest, factor, -FLT_MAX);
        for (int64_t i = 0; i < count; ++i) memory.weights[key_id(memory.keys[begin + i])] = some[i];
    }
}

// The logits between which the mass below is (1 -+ slack) * tail, guessed from some of the chunks. The mass below is
// what a sample knows best: its tokens are many and light.
class Guess {
public:
    Guess(const float* weights, const float* logits, int64_t n, float largest, float deepest) : largest_(largest) {
        int64_t chunks = n / kChunk;
        int64_t stride = std::max<int64_t>(1, chunks / kSampleChunks);
        auto each = [&](const auto& body) {
            for (int64_t chunk = stride / 2; chunk < chunks; chunk += stride) {
                for (int64_t i = chunk * kChunk; i < (chunk + 1) * kChunk; ++i) body(i);
            }
        };
        float range = 0;
        each([&](int64_t i) { range = std::max(range, logits[i] > -FLT_MAX ? largest - logits[i] : 0.0f); });
        range_ = std::min(range, deepest);
        usable_ = range_ > 0 && range_ < FLT_MAX && kBins / range_ < FLT_MAX;
        if (!usable_) return;
        float scale = kBins / range_;
        each([&](int64_t i) {
            float bin = (largest - logits[i]) * scale;
            mass_[bin < kBins ? static_cast<int>(bin) : kBins] += weights[i] * static_cast<float>(stride);
        });
    }

    // False where the sample says nothing.
    bool bounds(double tail, double slack, float* low, float* high) const {
        if (!usable_ || slack >= 1) return false;
        double below = 0;
        int bin = kBins;
        for (; bin >= 0 && below + static_cast<double>(mass_[bin]) < tail * (1 - slack); --bin) {
            below += static_cast<double>(mass_[bin]);
        }
        *low = bin >= kBins ? -FLT_MAX : edge(bin + 1);
        for (; bin >= 0 && below < tail * (1 + slack); --bin) below += static_cast<double>(mass_[bin]);
        *high = bin < 0 ? __builtin_inff() : edge(bin + 1);
        return true;
    }

private:
    static constexpr int64_t kSampleChunks = 192;
    static constexpr int kBins = 1024;
    float edge(int bin) const { return largest_ - static_cast<float>(bin) * (range_ / kBins); }
    float largest_;
    float range_ = 0;
    bool usable_ = false;
    float mass_[kBins + 1] = {};
};

// The last key of the shortest beginning of the order whose mass reaches p * whole, where that beginning is long.
uint64_t last_of_nucleus(const SamplingPasses& passes, const DrawMemory& memory, const float* logits, int64_t n,
                         float largest, float factor, double whole, double p) {
    double target = p * whole;
    Guess guess(memory.weights, logits, n, largest, 40.0f / factor);
    for (double slack = 0.06;; slack *= 5) {
        float low = -FLT_MAX;
        float high = __builtin_inff();
        bool guessed = guess.bounds(whole - target, slack, &low, &high);
        double above = 0;
        int64_t size = passes.between(memory.keys, &above, memory.weights, logits, n, low, high);
        bool crossed = size > 0 && above < target && above + mass(memory.keys, size, memory.weights) >= target;
        if (guessed && !crossed) continue;
        size = select_mass(memory.keys, size, memory.weights, target - above);
        return *std::min_element(memory.keys, memory.keys + size);
    }
}

// The lowest logit that min_p keeps: exp((logit - largest) / temperature) >= min_p. Above 1 it would keep none; taken
// as 1.
float floor_of(float largest, const DrawOptions& options) {
    if (!(options.min_p > 0)) return -FLT_MAX;
    double exact = static_cast<double>(largest) + static_cast<double>(options.temperature) *
                                                      std::log(std::min(1.0, static_cast<double>(options.min_p)));
    if (!(exact > -static_cast<double>(FLT_MAX))) return -FLT_MAX;
    if (exact >= static_cast<double>(largest)) return largest;
    auto rounded = static_cast<float>(exact);
    return static_cast<double>(rounded) < exact ? std::nextafterf(rounded, FLT_MAX) : rounded;
}

}  // namespace

int64_t first_tokens(uint64_t* keys, const float* logits, int64_t n, const float* maxima, float* spare, int64_t count) {
    int64_t size = collect(keys, logits, n, maxima, bound_of(maxima, spare, n, count));
    int64_t first = std::min(size, count);
    std::partial_sort(keys, keys + first, keys + size, kFirst);
    return first;
}

int64_t draw(const SamplingPasses& passes, const DrawMemory& memory, const float* logits, int64_t n, float largest,
             const DrawOptions& options, double* sum_exp) {
    float* weights = memory.weights;
    float factor = 1.0f / options.temperature;
    float floor = floor_of(largest, options);
    bool has_k = options.top_k > 0 && options.top_k < n;
    bool has_p = options.top_p < 1.0f;
    uint64_t* keys = memory.keys;
    double p = static_cast<double>(options.top_p);
    if (has_k) {
        float bound = std::max(floor, bound_of(memory.maxima, memory.spare, n, options.top_k));
        int64_t size = collect(keys, logits, n, memory.maxima, bound);
        if (size > options.top_k) {
            std::nth_element(keys, keys + options.top_k, keys + size, kFirst);
            size = options.top_k;
        }
        weigh_keys(passes, memory, size, logits, largest, factor);
        if (has_p) size = select_mass(keys, size, weights, p * mass(keys, size, weights));
        return walk_keys(passes, memory, size, logits, n, options.uniform);
    }
    double whole = passes.weigh(has_p ? weights : nullptr, memory.sums, logits, n, largest, factor, floor);
    if (factor == 1.0f && !(floor > -FLT_MAX)) *sum_exp = whole;
    if (!has_p) {
        return walk(
            memory.sums, whole, n, options.uniform,
            [&](int64_t begin, int64_t size) {
                passes.weigh(weights, nullptr, logits + begin, size, largest, factor, floor);
                return weights;
            },
            [](int64_t) { return true; });
    }
    // Most rows cross p within the first few hundred tokens.
    int64_t count = std::min<int64_t>(256, (n + kChunk - 1) / kChunk);
    float bound = std::max(floor, bound_of(memory.maxima, memory.spare, n, count));
    int64_t size = collect(keys, logits, n, memory.maxima, bound);
    if (bound == floor || mass(keys, size, weights) >= p * whole) {
        size = select_mass(keys, size, weights, p * whole);
        return walk_keys(passes, memory, size, logits, n, options.uniform);
    }
    uint64_t lowest = last_of_nucleus(passes, memory, logits, n, largest, factor, whole, p);
    return walk_kept(passes, memory, lowest, logits, n, options.uniform);
}

}  // namespace ct
