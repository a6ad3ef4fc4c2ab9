// soft_cap_run.h: the soft cap of a run of columns, for the instruction set of the including file.
#pragma once

#include "core/vec.h"
#include "kernels/activation/soft_cap.h"

namespace ct {
namespace {

// tanh u = 1 - 2 / (1 + e^2u): to 2e-7 of the cap, which is what float32 holds of a logit near it. NaN stays NaN.
inline void soft_cap_run(float* x, int64_t cols, float scale, float cap) {
    const Vec one = broadcast(1.0f);
    const Vec two = broadcast(2.0f);
    const Vec factor = broadcast(cap > 0 ? 2 * scale / cap : scale);
    for_lanes(cols, [&](int64_t i, int64_t n) {
        Vec v = load_lanes(x + i, n) * factor;
        if (cap > 0) v = broadcast(cap) * (one - two / (one + exp(v)));
        store_lanes(x + i, v, n);
    });
}

}  // namespace
}  // namespace ct
