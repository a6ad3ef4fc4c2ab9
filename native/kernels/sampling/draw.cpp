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

void philox4x32(uint32_t (&counter)[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
        uint64_t a = uint64_t{0xD2511F53u} * counter[0];
        uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
        uint32_t c1 = counter[1];
        uint32_t c3 = counter[3];
        counter[0] = static_cast<uint32_t>(b >> 32) ^ c1 ^ key0;
        counter[1] = static_cast<uint32_t>(b);
        counter[2] = static_cast<uint32_t>(a >> 32) ^ c3 ^ key1;
        counter[3] = static_cast<uint32_t>(a);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

double uniform_of(int64_t seed, int64_t position) {
    constexpr uint32_t kTag = 0x73616d70;  // "samp": other uses of the same seed and position draw other numbers
    auto key = static_cast<uint64_t>(seed);
    auto at = static_cast<uint64_t>(position);
    uint32_t counter[4] = {static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), kTag, 0};
    philox4x32(counter, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
    uint64_t bits = (uint64_t{counter[1]} << 32 | counter[0]) >> 12;
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

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

// The first token, by id, at which the running mass reaches uniform * the whole. kept(i): the token takes part.
template <typename Kept>
int64_t walk(const float* weights, int64_t n, double uniform, const Kept& kept) {
    double whole = 0;
    for (int64_t i = 0; i < n; ++i) whole += kept(i) ? static_cast<double>(weights[i]) : 0.0;
    double target = uniform * whole;
    double sum = 0;
    int64_t last = -1;
    for (int64_t i = 0; i < n; ++i) {
        if (!kept(i) || weights[i] <= 0) continue;
        sum += static_cast<double>(weights[i]);
        last = i;
        if (sum >= target) break;
    }
    return last;
}

// The same over the first keys of the order.
int64_t walk_keys(uint64_t* keys, int64_t size, const float* logits, const float* weights, int64_t n, double uniform) {
    constexpr int64_t kFew = 4096;
    if (size > kFew) {
        uint64_t lowest = *std::min_element(keys, keys + size);
        return walk(weights, n, uniform, [=](int64_t i) { return order_key(logits[i], i) >= lowest; });
    }
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
             const DrawOptions& options) {
    const float* weights = memory.weights;
    double whole = passes.weigh(memory.weights, logits, n, largest, 1.0f / options.temperature);
    float floor = floor_of(largest, options);
    bool has_k = options.top_k > 0 && options.top_k < n;
    bool has_p = options.top_p < 1.0f;
    if (!has_k && !has_p) {
        return walk(weights, n, options.uniform, [=](int64_t i) { return logits[i] >= floor; });
    }
    uint64_t* keys = memory.keys;
    int64_t size = 0;
    double p = static_cast<double>(options.top_p);
    if (has_k) {
        float bound = std::max(floor, bound_of(memory.maxima, memory.spare, n, options.top_k));
        size = collect(keys, logits, n, memory.maxima, bound);
        if (size > options.top_k) {
            std::nth_element(keys, keys + options.top_k, keys + size, kFirst);
            size = options.top_k;
        }
        if (has_p) size = select_mass(keys, size, weights, p * mass(keys, size, weights));
    } else {
        if (floor > -FLT_MAX) {
            whole = 0;
            for (int64_t i = 0; i < n; ++i) whole += logits[i] >= floor ? static_cast<double>(weights[i]) : 0.0;
        }
        // Most rows cross p within the first few hundred tokens.
        for (int64_t count = 256;; count *= 16) {
            float bound = std::max(floor, bound_of(memory.maxima, memory.spare, n, count));
            size = collect(keys, logits, n, memory.maxima, bound);
            if (bound == floor || mass(keys, size, weights) >= p * whole) break;
        }
        size = select_mass(keys, size, weights, p * whole);
    }
    return walk_keys(keys, size, logits, weights, n, options.uniform);
}

}  // namespace ct
