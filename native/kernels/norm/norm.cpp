// norm.cpp: ct_norm.
#include "kernels/norm/norm.h"

#include <cmath>

#include "core/backend.h"

namespace ct {
namespace {

template <typename T>
int32_t enqueue_norm(ct_buffer* y, ct_buffer* residual, const ct_buffer* x, const NormWork& work, int64_t rows,
                     int64_t y_stride, int64_t residual_stride, int64_t x_stride, ct_stream* stream) {
    NormRow<T> row = variant(stream, kNormScalar, kNormAvx2, kNormAvx512).of<T>();
    T* to = data<T>(y);
    float* sums = data<float>(residual);
    const T* from = data<T>(x);
    return enqueue(stream, [=](Team& team) {
        team.run(rows, [=](int64_t r, int) {
            row(to + r * y_stride, sums ? sums + r * residual_stride : nullptr, from + r * x_stride, work);
        });
    });
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_norm(ct_buffer* y, ct_buffer* residual, const ct_buffer* x, const ct_buffer* weight, int64_t rows,
                           int64_t cols, int64_t y_stride, int64_t residual_stride, int64_t x_stride, int32_t dtype,
                           int32_t kind, float eps, float x_scale, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::check_activation_dtype(__func__, "dtype", dtype));
    CT_REQUIRE(kind >= CT_NORM_RMS && kind <= CT_NORM_NONE, "kind=%d must be 0, 1 or 2", static_cast<int>(kind));
    CT_REQUIRE(cols >= 1, "cols=%lld must be at least 1", static_cast<long long>(cols));
    CT_REQUIRE(eps >= 0, "eps=%g must be >= 0", static_cast<double>(eps));
    CT_REQUIRE(std::isfinite(x_scale), "x_scale=%g must be finite", static_cast<double>(x_scale));
    int64_t bytes = ct::dtype_bytes(dtype);
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, rows, cols, y_stride, bytes));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, rows, cols, x_stride, bytes));
    if (residual) CT_TRY(ct::check_matrix(__func__, "residual", residual, stream, rows, cols, residual_stride, 4));
    if (kind == CT_NORM_NONE) {
        CT_REQUIRE(!weight, "weight must be null with CT_NORM_NONE");
    } else {
        CT_TRY(ct::check_buffer(__func__, "weight", weight, stream, cols, 4));
    }
    CT_REQUIRE(y->data != x->data || y_stride == x_stride || rows < 2, "y is x, so y_stride=%lld must be x_stride=%lld",
               static_cast<long long>(y_stride), static_cast<long long>(x_stride));
    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::norm,
                          {y->data, ct::data<float>(residual), x->data, ct::data<float>(weight), rows, cols, y_stride,
                           residual_stride, x_stride, dtype, kind, eps, x_scale});
    }
    return ct::with_dtype(dtype, [&]<typename T>(T*) {
        return ct::enqueue_norm<T>(y, residual, x, {ct::data<float>(weight), cols, kind, eps, x_scale}, rows, y_stride,
                                   residual_stride, x_stride, stream);
    });
}
