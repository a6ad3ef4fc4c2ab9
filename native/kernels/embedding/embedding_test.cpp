// embedding_test.cpp: ct_embedding and ct_gather_rows.
#include "tests/kernel_testing.h"

namespace {

using namespace testing;

template <typename T>
void gathersRows(Device& d, int64_t cols) {
    Random random(5);
    constexpr int64_t kRows = 6, kTaken = 9;
    Array<T> x(d, kRows * (cols + 1)), y(d, kTaken * (cols + 2));
    fill(x, random);
    Array<int32_t> rows(d, {3, 0, 5, 5, -1, 6, INT32_MIN, INT32_MAX, 1});
    y.poison();
    CHECK_OK(
        ct_gather_rows(y.buffer, x.buffer, rows.buffer, kTaken, cols, kRows, cols + 2, cols + 1, kDtype<T>, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t i = 0; i < kTaken; ++i) {
        bool inside = rows.at[i] >= 0 && rows.at[i] < kRows;
        for (int64_t c = 0; c < cols; ++c) {
            T got = y.at[i * (cols + 2) + c];
            CHECK(inside ? same_bits(got, x.at[rows.at[i] * (cols + 1) + c]) : std::isnan(value(got)));
        }
        CHECK(std::isnan(value(y.at[i * (cols + 2) + cols])));
    }
    CHECK_STATUS(ct_gather_rows(x.buffer, x.buffer, rows.buffer, 2, cols, 3, cols, cols, kDtype<T>, d.stream),
                 CT_INVALID);
    CHECK_STATUS(ct_gather_rows(y.buffer, x.buffer, rows.buffer, 10, cols, 3, cols, cols, kDtype<T>, d.stream),
                 CT_INVALID);
    CHECK_STATUS(ct_gather_rows(y.buffer, x.buffer, rows.buffer, 2, cols, -3, cols, cols, kDtype<T>, d.stream),
                 CT_INVALID);
    CHECK_STATUS(ct_gather_rows(y.buffer, nullptr, rows.buffer, 2, cols, 3, cols, cols, kDtype<T>, d.stream),
                 CT_INVALID);
}

template <typename T>
void embedsIds(Device& d, int64_t cols, int32_t use) {
    Random random(6);
    constexpr int64_t kRows = 37;
    std::vector<float> values(static_cast<size_t>(kRows * cols));
    for (float& v : values) v = random.normal();
    ct_weights_part part{values.data(), kRows, kRows * cols * 4};
    ct_weights* table = nullptr;
    CHECK_OK(ct_weights_create(&table, d.device, &part, 1, cols, CT_F32, use));
    if (!table) return;
    Array<int32_t> ids(d, {36, 0, 17, -1, 37, INT32_MAX, 5});
    Array<T> y(d, 7 * (cols + 1));
    y.poison();
    CHECK_OK(ct_embedding(y.buffer, table, ids.buffer, 7, cols + 1, kDtype<T>, 1.5f, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    for (int64_t t = 0; t < 7; ++t) {
        for (int64_t c = 0; c < cols; ++c) {
            T got = y.at[t * (cols + 1) + c];
            if (ids.at[t] >= 0 && ids.at[t] < kRows) {
                CHECK(same_bits(got, ct::from_float<T>(values[static_cast<size_t>(ids.at[t] * cols + c)] * 1.5f)));
            } else {
                CHECK(std::isnan(value(got)));
            }
        }
        CHECK(std::isnan(value(y.at[t * (cols + 1) + cols])));
    }
    CHECK_STATUS(ct_embedding(y.buffer, table, ids.buffer, 8, cols, kDtype<T>, 1, d.stream), CT_INVALID);
    CHECK_STATUS(ct_embedding(y.buffer, table, ids.buffer, 7, cols - 1, kDtype<T>, 1, d.stream), CT_INVALID);
    CHECK_STATUS(ct_embedding(y.buffer, nullptr, ids.buffer, 7, cols, kDtype<T>, 1, d.stream), CT_INVALID);
    CHECK_STATUS(ct_embedding(y.buffer, table, nullptr, 7, cols, kDtype<T>, 1, d.stream), CT_INVALID);
    CHECK_OK(ct_weights_destroy(table));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int64_t cols : {1, 16, 33, 200}) {
            gathersRows<float>(d, cols);
            gathersRows<ct::bf16>(d, cols);
            for (int32_t use : {CT_WEIGHTS_LINEAR, CT_WEIGHTS_EMBEDDING}) {
                embedsIds<float>(d, cols, use);
                embedsIds<ct::bf16>(d, cols, use);
            }
        }
    });
    return finish("embedding");
}
