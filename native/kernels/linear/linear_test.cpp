// linear_test.cpp: ct_weights and ct_linear against plain loops, and row by row against themselves.
#include <algorithm>
#include <numeric>

#include "tests/kernel_testing.h"

namespace {

using testing::Array;
using testing::Device;
using testing::Random;

const char* isa_name(int32_t isa) { return isa == CT_ISA_AVX512 ? "avx512" : isa == CT_ISA_AVX2 ? "avx2" : "scalar"; }

struct Dtypes {
    int32_t w;  // of the source
    int32_t x;
    int32_t y;
};

// Bytes of values rounded to dtype, and the values that the bytes stand for.
struct Encoded {
    std::vector<unsigned char> bytes;
    std::vector<double> values;
};

Encoded random_values(Random& random, int64_t count, int32_t dtype) {
    Encoded out;
    for (int64_t i = 0; i < count; ++i) {
        float value = random.normal();
        unsigned char raw[4];
        int64_t size = ct::dtype_bytes(dtype);
        if (dtype == CT_F32) {
            std::memcpy(raw, &value, 4);
        } else if (dtype == CT_BF16) {
            const ct::bf16 rounded = ct::to_bf16(value);
            value = ct::to_float(rounded);
            std::memcpy(raw, &rounded, 2);
        } else {  // half: a random fraction and sign, exponents around 1, now and then a subnormal
            const auto exponent = static_cast<uint16_t>(random.below(16) == 0 ? 0 : 12 + random.below(4));
            const auto fraction = static_cast<uint16_t>(random.below(1024));
            const bool negative = random.below(2) == 1;
            value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                  : std::ldexp(1.0f + static_cast<float>(fraction) / 1024.0f, exponent - 15);
            value = negative ? -value : value;
            const auto bits = static_cast<uint16_t>((negative ? 0x8000 : 0) | (exponent << 10) | fraction);
            std::memcpy(raw, &bits, 2);
        }
        out.bytes.insert(out.bytes.end(), raw, raw + size);
        out.values.push_back(value);
    }
    return out;
}

// Packs w in `parts` parts of unequal size, from addresses that no load of more than a byte would like.
ct_weights* create_weights(Device& device, const Encoded& w, int64_t rows, int64_t cols, int32_t dtype, int64_t parts,
                           int32_t use = CT_WEIGHTS_LINEAR) {
    parts = std::min(parts, rows);
    const int64_t row_bytes = cols * ct::dtype_bytes(dtype);
    std::vector<std::vector<unsigned char>> storage;
    std::vector<ct_weights_part> list;
    for (int64_t i = 0, row = 0; i < parts; ++i) {
        const int64_t count = i + 1 == parts ? rows - row : 1 + i * (rows - parts) / (2 * parts);
        storage.emplace_back(static_cast<size_t>(1 + count * row_bytes));
        std::memcpy(storage.back().data() + 1, w.bytes.data() + row * row_bytes,
                    static_cast<size_t>(count * row_bytes));
        list.push_back(testing::weights_part(storage.back().data() + 1, count, count * row_bytes, dtype));
        row += count;
    }
    ct_weights* weights = nullptr;
    CHECK_OK(ct_weights_create(&weights, device.device, list.data(), parts, cols, CT_F32, use));
    return weights;
}

double element(const Array<unsigned char>& y, int64_t index, int32_t dtype) {
    if (dtype == CT_F32) {
        float value;
        std::memcpy(&value, y.at + 4 * index, 4);
        return value;
    }
    ct::bf16 value;
    std::memcpy(&value, y.at + 2 * index, 2);
    return ct::to_float(value);
}

void matches_plain_loops(Device& device, int64_t m, int64_t n, int64_t k, const Dtypes& dtypes, bool with_bias) {
    testing::context = "M=" + std::to_string(m) + " N=" + std::to_string(n) + " K=" + std::to_string(k) + " w " +
                       std::to_string(dtypes.w) + " x " + std::to_string(dtypes.x) + " y " + std::to_string(dtypes.y) +
                       (with_bias ? " bias" : "");
    Random random(static_cast<uint64_t>(m * 1000003 + n * 1009 + k));
    const Encoded w = random_values(random, n * k, dtypes.w);
    ct_weights* weights = create_weights(device, w, n, k, dtypes.w, 1 + (m + n) % 3);

    const int64_t x_stride = k + random.below(4);
    const int64_t y_stride = n + random.below(4);
    const int64_t x_bytes = ct::dtype_bytes(dtypes.x);
    const int64_t y_bytes = ct::dtype_bytes(dtypes.y);
    const Encoded x = random_values(random, m * k, dtypes.x);
    // Only as long as needed, and NaN between the rows: what a kernel reads too much shows.
    Array<unsigned char> x_device(device, ((m - 1) * x_stride + k) * x_bytes);
    x_device.poison();
    for (int64_t r = 0; r < m; ++r) {
        std::memcpy(x_device.at + r * x_stride * x_bytes, x.bytes.data() + r * k * x_bytes,
                    static_cast<size_t>(k * x_bytes));
    }
    Array<unsigned char> y(device, ((m - 1) * y_stride + n) * y_bytes);
    y.poison();
    Array<float> bias(device, n);
    for (int64_t i = 0; i < n; ++i) {
        bias.at[i] = random.normal();
    }
    CHECK_OK(ct_linear(y.buffer, x_device.buffer, weights, with_bias ? bias.buffer : nullptr, m, y_stride, x_stride,
                       dtypes.y, dtypes.x, device.stream));
    CHECK_OK(ct_stream_synchronize(device.stream));

    for (int64_t r = 0; r < m; ++r) {
        for (int64_t c = 0; c < n; ++c) {
            double sum = with_bias ? bias.at[c] : 0.0;
            double magnitude = std::fabs(sum);
            for (int64_t i = 0; i < k; ++i) {
                const double product =
                    x.values[static_cast<size_t>(r * k + i)] * w.values[static_cast<size_t>(c * k + i)];
                sum += product;
                magnitude += std::fabs(product);
            }
            // Each of the k additions in float32 may be off by half a unit of the running sum's last place.
            double tolerance = magnitude * 0x1p-24 * static_cast<double>(k + 2);
            if (dtypes.y == CT_BF16) {
                tolerance += std::fabs(sum) * 0x1p-8;
            }
            CHECK_CLOSE(element(y, r * y_stride + c, dtypes.y), sum, tolerance);
        }
    }
    // The gaps between the rows still hold the poison.
    for (int64_t r = 0; r + 1 < m; ++r) {
        const unsigned char* gap = y.at + (r * y_stride + n) * y_bytes;
        CHECK(std::all_of(gap, gap + (y_stride - n) * y_bytes, [](unsigned char byte) { return byte == 0xff; }));
    }
    CHECK_OK(ct_weights_destroy(weights));
}

void matches_plain_loops_at_every_edge(Device& device) {
    constexpr Dtypes kBf16 = {CT_BF16, CT_BF16, CT_BF16};
    constexpr int64_t kRows[] = {1, 2, 3, 5, 8, 13, 17, 64, 65};
    constexpr int64_t kCols[] = {1, 15, 16, 17, 31, 33, 63, 64, 65, 100};
    constexpr int64_t kDepths[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 100, 257};
    for (const int32_t w : {CT_BF16, CT_F32, CT_F16}) {
        for (const int32_t x : {CT_BF16, CT_F32}) {
            // Every N with every K for few rows; every M against one N and K past an edge.
            for (const int64_t n : kCols) {
                for (const int64_t k : kDepths) {
                    const bool odd = (n + k) % 2 == 1;
                    matches_plain_loops(device, 1 + (n + k) % 3, n, k, {w, x, odd ? CT_BF16 : CT_F32}, k % 2 == 0);
                }
            }
            for (const int64_t m : kRows) {
                matches_plain_loops(device, m, 100, 33, {w, x, CT_F32}, true);
                matches_plain_loops(device, m, 33, 257, {w, x, CT_BF16}, false);
            }
        }
    }
    matches_plain_loops(device, 13, 70, 2051, kBf16, true);                       // several blocks over K
    matches_plain_loops(device, 100, 70, 1027, {CT_BF16, CT_F32, CT_F32}, true);  // and over rows
    matches_plain_loops(device, 193, 20, 1100, {CT_F32, CT_BF16, CT_F32}, false);
}

// Results of `rows` (indices into the rows of x, in this order) as bytes.
std::vector<unsigned char> run_rows(Device& device, const ct_weights* weights, const Encoded& x,
                                    const std::vector<int64_t>& rows, int64_t n, int64_t k, const Dtypes& dtypes) {
    const auto m = static_cast<int64_t>(rows.size());
    const int64_t row_bytes = k * ct::dtype_bytes(dtypes.x);
    Array<unsigned char> x_device(device, m * row_bytes);
    for (int64_t r = 0; r < m; ++r) {
        std::memcpy(x_device.at + r * row_bytes, x.bytes.data() + rows[static_cast<size_t>(r)] * row_bytes,
                    static_cast<size_t>(row_bytes));
    }
    Array<unsigned char> y(device, m * n * ct::dtype_bytes(dtypes.y));
    y.poison();
    CHECK_OK(ct_linear(y.buffer, x_device.buffer, weights, nullptr, m, n, k, dtypes.y, dtypes.x, device.stream));
    CHECK_OK(ct_stream_synchronize(device.stream));
    return {y.at, y.at + y.size};
}

void row_depends_on_the_row_only(int32_t isa, int64_t n, int64_t k, const Dtypes& dtypes) {
    constexpr int64_t kMostRows = 256;
    testing::context = std::string("determinism ") + isa_name(isa) + " w " + std::to_string(dtypes.w) + " x " +
                       std::to_string(dtypes.x) + " K=" + std::to_string(k);
    Random random(77);
    const Encoded w = random_values(random, n * k, dtypes.w);
    const Encoded x = random_values(random, kMostRows * k, dtypes.x);
    std::vector<unsigned char> all;  // of one thread, all rows
    for (const int threads : {1, 2, 5}) {
        Device device(threads, isa);
        ct_weights* weights = create_weights(device, w, n, k, dtypes.w, 2);
        const int64_t row_bytes = n * ct::dtype_bytes(dtypes.y);
        for (const int64_t m : {256, 64, 17, 12, 8, 7, 3, 2, 1}) {
            std::vector<int64_t> rows(kMostRows);
            std::iota(rows.begin(), rows.end(), 0);
            if (!all.empty()) {
                std::shuffle(rows.begin(), rows.end(), random.engine);
            }
            rows.resize(static_cast<size_t>(m));
            const std::vector<unsigned char> y = run_rows(device, weights, x, rows, n, k, dtypes);
            if (all.empty()) {
                all = y;
            }
            for (int64_t r = 0; r < m; ++r) {
                CHECK(std::equal(y.begin() + r * row_bytes, y.begin() + (r + 1) * row_bytes,
                                 all.begin() + rows[static_cast<size_t>(r)] * row_bytes));
            }
        }
        CHECK_OK(ct_weights_destroy(weights));
    }
}

void returns_the_rows_that_were_packed(Device& device) {
    for (const int32_t use : {CT_WEIGHTS_LINEAR, CT_WEIGHTS_EMBEDDING}) {
        for (const int32_t dtype : {CT_F32, CT_BF16, CT_F16}) {
            for (const int64_t rows : {1, 16, 17, 65, 100}) {
                for (const int64_t cols : {1, 2, 33, 64}) {
                    testing::context = "rows of use " + std::to_string(use) + " dtype " + std::to_string(dtype);
                    Random random(5);
                    const Encoded w = random_values(random, rows * cols, dtype);
                    ct_weights* weights = create_weights(device, w, rows, cols, dtype, 3, use);
                    std::vector<float> row(static_cast<size_t>(cols));
                    for (int64_t r = 0; r < rows; ++r) {
                        ct::weights_row(row.data(), *weights, r);
                        CHECK(std::equal(row.begin(), row.end(), w.values.begin() + r * cols));
                    }
                    const int64_t kept = ct::dtype_bytes(dtype);
                    int64_t bytes = 0;
                    CHECK_OK(ct_weights_bytes(&bytes, weights));
                    const int64_t steps = dtype == CT_BF16 ? (cols + 1) / 2 : cols;
                    if (use == CT_WEIGHTS_EMBEDDING) {  // each of the three parts begins at a line
                        CHECK(bytes >= rows * cols * kept && bytes < rows * cols * kept + 3 * 64);
                    } else {
                        CHECK(bytes == (rows + 15) / 16 * steps * 64);
                    }
                    CHECK_OK(ct_weights_destroy(weights));
                }
            }
        }
    }
}

// A big matrix is mapped rather than allocated.
void packs_more_than_a_huge_page(Device& device) {
    testing::context = "big matrix";
    constexpr int64_t kRows = 700;
    constexpr int64_t kCols = 2049;
    Random random(9);
    const Encoded w = random_values(random, kRows * kCols, CT_BF16);
    ct_weights* weights = create_weights(device, w, kRows, kCols, CT_BF16, 3);
    std::vector<float> row(static_cast<size_t>(kCols));
    for (const int64_t r : {int64_t{0}, int64_t{63}, int64_t{64}, kRows - 1}) {
        ct::weights_row(row.data(), *weights, r);
        CHECK(std::equal(row.begin(), row.end(), w.values.begin() + r * kCols));
    }
    CHECK_OK(ct_weights_destroy(weights));
}

void keeps_infinities_and_nans_in_their_rows(Device& device) {
    testing::context = "infinities";
    constexpr int64_t kRows = 3;
    constexpr int64_t kSize = 17;
    Random random(11);
    const Encoded w = random_values(random, kSize * kSize, CT_BF16);
    ct_weights* weights = create_weights(device, w, kSize, kSize, CT_BF16, 1);
    Array<ct::bf16> x(device, kRows * kSize);
    Array<float> y(device, kRows * kSize);
    for (int64_t i = 0; i < x.size; ++i) {
        x.at[i] = ct::to_bf16(i / kSize == 1 ? INFINITY : random.normal());
    }
    CHECK_OK(ct_linear(y.buffer, x.buffer, weights, nullptr, kRows, kSize, kSize, CT_F32, CT_BF16, device.stream));
    CHECK_OK(ct_stream_synchronize(device.stream));
    for (int64_t i = 0; i < y.size; ++i) {
        CHECK(std::isfinite(y.at[i]) == (i / kSize != 1));
    }
    CHECK_OK(ct_weights_destroy(weights));
}

void refuses_hostile_weights(Device& device) {
    testing::context = "hostile weights";
    const std::vector<float> data(64);
    const ct_weights_part good = testing::weights_part(data.data(), 8, 256, CT_FORMAT_F32);
    ct_weights* weights = nullptr;
    int64_t planned = 0;
    const auto create = [&](const ct_weights_part& part, int64_t parts, int64_t cols, int32_t dtype, int32_t use) {
        const int32_t before = ct_weights_packed_bytes(&planned, device.device, &part, parts, cols, dtype, use);
        const int32_t status = ct_weights_create(&weights, device.device, &part, parts, cols, dtype, use);
        CHECK(before == (status == CT_OUT_OF_MEMORY ? CT_OK : status));
        return status;
    };
    CHECK_STATUS(ct_weights_packed_bytes(nullptr, device.device, &good, 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(ct_weights_packed_bytes(&planned, nullptr, &good, 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(ct_weights_packed_bytes(&planned, device.device, nullptr, 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(ct_weights_create(nullptr, device.device, &good, 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(ct_weights_create(&weights, nullptr, &good, 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(ct_weights_create(&weights, device.device, nullptr, 1, 8, CT_F32, 0), CT_INVALID);
    for (const int64_t count : {int64_t{0}, int64_t{-1}, INT64_MIN}) {
        CHECK_STATUS(create(good, count, 8, CT_F32, 0), CT_INVALID);
        CHECK_STATUS(create(good, 1, count, CT_F32, 0), CT_INVALID);
        CHECK_STATUS(create(testing::weights_part(data.data(), count, 256, CT_FORMAT_F32), 1, 8, CT_F32, 0),
                     CT_INVALID);
    }
    for (const int32_t code : {-1, static_cast<int>(CT_F16), INT32_MAX}) {
        CHECK_STATUS(create(good, 1, 8, code, 0), CT_INVALID);
        CHECK_STATUS(create(good, 1, 8, CT_F32, code == CT_F16 ? 3 : code), CT_INVALID);
    }
    CHECK_STATUS(create(testing::weights_part(nullptr, 8, 256, CT_FORMAT_F32), 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(create(testing::weights_part(data.data(), 8, 255, CT_FORMAT_F32), 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(create(testing::weights_part(data.data(), 8, 257, CT_FORMAT_F32), 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(create(testing::weights_part(data.data(), 8, 256, CT_FORMAT_BF16), 1, 8, CT_F32, 0), CT_INVALID);
    CHECK_STATUS(create(testing::weights_part(data.data(), 8, 256, CT_FORMAT_F32), 1, INT64_MAX, CT_F32, 0),
                 CT_INVALID);
    CHECK_STATUS(create(testing::weights_part(data.data(), INT64_MAX, 256, CT_FORMAT_F32), 1, 8, CT_F32, 0),
                 CT_INVALID);
    CHECK_STATUS(
        create(testing::weights_part(data.data(), int64_t{1} << 58, int64_t{1} << 59, CT_FORMAT_BF16), 1, 1, CT_F32, 0),
        CT_OUT_OF_MEMORY);
    CHECK_STATUS(create(testing::weights_part(data.data(), INT64_MAX / 2, INT64_MAX - 1, CT_FORMAT_F16), 1, 1, CT_F32,
                        CT_WEIGHTS_EMBEDDING),
                 CT_INVALID);
    CHECK(weights == nullptr);
    CHECK_STATUS(ct_weights_destroy(nullptr), CT_INVALID);
    int64_t bytes = 0;
    CHECK_STATUS(ct_weights_bytes(&bytes, nullptr), CT_INVALID);
    CHECK_OK(create(good, 1, 8, CT_F32, CT_WEIGHTS_LINEAR));
    CHECK_STATUS(ct_weights_bytes(nullptr, weights), CT_INVALID);
    CHECK_OK(ct_weights_destroy(weights));
}

void refuses_hostile_linears(Device& device) {
    testing::context = "hostile linear";
    Random random(3);
    const Encoded w = random_values(random, 64, CT_F32);
    ct_weights* weights = create_weights(device, w, 8, 8, CT_F32, 1);
    ct_weights* embedding = create_weights(device, w, 8, 8, CT_F32, 1, CT_WEIGHTS_EMBEDDING);
    Array<float> x(device, 32);
    Array<float> y(device, 32);
    Array<float> shorter(device, 31);
    Array<float> bias(device, 8);
    Array<float> short_bias(device, 7);
    Device other(1);
    Array<float> foreign(other, 32);
    ct_weights* foreign_weights = create_weights(other, w, 8, 8, CT_F32, 1);
    y.poison();
    const auto linear = [&](ct_buffer* y_, const ct_buffer* x_, const ct_weights* w_, const ct_buffer* bias_,
                            int64_t rows, int64_t y_stride, int64_t x_stride, int32_t y_dtype, int32_t x_dtype) {
        return ct_linear(y_, x_, w_, bias_, rows, y_stride, x_stride, y_dtype, x_dtype, device.stream);
    };
    CHECK_STATUS(ct_linear(y.buffer, x.buffer, weights, nullptr, 4, 8, 8, 0, 0, nullptr), CT_INVALID);
    CHECK_STATUS(linear(nullptr, x.buffer, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, nullptr, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, x.buffer, nullptr, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, x.buffer, embedding, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, x.buffer, foreign_weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(foreign.buffer, x.buffer, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, foreign.buffer, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, x.buffer, weights, foreign.buffer, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(shorter.buffer, x.buffer, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, shorter.buffer, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, x.buffer, weights, short_bias.buffer, 4, 8, 8, 0, 0), CT_INVALID);
    CHECK_STATUS(linear(y.buffer, y.buffer, weights, nullptr, 4, 8, 8, 0, 0), CT_INVALID);
    for (const int64_t bad : {int64_t{-1}, INT64_MIN, INT64_MAX, int64_t{5}}) {
        CHECK_STATUS(linear(y.buffer, x.buffer, weights, nullptr, bad, 8, 8, 0, 0), CT_INVALID);
    }
    for (const int64_t bad : {int64_t{-8}, int64_t{0}, int64_t{7}, int64_t{9}, INT64_MIN, INT64_MAX}) {
        CHECK_STATUS(linear(y.buffer, x.buffer, weights, nullptr, 4, bad, 8, 0, 0), CT_INVALID);
        CHECK_STATUS(linear(y.buffer, x.buffer, weights, nullptr, 4, 8, bad, 0, 0), CT_INVALID);
    }
    for (const int32_t bad : {-1, static_cast<int>(CT_F16), 3}) {
        CHECK_STATUS(linear(y.buffer, x.buffer, weights, nullptr, 4, 8, 8, bad, 0), CT_INVALID);
        CHECK_STATUS(linear(y.buffer, x.buffer, weights, nullptr, 4, 8, 8, 0, bad), CT_INVALID);
    }
    CHECK_OK(linear(y.buffer, x.buffer, weights, nullptr, 0, 8, 8, 0, 0));
    CHECK_OK(ct_stream_synchronize(device.stream));
    for (int64_t i = 0; i < y.size; ++i) {
        CHECK(std::isnan(y.at[i]));
    }
    CHECK_OK(linear(y.buffer, x.buffer, weights, bias.buffer, 4, 8, 8, 0, 0));
    CHECK_OK(ct_stream_synchronize(device.stream));
    CHECK_OK(ct_weights_destroy(foreign_weights));
    CHECK_OK(ct_weights_destroy(embedding));
    CHECK_OK(ct_weights_destroy(weights));
}

}  // namespace

int main() {
    for (const int32_t isa : testing::tested_isas()) {
        Device device(2, isa);
        matches_plain_loops_at_every_edge(device);
        keeps_infinities_and_nans_in_their_rows(device);
        for (const int32_t w : {CT_BF16, CT_F32}) {
            for (const int32_t x : {CT_BF16, CT_F32}) {
                row_depends_on_the_row_only(isa, 150, 301, {w, x, CT_F32});
                row_depends_on_the_row_only(isa, 40, 1300, {w, x, CT_BF16});
            }
        }
    }
    Device device(2);
    returns_the_rows_that_were_packed(device);
    packs_more_than_a_huge_page(device);
    refuses_hostile_weights(device);
    refuses_hostile_linears(device);
    return testing::finish("linear");
}
