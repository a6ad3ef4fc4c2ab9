// sum_rows.cpp: ct_sum_rows: additions in memory order, one instruction set is enough.
#include <algorithm>
#include <limits>

#include "core/backend.h"

namespace ct {
namespace {

constexpr int64_t kPiece = 512;  // columns of a sum that one thread takes at a time

template <typename T>
void sum_piece(const SumRowsArgs& a, int64_t segment, int64_t begin, int64_t size) {
    const int32_t* s = a.segments + segment * 4;
    const int64_t first = s[0], end = s[1], n = s[2];
    if (n < 0 || n >= a.num_sums) return;
    float* sum = a.sums + n * a.cols + begin;
    if (first < 0 || end > a.x_rows || first > end) {
        std::fill_n(sum, size, std::numeric_limits<float>::quiet_NaN());
        return;
    }
    if (s[3] != 0) std::fill_n(sum, size, 0.0f);
    const T* x = static_cast<const T*>(a.x) + begin;
    for (int64_t row = first; row < end; ++row) {
        for (int64_t c = 0; c < size; ++c) sum[c] += to_float(x[row * a.x_stride + c]);
    }
}

template <typename T>
int32_t enqueue_sum_rows(const SumRowsArgs& args, ct_stream* stream) {
    return enqueue(stream, [args](Team& team) {
        const int64_t pieces = (args.cols + kPiece - 1) / kPiece;
        team.run(args.num_segments * pieces, [&args, pieces](int64_t part, int) {
            const int64_t begin = part % pieces * kPiece;
            sum_piece<T>(args, part / pieces, begin, std::min(kPiece, args.cols - begin));
        });
    });
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_sum_rows(ct_buffer* sums, const ct_buffer* x, const ct_buffer* segments, int64_t num_segments,
                               int64_t cols, int64_t num_sums, int64_t x_rows, int64_t x_stride, int32_t dtype,
                               ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::check_activation_dtype(__func__, "dtype", dtype));
    CT_REQUIRE(cols >= 1, "cols=%lld must be at least 1", static_cast<long long>(cols));
    CT_REQUIRE(num_segments >= 0 && num_segments <= num_sums, "num_segments=%lld must be in [0, num_sums=%lld]",
               static_cast<long long>(num_segments), static_cast<long long>(num_sums));
    int64_t bytes = ct::dtype_bytes(dtype);
    CT_TRY(ct::check_matrix(__func__, "sums", sums, stream, num_sums, cols, cols, 4));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, x_rows, cols, x_stride, bytes));
    CT_TRY(ct::check_matrix(__func__, "segments", segments, stream, num_segments, 4, 4, 4));
    // Both were checked to fit into their buffers, so the ends cannot overflow.
    const unsigned char* sums_end = sums->data + num_sums * cols * 4;
    const unsigned char* x_end = x->data + (x_rows > 0 ? ((x_rows - 1) * x_stride + cols) * bytes : 0);
    CT_REQUIRE(sums_end <= x->data || x_end <= sums->data, "sums of num_sums=%lld and x of x_rows=%lld overlap",
               static_cast<long long>(num_sums), static_cast<long long>(x_rows));
    const ct::SumRowsArgs args{ct::data<float>(sums),
                               x->data,
                               ct::data<int32_t>(segments),
                               num_segments,
                               cols,
                               num_sums,
                               x_rows,
                               x_stride,
                               dtype};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::sum_rows, args);
    return ct::with_dtype(dtype, [&]<typename T>(T*) { return ct::enqueue_sum_rows<T>(args, stream); });
}
