// activation.h: the kernel's variants.
#pragma once

#include "core/core.h"

namespace ct {

template <typename T>
using ActivationRow = void (*)(T* y, const T* gate, const T* up, int64_t cols);

// Indexed by ct_activation.
struct ActivationRows {
    ActivationRow<float> f32[2];
    ActivationRow<bf16> b16[2];
    template <typename T>
    ActivationRow<T> of(int32_t activation) const {
        if constexpr (std::is_same_v<T, float>) {
            return f32[activation];
        } else {
            return b16[activation];
        }
    }
};

extern const ActivationRows kActivationScalar;
extern const ActivationRows kActivationAvx2;
extern const ActivationRows kActivationAvx512;

}  // namespace ct
