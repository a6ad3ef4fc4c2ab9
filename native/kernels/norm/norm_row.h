// norm_row.h: RMSNorm of one row, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/norm/norm.h"

namespace ct {
namespace {

template <typename T>
void norm_row(T* y, float* residual, const T* x, const float* weight, int64_t cols, float eps) {
    float squares = sum_of_squares(cols, [&](int64_t i, int64_t n) {
        Vec v = load_lanes(x + i, n);
        if (residual) {
            v = v + load_lanes(residual + i, n);
            store_lanes(residual + i, v, n);
        }
        return v;
    });
    Vec factor = broadcast(1.0f / __builtin_sqrtf(squares / static_cast<float>(cols) + eps));
    for_lanes(cols, [&](int64_t i, int64_t n) {
        Vec v = residual ? load_lanes(residual + i, n) : load_lanes(x + i, n);
        store_lanes(y + i, v * factor * load_lanes(weight + i, n), n);
    });
}

}  // namespace
}  // namespace ct
