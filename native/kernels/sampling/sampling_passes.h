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

template <bool kStore>
double weigh_pieces(float* weights, double* sums, const float* logits, int64_t n, float shift, float factor,
                    float floor) {
    double total = 0;
    Vec from = broadcast(shift);
    Vec by = broadcast(factor);
    Vec least = broadcast(floor);
    for (int64_t begin = 0; begin < n; begin += kPiece) {
        Vec piece = broadcast(0);
        float rest = 0;
        for_lanes(n - begin < kPiece ? n - begin : kPiece, [&](int64_t i, int64_t lanes) {
            Vec v = load_lanes(logits + begin + i, lanes);
            // -inf * 0 is NaN, which max turns into a logit of weight 0.
            Vec w = where_not_less(exp(max((v - from) * by, broadcast(-200.0f))), v, least);
            if constexpr (kStore) store_lanes(weights + begin + i, w, lanes);
            if (lanes == kLanes) {
                piece = piece + w;
            } else {
                float tail[kLanes];
                store(tail, w);
                for (int64_t j = 0; j < lanes; ++j) rest += tail[j];
            }
        });
        double mass = static_cast<double>(sum(piece)) + static_cast<double>(rest);
        if (sums) sums[begin / kPiece] = mass;
        total += mass;
    }
    return total;
}

double weigh(float* weights, double* sums, const float* logits, int64_t n, float shift, float factor, float floor) {
    return weights ? weigh_pieces<true>(weights, sums, logits, n, shift, factor, floor)
                   : weigh_pieces<false>(weights, sums, logits, n, shift, factor, floor);
}

double sum_kept(double* sums, const float* weights, const float* logits, int64_t n, float value, int64_t last) {
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += kPiece) {
        int64_t end = begin + kPiece < n ? begin + kPiece : n;
        double mass = 0;
        if (begin <= last && last < end) {
            for (int64_t i = begin; i < end; ++i) {
                bool kept = i <= last ? logits[i] >= value : logits[i] > value;
                mass += kept ? static_cast<double>(weights[i]) : 0.0;
            }
        } else {
            Vec least = broadcast(end <= last ? value : std::nextafterf(value, kInfinity));
            Vec piece = broadcast(0);
            for_lanes(end - begin, [&](int64_t i, int64_t lanes) {
                Vec v = load_lanes(logits + begin + i, lanes);
                piece = piece + where_not_less(load_lanes(weights + begin + i, lanes), v, least);
            });
            mass = static_cast<double>(sum(piece));
        }
        sums[begin / kPiece] = mass;
        total += mass;
    }
    return total;
}

int64_t between(uint64_t* keys, double* above, const float* weights, const float* logits, int64_t n, float low,
                float high) {
    int64_t size = 0;
    Vec from = broadcast(low);
    Vec to = broadcast(high);
    for (int64_t begin = 0; begin < n; begin += kPiece) {
        Vec piece = broadcast(0);
        for_lanes(n - begin < kPiece ? n - begin : kPiece, [&](int64_t i, int64_t lanes) {
            Vec v = load_lanes(logits + begin + i, lanes);
            piece = piece + where_not_less(load_lanes(weights + begin + i, lanes), v, to);
            uint32_t inside = not_less(v, from) & ~not_less(v, to) & ((1u << lanes) - 1);
            for (; inside != 0; inside &= inside - 1) {
                int64_t id = begin + i + __builtin_ctz(inside);
                keys[size++] = order_key(logits[id], id);
            }
        });
        *above += static_cast<double>(sum(piece));
    }
    return size;
}

int64_t rank(const float* logits, const float* maxima, int64_t n, int64_t token) {
    float value = logits[token];
    int64_t before = 0;
    for (int64_t begin = 0; begin < n; begin += kChunk) {
        if (maxima[begin / kChunk] < value) continue;
        int64_t end = begin + kChunk < n ? begin + kChunk : n;
        int64_t i = begin;
        if (token < begin || token >= end) {
            Vec bound = broadcast(value);
            bool ties = end <= token;
            for (; i + kLanes <= end; i += kLanes) {
                Vec v = load(logits + i);
                before += ties ? __builtin_popcount(not_less(v, bound)) : count_greater(v, bound);
            }
        }
        for (; i < end; ++i) before += logits[i] > value || (i < token && logits[i] == value);
    }
    return before + 1;
}

}  // namespace
}  // namespace ct
