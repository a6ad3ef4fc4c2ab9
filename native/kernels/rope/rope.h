// rope.h: the kernel's variants.
#pragma once

#include "core/core.h"

namespace ct {

inline constexpr int64_t kMaxHeadDim = 256;

// What is done with a head between reading and writing it.
struct HeadWork {
    const float* norm;     // null: no norm
    const float* cos_sin;  // of the token's position; null: no rotation
    int32_t head_dim;
    int32_t rotary_dim;
    int32_t style;
    float eps;
};

// y = rotate(norm(x)) of one head; y may be x.
template <typename Y, typename X>
using RopeHead = void (*)(Y* y, const X* x, const HeadWork& work);

struct RopeHeads {
    RopeHead<float, float> f32_f32;
    RopeHead<bf16, float> b16_f32;
    RopeHead<float, bf16> f32_b16;
    RopeHead<bf16, bf16> b16_b16;
    template <typename Y, typename X>
    RopeHead<Y, X> of() const {
        constexpr bool kWideY = std::is_same_v<Y, float>;
        if constexpr (std::is_same_v<X, float>) {
            if constexpr (kWideY) return f32_f32;
            if constexpr (!kWideY) return b16_f32;
        } else {
            if constexpr (kWideY) return f32_b16;
            if constexpr (!kWideY) return b16_b16;
        }
    }
};

extern const RopeHeads kRopeScalar;
extern const RopeHeads kRopeAvx2;
extern const RopeHeads kRopeAvx512;

}  // namespace ct
