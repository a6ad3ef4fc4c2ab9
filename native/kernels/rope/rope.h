// rope.h: the kernel's variants.
#pragma once

#include "core/core.h"

namespace ct {

inline constexpr int64_t kMaxHeadDim = 256;
inline constexpr int64_t kMaxLatentDim = 512;

// What is done with a head between reading and writing it.
struct HeadWork {
    const float* norm;     // null: no norm
    const float* cos_sin;  // of the token's position; null: no rotation
    int32_t head_dim;
    int32_t rotary_dim;
    int32_t style;
    float eps;
    float scale;  // e4m3 holds the result over it
};

// y = rotate(norm(x)) of one head; y may be x.
template <typename Y, typename X>
using RopeHead = void (*)(Y* y, const X* x, const HeadWork& work);

// By the type that is written.
template <typename X>
struct RopeHeadsFrom {
    RopeHead<float, X> to_f32;
    RopeHead<bf16, X> to_bf16;
    RopeHead<f16, X> to_f16;
    RopeHead<e4m3, X> to_e4m3;
};

struct RopeHeads {
    RopeHeadsFrom<float> from_f32;
    RopeHeadsFrom<bf16> from_bf16;
    template <typename Y, typename X>
    RopeHead<Y, X> of() const {
        if constexpr (std::is_same_v<X, float>) {
            return pick<Y>(from_f32);
        } else {
            return pick<Y>(from_bf16);
        }
    }

private:
    template <typename Y, typename X>
    static RopeHead<Y, X> pick(const RopeHeadsFrom<X>& heads) {
        if constexpr (std::is_same_v<Y, float>) {
            return heads.to_f32;
        } else if constexpr (std::is_same_v<Y, bf16>) {
            return heads.to_bf16;
        } else if constexpr (std::is_same_v<Y, f16>) {
            return heads.to_f16;
        } else {
            return heads.to_e4m3;
        }
    }
};

extern const RopeHeads kRopeScalar;
extern const RopeHeads kRopeAvx2;
extern const RopeHeads kRopeAvx512;

}  // namespace ct
