// norm.h: the kernel's variants.
#pragma once

#include "core/core.h"

namespace ct {

struct NormWork {
    const float* weight;  // null with CT_NORM_NONE
    int64_t cols;
    int32_t kind;
    float eps, x_scale;
};

// One row; residual is nullable.
template <typename T>
using NormRow = void (*)(T* y, float* residual, const T* x, const NormWork& work);

struct NormRows {
    NormRow<float> f32;
    NormRow<bf16> b16;
    template <typename T>
    NormRow<T> of() const {
        if constexpr (std::is_same_v<T, float>) {
            return f32;
        } else {
            return b16;
        }
    }
};

extern const NormRows kNormScalar;
extern const NormRows kNormAvx2;
extern const NormRows kNormAvx512;

}  // namespace ct
