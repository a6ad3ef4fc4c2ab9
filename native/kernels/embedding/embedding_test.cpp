// embedding_test.cpp: ct_embedding, ct_gather_rows and ct_feed_tokens on the CPU, and what they refuse.
#include "kernels/embedding/embedding_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d;
    constexpr int64_t kCols = 8;
    Array<float> x(d, 6 * kCols), y(d, 9 * kCols);
    Array<int32_t> rows(d, 9), few(d, 3);
    auto gather = [&](ct_buffer* to, const ct_buffer* from, int64_t num_rows, int64_t x_rows) {
        return ct_gather_rows(to, from, rows.buffer, num_rows, kCols, x_rows, kCols, kCols, CT_F32, d.stream);
    };
    CHECK_OK(gather(y.buffer, x.buffer, 9, 6));
    CHECK_STATUS(gather(x.buffer, x.buffer, 2, 3), CT_INVALID);
    CHECK_STATUS(gather(y.buffer, x.buffer, 10, 3), CT_INVALID);
    CHECK_STATUS(gather(y.buffer, x.buffer, 2, -3), CT_INVALID);
    CHECK_STATUS(gather(y.buffer, nullptr, 2, 3), CT_INVALID);

    std::vector<float> values(37 * kCols);
    const ct_weights_part part = testing::weights_part(values.data(), 37, 37 * kCols * 4, CT_FORMAT_F32);
    ct_weights* table = nullptr;
    CHECK_OK(ct_weights_create(&table, d.device, &part, 1, kCols, CT_F32, CT_WEIGHTS_EMBEDDING));
    auto embed = [&](const ct_weights* from, const ct_buffer* ids, int64_t num_tokens, int64_t stride) {
        return ct_embedding(y.buffer, from, ids, num_tokens, stride, CT_F32, 1, d.stream);
    };
    CHECK_OK(embed(table, rows.buffer, 9, kCols));
    CHECK_STATUS(embed(table, rows.buffer, 10, kCols), CT_INVALID);
    CHECK_STATUS(embed(table, few.buffer, 4, kCols), CT_INVALID);
    CHECK_STATUS(embed(table, rows.buffer, 7, kCols - 1), CT_INVALID);
    CHECK_STATUS(embed(nullptr, rows.buffer, 7, kCols), CT_INVALID);
    CHECK_STATUS(embed(table, nullptr, 7, kCols), CT_INVALID);

    auto feed = [&](ct_buffer* ids, const ct_buffer* tokens, int64_t num_tokens, int64_t num_rows) {
        return ct_feed_tokens(ids, tokens, rows.buffer, num_tokens, num_rows, d.stream);
    };
    CHECK_OK(feed(few.buffer, few.buffer, 0, 3));
    CHECK_STATUS(feed(few.buffer, few.buffer, 4, 3), CT_INVALID);
    CHECK_STATUS(feed(few.buffer, few.buffer, 3, 4), CT_INVALID);
    CHECK_STATUS(feed(few.buffer, few.buffer, -1, 3), CT_INVALID);
    CHECK_STATUS(feed(nullptr, few.buffer, 3, 3), CT_INVALID);
    CHECK_STATUS(feed(few.buffer, nullptr, 3, 3), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK_OK(ct_weights_destroy(table));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int64_t cols : {1, 16, 33, 200}) {
            gathersRows<float>(d, cols, 1);
            gathersRows<ct::bf16>(d, cols, 1);
            for (int32_t use : {CT_WEIGHTS_LINEAR, CT_WEIGHTS_EMBEDDING}) {
                embedsIds<float, float>(d, cols, 1, use);
                embedsIds<float, ct::bf16>(d, cols, 1, use);
                embedsIds<ct::bf16, float>(d, cols, 1, use);
                embedsIds<ct::bf16, ct::bf16>(d, cols, 1, use);
            }
        }
        for (int64_t tokens : {0, 1, 2, 100}) feedsTokens(d, tokens, 17);
    });
    refusesWrongArguments();
    return finish("embedding");
}
