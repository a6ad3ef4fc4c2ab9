// moe.h: what the files of the family share, and the inner loops of each instruction set.
#pragma once

#include "core/backend.h"
#include "kernels/linear/kept.h"

// The matrices of a layer's experts; the handles are the caller's.
struct ct_experts {
    struct Matrices {
        const ct_weights* gate;  // null: the expert is not on this device, and neither are the two below
        const ct_weights* up;
        const ct_weights* down;
    };
    ct_device* device;
    Matrices* matrices;     // [num_experts]
    const Matrices* first;  // the first that is there: all have its shapes and formats
    int32_t num_experts;
    int64_t hidden;                 // H
    int64_t inner;                  // I
    ct::ExpertMatrices* on_device;  // of a backend's device: its memory
};

namespace ct::moe {

// Of the slots of a call; they are counted in 32 bits.
inline constexpr int64_t kMostSlots = (int64_t{1} << 31) - (int64_t{1} << 16);

// The beginning of a plan, as cortado.h tells it.
struct PlanView {
    const int32_t* offsets;  // [num_experts + 1]
    const int32_t* slots;    // [num_slots]

    PlanView(const void* plan, int32_t num_experts)
        : offsets(static_cast<const int32_t*>(plan)), slots(offsets + num_experts + 1) {}
};

int32_t check_slots(const char* function, int64_t num_tokens, int32_t top_k, int32_t num_experts);

// Between the products. Biases are nullable.
struct Gate {
    const float* gate;
    const float* up;
    const float* gate_bias;
    const float* up_bias;
    float alpha;
    float limit;
};

struct CombineRow {
    void* out;
    const unsigned char* y;  // the token's first slot, at the first column
    const int32_t* ids;
    const float* weights;
    const int32_t* present;  // nullable
    const void* shared;      // nullable
    float shared_factor;
    int64_t y_stride;
    int32_t top_k;
    int32_t num_experts;
};

struct Functions {
    // scores[0..count) = softmax of the values, or the sigmoid of each; `largest` is theirs.
    void (*softmax)(float* scores, const float* values, int64_t count, float largest);
    void (*sigmoid)(float* scores, const float* values, int64_t count);
    // out[0..cols), by ct_dtype and ct_moe_activation.
    void (*activate[2][3])(void* out, const Gate& gate, int64_t cols);
    // By the ct_dtype of out, of y and of shared.
    void (*combine[2][2][2])(const CombineRow& row, int64_t cols);
};

extern const Functions kScalar;
extern const Functions kAvx2;
extern const Functions kAvx512;

}  // namespace ct::moe
