// activation.cpp: ct_activation_mul.
#include "kernels/activation/activation.h"

#include <algorithm>

#include "core/backend.h"

namespace ct {
namespace {

constexpr int64_t kPieceCols = 2048;  // columns that one thread takes at a time; every column is on its own

template <typename T>
int32_t enqueue_activation(ct_buffer* y, const ct_buffer* x, int64_t rows, int64_t cols, int64_t y_stride,
                           int64_t x_stride, int32_t activation, ct_stream* stream) {
    ActivationRow<T> row = variant(stream, kActivationScalar, kActivationAvx2, kActivationAvx512).of<T>(activation);
    T* to = data<T>(y);
    const T* from = data<T>(x);
    return enqueue(stream, [=](Team& team) {
        int64_t pieces = (cols + kPieceCols - 1) / kPieceCols;
        team.run(rows * pieces, [=](int64_t part, int) {
            int64_t r = part / pieces;
            int64_t c = part % pieces * kPieceCols;
            const T* gate = from + r * x_stride + c;
            row(to + r * y_stride + c, gate, gate + cols, std::min(kPieceCols, cols - c));
        });
    });
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_activation_mul(ct_buffer* y, const ct_buffer* x, int64_t rows, int64_t cols, int64_t y_stride,
                                     int64_t x_stride, int32_t dtype, int32_t activation, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::check_activation_dtype(__func__, "dtype", dtype));
    CT_REQUIRE(activation == CT_SILU || activation == CT_GELU_TANH, "activation=%d must be CT_SILU or CT_GELU_TANH",
               static_cast<int>(activation));
    int64_t both = 0;
    CT_REQUIRE(cols >= 0 && ct::multiply(cols, 2, &both), "cols=%lld must be >= 0 and 2 * cols fit into 64 bits",
               static_cast<long long>(cols));
    int64_t bytes = ct::dtype_bytes(dtype);
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, rows, cols, y_stride, bytes));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, rows, both, x_stride, bytes));
    CT_REQUIRE(y->data != x->data || y_stride == x_stride || rows < 2, "y is x, so y_stride=%lld must be x_stride=%lld",
               static_cast<long long>(y_stride), static_cast<long long>(x_stride));
    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::activation_mul,
                          {y->data, x->data, rows, cols, y_stride, x_stride, dtype, activation});
    }
    return ct::with_dtype(dtype, [&]<typename T>(T*) {
        return ct::enqueue_activation<T>(y, x, rows, cols, y_stride, x_stride, activation, stream);
    });
}
