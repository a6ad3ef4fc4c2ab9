// rope_head.h: norm and rotation of one head, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/rope/rope.h"

namespace ct {
namespace {

inline void rotate_halves(float* head, const float* cosine, const float* sine, int64_t half) {
    for_lanes(half, [&](int64_t i, int64_t n) {
        Vec a = load_lanes(head + i, n);
        Vec b = load_lanes(head + half + i, n);
        Vec c = load_lanes(cosine + i, n);
        Vec s = load_lanes(sine + i, n);
        store_lanes(head + i, a * c - b * s, n);
        store_lanes(head + half + i, b * c + a * s, n);
    });
}

inline void rotate_neighbours(float* head, const float* cosine, const float* sine, int64_t half) {
    for (int64_t i = 0; i < half; ++i) {
        float a = head[2 * i];
        float b = head[2 * i + 1];
        head[2 * i] = a * cosine[i] - b * sine[i];
        head[2 * i + 1] = b * cosine[i] + a * sine[i];
    }
}

template <typename Y, typename X>
void rope_head(Y* y, const X* x, const HeadWork& work) {
    alignas(64) float head[kMaxLatentDim];
    int64_t dim = work.head_dim;
    if (work.norm) {
        float squares = sum_of_squares(dim, [&](int64_t i, int64_t n) { return load_lanes(x + i, n); });
        Vec factor = broadcast(1.0f / __builtin_sqrtf(squares / static_cast<float>(dim) + work.eps));
        for_lanes(dim, [&](int64_t i, int64_t n) {
            store_lanes(head + i, load_lanes(x + i, n) * factor * load_lanes(work.norm + i, n), n);
        });
    } else {
        for_lanes(dim, [&](int64_t i, int64_t n) { store_lanes(head + i, load_lanes(x + i, n), n); });
    }
    if (work.cos_sin) {
        int64_t half = work.rotary_dim / 2;
        auto rotate = work.style == CT_ROPE_HALVES ? rotate_halves : rotate_neighbours;
        rotate(head, work.cos_sin, work.cos_sin + half, half);
    }
    // A head's dimensions are a multiple of every vector's lanes.
    if constexpr (std::is_same_v<Y, e4m3>) {
        const Vec scale = broadcast(work.scale);
        for (int64_t i = 0; i < dim; i += kLanes) store(y + i, load(head + i) / scale);
    } else {
        for (int64_t i = 0; i < dim; i += kLanes) store(y + i, load(head + i));
    }
}

template <typename X>
constexpr RopeHeadsFrom<X> kHeadsFrom{rope_head<float, X>, rope_head<bf16, X>, rope_head<f16, X>, rope_head<e4m3, X>};

}  // namespace
}  // namespace ct
