// weights_stub.cpp: stands in for weights.cpp until the linear branch is merged: float32 rows as they are.
#include "core/core.h"

namespace ct {

void weights_row(float* out, const ct_weights& weights, int64_t row) {
    const unsigned char* at = weights.data + row * weights.cols * dtype_bytes(weights.dtype);
    for (int64_t c = 0; c < weights.cols; ++c) {
        if (weights.dtype == CT_F32) {
            std::memcpy(out + c, at + 4 * c, 4);
        } else {
            bf16 value;
            std::memcpy(&value, at + 2 * c, 2);
            out[c] = to_float(value);
        }
    }
}

}  // namespace ct
