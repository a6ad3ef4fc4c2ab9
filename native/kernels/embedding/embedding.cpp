// embedding.cpp: ct_embedding, ct_gather_rows and ct_feed_tokens: copies, one instruction set is enough.
#include <limits>

#include "core/backend.h"

namespace ct {
namespace {

constexpr int64_t kPiece = 1024;  // columns of a row that one thread takes at a time

template <typename T>
void fill_nan(T* y, int64_t cols) {
    for (int64_t c = 0; c < cols; ++c) y[c] = from_float<T>(std::numeric_limits<float>::quiet_NaN());
}

template <typename T>
int32_t enqueue_embedding(ct_buffer* y, const ct_weights* table, const ct_buffer* ids, int64_t num_tokens,
                          int64_t y_stride, float scale, ct_stream* stream) {
    T* to = data<T>(y);
    const int32_t* id = data<int32_t>(ids);
    return enqueue(stream, [=](Team& team) {
        int64_t pieces = (table->cols + kPiece - 1) / kPiece;
        team.run(num_tokens * pieces, [=](int64_t part, int) {
            int64_t t = part / pieces;
            int64_t begin = part % pieces * kPiece;
            int64_t size = table->cols - begin < kPiece ? table->cols - begin : kPiece;
            T* row = to + t * y_stride + begin;
            if (id[t] < 0 || id[t] >= table->rows) {
                fill_nan(row, size);
                return;
            }
            float wide[kPiece];
            weights_row(wide, *table, id[t], begin, begin + size);
            for (int64_t c = 0; c < size; ++c) row[c] = from_float<T>(wide[c] * scale);
        });
    });
}

template <typename T>
int32_t enqueue_gather(ct_buffer* y, const ct_buffer* x, const ct_buffer* rows, int64_t num_rows, int64_t cols,
                       int64_t x_rows, int64_t y_stride, int64_t x_stride, ct_stream* stream) {
    T* to = data<T>(y);
    const T* from = data<T>(x);
    const int32_t* row = data<int32_t>(rows);
    return enqueue(stream, [=](Team& team) {
        team.run(num_rows, [=](int64_t i, int) {
            if (row[i] < 0 || row[i] >= x_rows) {
                fill_nan(to + i * y_stride, cols);
            } else {
                std::memcpy(to + i * y_stride, from + row[i] * x_stride, static_cast<size_t>(cols) * sizeof(T));
            }
        });
    });
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_embedding(ct_buffer* y, const ct_weights* table, const ct_buffer* ids, int64_t num_tokens,
                                int64_t y_stride, int32_t dtype, float scale, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_REQUIRE(table, "table is null");
    CT_REQUIRE(table->device == ct::device_of(stream), "table lives on another device than the stream");
    CT_REQUIRE(table->use != CT_WEIGHTS_EXPERT, "table is for CT_WEIGHTS_EXPERT");
    CT_TRY(ct::check_activation_dtype(__func__, "dtype", dtype));
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, num_tokens, table->cols, y_stride, ct::dtype_bytes(dtype)));
    CT_TRY(ct::check_buffer(__func__, "ids", ids, stream, num_tokens, 4));
    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::embedding,
                          {y->data, table->data, ct::data<int32_t>(ids), num_tokens, table->cols, table->rows, y_stride,
                           table->stride, dtype, table->dtype, scale});
    }
    return ct::with_dtype(dtype, [&]<typename T>(T*) {
        return ct::enqueue_embedding<T>(y, table, ids, num_tokens, y_stride, scale, stream);
    });
}

extern "C" int32_t ct_gather_rows(ct_buffer* y, const ct_buffer* x, const ct_buffer* rows, int64_t num_rows,
                                  int64_t cols, int64_t x_rows, int64_t y_stride, int64_t x_stride, int32_t dtype,
                                  ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::check_activation_dtype(__func__, "dtype", dtype));
    int64_t bytes = ct::dtype_bytes(dtype);
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, num_rows, cols, y_stride, bytes));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, x_rows, cols, x_stride, bytes));
    CT_TRY(ct::check_buffer(__func__, "rows", rows, stream, num_rows, 4));
    // Both were checked to fit into their buffers, so the ends cannot overflow.
    const unsigned char* y_end = y->data + (num_rows > 0 ? ((num_rows - 1) * y_stride + cols) * bytes : 0);
    const unsigned char* x_end = x->data + (x_rows > 0 ? ((x_rows - 1) * x_stride + cols) * bytes : 0);
    CT_REQUIRE(y_end <= x->data || x_end <= y->data, "y of num_rows=%lld and x of x_rows=%lld overlap",
               static_cast<long long>(num_rows), static_cast<long long>(x_rows));
    if (ct::has_backend(stream)) {
        return ct::launch(
            __func__, stream, &ct::Operations::gather_rows,
            {y->data, x->data, ct::data<int32_t>(rows), num_rows, cols, x_rows, y_stride, x_stride, dtype});
    }
    return ct::with_dtype(dtype, [&]<typename T>(T*) {
        return ct::enqueue_gather<T>(y, x, rows, num_rows, cols, x_rows, y_stride, x_stride, stream);
    });
}

extern "C" int32_t ct_feed_tokens(ct_buffer* ids, const ct_buffer* tokens, const ct_buffer* rows, int64_t num_tokens,
                                  int64_t num_rows, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::check_buffer(__func__, "ids", ids, stream, num_tokens, 4));
    CT_TRY(ct::check_buffer(__func__, "tokens", tokens, stream, num_rows, 4));
    CT_TRY(ct::check_buffer(__func__, "rows", rows, stream, num_tokens, 4));
    const ct::FeedTokensArgs args{ct::data<int32_t>(ids), ct::data<int32_t>(tokens), ct::data<int32_t>(rows),
                                  num_tokens, num_rows};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::feed_tokens, args);
    return ct::enqueue(stream, [args](ct::Team&) {
        for (int64_t t = 0; t < args.num_tokens; ++t) {
            int64_t row = args.rows[t];
            if (row >= 0) args.ids[t] = row < args.num_rows ? args.tokens[row] : -1;
        }
    });
}
