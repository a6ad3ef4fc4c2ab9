// linear_gpu_test.cpp: ct_linear on GPU devices against plain loops, and row by row against itself.
#include <numeric>

#include "tests/kernel_testing.h"

namespace {

using testing::Array;
using testing::Device;
using testing::Random;

struct Dtypes {
    int32_t x, w, y;
};
constexpr Dtypes kBf16 = {CT_BF16, CT_BF16, CT_BF16};
constexpr Dtypes kBf16ToF32 = {CT_BF16, CT_BF16, CT_F32};
constexpr Dtypes kStrict = {CT_F32, CT_BF16, CT_F32};

double read(const unsigned char* at, int64_t index, int32_t dtype) {
    if (dtype == CT_F32) {
        float value;
        std::memcpy(&value, at + 4 * index, 4);
        return value;
    }
    ct::bf16 value;
    std::memcpy(&value, at + 2 * index, 2);
    return ct::to_float(value);
}

void write(unsigned char* at, int64_t index, int32_t dtype, float value) {
    if (dtype == CT_F32) {
        std::memcpy(at + 4 * index, &value, 4);
    } else {
        const ct::bf16 rounded = ct::to_bf16(value);
        std::memcpy(at + 2 * index, &rounded, 2);
    }
}

std::vector<unsigned char> random_values(Random& random, int64_t count, int32_t dtype) {
    std::vector<unsigned char> out(static_cast<size_t>(count * ct::dtype_bytes(dtype)));
    for (int64_t i = 0; i < count; ++i) write(out.data(), i, dtype, random.normal());
    return out;
}

// W[n, k] on the device and in host memory.
struct Matrix {
    int64_t n, k;
    int32_t dtype;
    std::vector<unsigned char> values;
    ct_weights* weights = nullptr;

    Matrix(Device& device, Random& random, int64_t rows, int64_t cols, int32_t w_dtype)
        : n(rows), k(cols), dtype(w_dtype), values(random_values(random, rows * cols, w_dtype)) {
        const ct_weights_part part =
            testing::weights_part(values.data(), n, static_cast<int64_t>(values.size()), dtype);
        CHECK_OK(ct_weights_create(&weights, device.device, &part, 1, k, CT_F32, CT_WEIGHTS_LINEAR));
    }
    ~Matrix() { CHECK_OK(ct_weights_destroy(weights)); }
    Matrix(const Matrix&) = delete;
    Matrix& operator=(const Matrix&) = delete;
};

// Elements between the rows; NaN in those of x.
struct Padding {
    int64_t x = 0;
    int64_t y = 0;
};

// What ct_linear gives for the rows of x, as a plain buffer of y's elements; checks that it writes nothing else.
std::vector<unsigned char> run(Device& device, const Matrix& w, const unsigned char* x_rows, int64_t m, Dtypes dtypes,
                               const Array<float>* bias, Padding padding) {
    const int64_t x_bytes = ct::dtype_bytes(dtypes.x);
    const int64_t y_bytes = ct::dtype_bytes(dtypes.y);
    const int64_t x_stride = w.k + padding.x;
    const int64_t y_stride = w.n + padding.y;
    // Only as long as needed: what a kernel reads too much shows under AddressSanitizer.
    Array<unsigned char> x(device, m == 0 ? 0 : ((m - 1) * x_stride + w.k) * x_bytes);
    Array<unsigned char> y(device, m == 0 ? 0 : ((m - 1) * y_stride + w.n) * y_bytes);
    x.poison();
    y.poison();
    for (int64_t r = 0; r < m; ++r) {
        std::memcpy(x.at + r * x_stride * x_bytes, x_rows + r * w.k * x_bytes, static_cast<size_t>(w.k * x_bytes));
    }
    CHECK_OK(ct_linear(y.buffer, x.buffer, w.weights, bias ? bias->buffer : nullptr, m, y_stride, x_stride, dtypes.y,
                       dtypes.x, device.stream));
    CHECK_OK(ct_stream_synchronize(device.stream));

    std::vector<unsigned char> out(static_cast<size_t>(m * w.n * y_bytes));
    for (int64_t r = 0; r < m; ++r) {
        const unsigned char* row = y.at + r * y_stride * y_bytes;
        std::memcpy(out.data() + r * w.n * y_bytes, row, static_cast<size_t>(w.n * y_bytes));
        const unsigned char* gap = row + w.n * y_bytes;
        CHECK(r + 1 == m || std::all_of(gap, gap + padding.y * y_bytes, [](unsigned char b) { return b == 0xff; }));
    }
    return out;
}

void matches_plain_loops(Device& device, int64_t m, int64_t n, int64_t k, Dtypes dtypes, bool with_bias,
                         Padding padding = {}) {
    const std::string outer = testing::context;
    testing::context += " M=" + std::to_string(m) + " N=" + std::to_string(n) + " K=" + std::to_string(k) + " x " +
                        std::to_string(dtypes.x) + " w " + std::to_string(dtypes.w) + " y " + std::to_string(dtypes.y) +
                        (with_bias ? " bias" : "") + " padding " + std::to_string(padding.x);
    Random random(static_cast<uint64_t>(m * 1000003 + n * 1009 + k));
    const Matrix w(device, random, n, k, dtypes.w);
    const std::vector<unsigned char> x = random_values(random, m * k, dtypes.x);
    Array<float> bias(device, n);
    testing::fill(bias, random);
    const std::vector<unsigned char> y = run(device, w, x.data(), m, dtypes, with_bias ? &bias : nullptr, padding);

    std::vector<double> w_row(static_cast<size_t>(k));
    for (int64_t c = 0; c < n; ++c) {
        for (int64_t i = 0; i < k; ++i) w_row[static_cast<size_t>(i)] = read(w.values.data(), c * k + i, w.dtype);
        for (int64_t r = 0; r < m; ++r) {
            double sum = with_bias ? bias.at[c] : 0.0;
            double magnitude = std::fabs(sum);
            for (int64_t i = 0; i < k; ++i) {
                const double product = read(x.data(), r * k + i, dtypes.x) * w_row[static_cast<size_t>(i)];
                sum += product;
                magnitude += std::fabs(product);
            }
            // Each addition in float32 may be off by a unit of the last place (tensor cores truncate).
            double tolerance = magnitude * 0x1p-23 * static_cast<double>(k + 2);
            if (dtypes.y == CT_BF16) tolerance += std::fabs(sum) * 0x1p-8;
            CHECK_CLOSE(read(y.data(), r * n + c, dtypes.y), sum, tolerance);
        }
    }
    testing::context = outer;
}

// Columns and depths around the edges of tiles, steps and ranges; rows around the changes of kernel.
constexpr int64_t kRows[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 65, 129};
constexpr int64_t kCols[] = {1, 7, 63, 64, 65, 129};
constexpr int64_t kDepths[] = {1, 7, 8, 9, 16, 63, 64, 65, 72, 128, 200, 264, 640};

void every_number_of_rows_and_columns(Device& device) {
    for (const int64_t m : kRows) {
        for (const int64_t n : kCols) {
            if (testing::reduced() && (m > 17 || n > 65)) continue;
            matches_plain_loops(device, m, n, 72, kBf16, true);
            matches_plain_loops(device, m, n, 40, kStrict, false);
        }
    }
}

void every_depth(Device& device) {
    for (const int64_t m : {int64_t{1}, int64_t{3}, int64_t{16}, int64_t{17}}) {
        for (const int64_t k : kDepths) {
            if (testing::reduced() && k > 128) continue;
            matches_plain_loops(device, m, 7, k, kBf16ToF32, true);
            matches_plain_loops(device, m, 7, k, kStrict, true);
        }
    }
}

void every_pair_of_dtypes(Device& device) {
    for (const int32_t x : {CT_F32, CT_BF16}) {
        for (const int32_t w : {CT_F32, CT_BF16}) {
            for (const int32_t y : {CT_F32, CT_BF16}) {
                for (const int64_t m : {int64_t{1}, int64_t{5}, int64_t{20}}) {
                    matches_plain_loops(device, m, 33, 136, {x, w, y}, true);
                }
            }
        }
    }
}

void any_stride(Device& device) {
    for (const int64_t m : {int64_t{2}, int64_t{19}}) {
        for (const int64_t padding : {0, 1, 2, 8}) {
            matches_plain_loops(device, m, 34, 72, kBf16, false, {padding, padding});
            matches_plain_loops(device, m, 34, 72, kBf16ToF32, true, {8, padding});
            matches_plain_loops(device, m, 34, 36, kStrict, false, {padding, padding});
        }
    }
}

// More steps than stages, in one range and in several; large tiles and small.
void tensor_cores_sum_long_rows(Device& device) {
    for (const int64_t m : {int64_t{1}, int64_t{9}, int64_t{16}, int64_t{18}}) {
        matches_plain_loops(device, m, 33, 504, kBf16ToF32, true);
        matches_plain_loops(device, m, 33, 1160, kBf16ToF32, true);
        matches_plain_loops(device, m, 9, 2568, kBf16, false);
    }
    matches_plain_loops(device, 129, 129, 328, kBf16ToF32, true);
    matches_plain_loops(device, 130, 192, 712, kBf16, true, {8, 2});
    matches_plain_loops(device, 130, 192, 128, kBf16, true, {8, 1});
}

void no_rows_give_nothing(Device& device) {
    Random random(11);
    const Matrix w(device, random, 9, 16, CT_BF16);
    CHECK(run(device, w, nullptr, 0, kBf16, nullptr, {}).empty());
}

// The bits of every row in batches of every size, and among its neighbours in another order, one of them NaN.
void rows_do_not_depend_on_their_batch(Device& device, int64_t n, int64_t k, Dtypes dtypes, bool with_bias) {
    const std::string outer = testing::context;
    testing::context += " N=" + std::to_string(n) + " K=" + std::to_string(k) + " x " + std::to_string(dtypes.x);
    Random random(static_cast<uint64_t>(n * 7919 + k));
    const int64_t most = testing::reduced() ? 66 : 130;
    const Matrix w(device, random, n, k, dtypes.w);
    const std::vector<unsigned char> x = random_values(random, most * k, dtypes.x);
    const int64_t x_bytes = k * ct::dtype_bytes(dtypes.x);
    const int64_t y_bytes = n * ct::dtype_bytes(dtypes.y);
    Array<float> bias(device, n);
    testing::fill(bias, random);
    const Array<float>* used_bias = with_bias ? &bias : nullptr;
    const std::vector<unsigned char> all = run(device, w, x.data(), most, dtypes, used_bias, {});
    for (const int64_t m : {1, 2, 3, 8, 9, 16, 17, 64}) {
        const int64_t first = random.below(most - m + 1);
        const std::vector<unsigned char> some =
            run(device, w, x.data() + first * x_bytes, m, dtypes, used_bias, {8, 3});
        CHECK(std::memcmp(some.data(), all.data() + first * y_bytes, some.size()) == 0);
    }
    std::vector<int64_t> order(static_cast<size_t>(most));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random.engine);
    std::vector<unsigned char> shuffled;
    for (const int64_t r : order) {
        shuffled.insert(shuffled.end(), x.begin() + r * x_bytes, x.begin() + (r + 1) * x_bytes);
    }
    const int64_t broken = random.below(most);
    std::fill_n(shuffled.begin() + broken * x_bytes, x_bytes, static_cast<unsigned char>(0xff));
    const std::vector<unsigned char> again = run(device, w, shuffled.data(), most, dtypes, used_bias, {});
    CHECK(std::isnan(read(again.data(), broken * n, dtypes.y)));
    for (int64_t i = 0; i < most; ++i) {
        CHECK(i == broken ||
              std::memcmp(again.data() + i * y_bytes, all.data() + order[static_cast<size_t>(i)] * y_bytes,
                          static_cast<size_t>(y_bytes)) == 0);
    }
    testing::context = outer;
}

}  // namespace

int main() {
    testing::for_gpu_devices([](Device& device) {
        no_rows_give_nothing(device);
        every_number_of_rows_and_columns(device);
        every_depth(device);
        every_pair_of_dtypes(device);
        any_stride(device);
        rows_do_not_depend_on_their_batch(device, 65, 264, kStrict, true);
        rows_do_not_depend_on_their_batch(device, 66, 600, {CT_F32, CT_F32, CT_F32}, false);
        rows_do_not_depend_on_their_batch(device, 33, 200, kBf16, true);
        rows_do_not_depend_on_their_batch(device, 40, 71, kBf16ToF32, false);  // K of 71: not for the tensor cores
        // Tensor cores with two, four and eight ranges of k, the last of them shorter.
        rows_do_not_depend_on_their_batch(device, 129, 520, kBf16ToF32, true);
        rows_do_not_depend_on_their_batch(device, 17, 1096, kBf16ToF32, false);
        rows_do_not_depend_on_their_batch(device, 16, 2056, kBf16ToF32, true);
        tensor_cores_sum_long_rows(device);
    });
    return testing::finish("linear_gpu");
}
