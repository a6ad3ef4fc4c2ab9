// norm_row.h: the norm of one row, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/norm/norm.h"

namespace ct {
namespace {

// Where the values that are normed stand: x_scale * x, or the residual with that added to it.
template <typename T>
struct NormValues {
    const T* x;
    float* residual;  // nullable
    Vec x_scale;

    Vec add(int64_t i, int64_t n) const {
        Vec v = load_lanes(x + i, n) * x_scale;
        if (!residual) return v;
        v = v + load_lanes(residual + i, n);
        store_lanes(residual + i, v, n);
        return v;
    }

    Vec again(int64_t i, int64_t n) const {
        return residual ? load_lanes(residual + i, n) : load_lanes(x + i, n) * x_scale;
    }
};

template <typename T>
void norm_row(T* y, float* residual, const T* x, const NormWork& work) {
    NormValues<T> values{x, residual, broadcast(work.x_scale)};
    if (work.kind == CT_NORM_NONE) {
        for_lanes(work.cols, [&](int64_t i, int64_t n) { store_lanes(y + i, values.add(i, n), n); });
        return;
    }
    auto cols = static_cast<float>(work.cols);
    Vec mean = broadcast(0);
    float squares = 0;
    if (work.kind == CT_NORM_LAYER) {
        mean = broadcast(sum_of(work.cols, [&](int64_t i, int64_t n) { return values.add(i, n); }) / cols);
        squares = sum_of_squares(work.cols, [&](int64_t i, int64_t n) {
            // The lanes behind the row's end are no deviations.
            return first_of(values.again(i, n) - mean, n);
        });
    } else {
        squares = sum_of_squares(work.cols, [&](int64_t i, int64_t n) { return values.add(i, n); });
    }
    Vec factor = broadcast(1.0f / __builtin_sqrtf(squares / cols + work.eps));
    for_lanes(work.cols, [&](int64_t i, int64_t n) {
        store_lanes(y + i, (values.again(i, n) - mean) * factor * load_lanes(work.weight + i, n), n);
    });
}

}  // namespace
}  // namespace ct
