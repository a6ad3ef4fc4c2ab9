// embedding_testing.h: what every device is asked about ct_embedding, ct_gather_rows and ct_feed_tokens.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

// pad: elements between the rows.
template <typename T>
void gathersRows(Device& d, int64_t cols, int64_t pad) {
    Random random(5);
    constexpr int64_t kRows = 6, kTaken = 9;
    int64_t x_stride = cols + pad, y_stride = cols + 2 * pad;
    Array<T> x(d, kRows * x_stride), y(d, kTaken * y_stride);
    fill(x, random);
    Array<int32_t> rows(d, {3, 0, 5, 5, -1, 6, INT32_MIN, INT32_MAX, 1});
    y.poison();
    CHECK_OK(
        ct_gather_rows(y.buffer, x.buffer, rows.buffer, kTaken, cols, kRows, y_stride, x_stride, kDtype<T>, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t i = 0; i < kTaken; ++i) {
        bool inside = rows.at[i] >= 0 && rows.at[i] < kRows;
        for (int64_t c = 0; c < cols; ++c) {
            T got = y.at[i * y_stride + c];
            CHECK(inside ? same_bits(got, x.at[rows.at[i] * x_stride + c]) : std::isnan(value(got)));
        }
        for (int64_t c = cols; c < y_stride; ++c) CHECK(untouched(y.at[i * y_stride + c]));
    }
}

template <typename T, typename W>
void embedsIds(Device& d, int64_t cols, int64_t pad, int32_t use) {
    Random random(6);
    constexpr int64_t kRows = 37;
    std::vector<W> values(static_cast<size_t>(kRows * cols));
    for (W& v : values) v = ct::from_float<W>(random.normal());
    const ct_weights_part part =
        weights_part(values.data(), kRows, kRows * cols * static_cast<int64_t>(sizeof(W)), kDtype<W>);
    ct_weights* table = nullptr;
    CHECK_OK(ct_weights_create(&table, d.device, &part, 1, cols, CT_F32, use));
    if (!table) return;
    Array<int32_t> ids(d, {36, 0, 17, -1, 37, INT32_MAX, 5});
    int64_t stride = cols + pad;
    Array<T> y(d, 7 * stride);
    y.poison();
    CHECK_OK(ct_embedding(y.buffer, table, ids.buffer, 7, stride, kDtype<T>, 1.5f, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t t = 0; t < 7; ++t) {
        for (int64_t c = 0; c < cols; ++c) {
            T got = y.at[t * stride + c];
            if (ids.at[t] >= 0 && ids.at[t] < kRows) {
                float stored = ct::to_float(values[static_cast<size_t>(ids.at[t] * cols + c)]);
                CHECK(same_bits(got, ct::from_float<T>(stored * 1.5f)));
            } else {
                CHECK(std::isnan(value(got)));
            }
        }
        for (int64_t c = cols; c < stride; ++c) CHECK(untouched(y.at[t * stride + c]));
    }
    CHECK_OK(ct_embedding(y.buffer, table, ids.buffer, 0, stride, kDtype<T>, 1, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK_OK(ct_weights_destroy(table));
}

inline void feedsTokens(Device& d, int64_t num_tokens, int64_t num_rows) {
    Random random(static_cast<uint64_t>(num_tokens));
    Array<int32_t> ids(d, num_tokens), tokens(d, num_rows), rows(d, num_tokens);
    for (int64_t i = 0; i < num_rows; ++i) tokens.at[i] = static_cast<int32_t>(random.below(1000));
    for (int64_t t = 0; t < num_tokens; ++t) {
        ids.at[t] = static_cast<int32_t>(2000 + t);
        rows.at[t] = static_cast<int32_t>(random.below(num_rows + 4) - 2);  // from -2 to num_rows + 1
    }
    if (num_tokens > 1) rows.at[num_tokens - 1] = INT32_MIN;
    CHECK_OK(ct_feed_tokens(ids.buffer, tokens.buffer, rows.buffer, num_tokens, num_rows, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t t = 0; t < num_tokens; ++t) {
        int32_t row = rows.at[t];
        CHECK(ids.at[t] == (row < 0 ? 2000 + t : row < num_rows ? tokens.at[row] : -1));
    }
}

}  // namespace testing
