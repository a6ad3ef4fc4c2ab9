// sampling_passes.h: the passes over the vocabulary, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/sampling/sampling.h"

namespace ct {
namespace {

constexpr float kInfinity = __builtin_inff();

bool chunk_maxima(float* maxima, const float* logits, int64_t n) {
    int64_t finite = 0;
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        int64_t size = n - begin < kChunk ? n - begin : kChunk;
        Vec best = broadcast(-kInfinity);
        int64_t i = 0;
        for (; i + kLanes <= size; i += kLanes) {
            Vec v = load(logits + begin + i);
            best = max(v, best);
            finite += count_greater(broadcast(kInfinity), v);
        }
        float largest_logit = largest(best);
        for (; i < size; ++i) {
            float v = logits[begin + i];
            largest_logit = v > largest_logit ? v : largest_logit;
            finite += v < kInfinity;
        }
        maxima[begin / kChunk] = largest_logit;
    }
    return finite == n;
}

// Float sums over pieces short enough to lose nothing, double over the pieces.
constexpr int64_t kSumPiece = 1024;

template <typename Keep>
double sum_weights(const float* logits, int64_t n, float shift, float factor, const Keep& keep) {
    double total = 0;
    Vec from = broadcast(shift);
    Vec by = broadcast(factor);
    for (int64_t begin = 0; begin < n; begin += kSumPiece) {
        int64_t size = n - begin < kSumPiece ? n - begin : kSumPiece;
        Vec sums = broadcast(0);
        float rest = 0;
        for_lanes(size, [&](int64_t i, int64_t lanes) {
            // -inf * 0 is NaN, which max turns into a logit of weight 0.
            Vec w = exp(max((load_lanes(logits + begin + i, lanes) - from) * by, broadcast(-200.0f)));
            keep(begin + i, w, lanes);
            if (lanes == kLanes) {
                sums = sums + w;
            } else {
                float tail[kLanes];
                store(tail, w);
                for (int64_t j = 0; j < lanes; ++j) rest += tail[j];
            }
        });
        total += static_cast<double>(sum(sums)) + static_cast<double>(rest);
    }
    return total;
}

double weigh(float* weights, const float* logits, int64_t n, float shift, float factor) {
    return sum_weights(logits, n, shift, factor,
                       [&](int64_t i, Vec w, int64_t lanes) { store_lanes(weights + i, w, lanes); });
}

double sum_exp(const float* logits, int64_t n, float shift) {
    return sum_weights(logits, n, shift, 1.0f, [](int64_t, Vec, int64_t) {});
}

int64_t rank(const float* logits, int64_t n, int64_t token) {
    float value = logits[token];
    int64_t before = 0;
    auto count = [&](int64_t begin, int64_t end, bool ties) {
        int64_t i = begin;
        for (; i + kLanes <= end; i += kLanes) {
            Vec v = load(logits + i);
            before += count_greater(v, broadcast(value));
            if (ties) before += count_equal(v, broadcast(value));
        }
        for (; i < end; ++i) before += logits[i] > value || (ties && logits[i] == value);
    };
    count(0, token, true);
    count(token + 1, n, false);
    return before + 1;
}

}  // namespace
}  // namespace ct
