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

extern "C" int32_t ct_weights_create(ct_weights** weights, ct_device* device, const ct_weights_part* parts,
                                     int64_t num_parts, int64_t cols, int32_t dtype, int32_t use) {
    CT_REQUIRE(weights && device && parts, "null");
    CT_REQUIRE(num_parts == 1 && cols >= 1 && dtype == CT_F32, "stub");
    CT_REQUIRE(parts->data && parts->data_bytes == parts->rows * cols * 4, "stub");
    auto* data = ct::allocate_bytes(parts->data_bytes);
    std::memcpy(data, parts->data, static_cast<size_t>(parts->data_bytes));
    *weights = new ct_weights{device, dtype, use, parts->rows, cols, data, parts->data_bytes};
    device->children.fetch_add(1);
    return ct::ok();
}

extern "C" int32_t ct_weights_destroy(ct_weights* weights) {
    CT_REQUIRE(weights, "null");
    ct::free_bytes(weights->data, weights->data_bytes);
    weights->device->children.fetch_sub(1);
    delete weights;
    return ct::ok();
}

extern "C" int32_t ct_weights_bytes(int64_t* bytes, const ct_weights* weights) {
    CT_REQUIRE(bytes && weights, "null");
    *bytes = weights->data_bytes;
    return ct::ok();
}
