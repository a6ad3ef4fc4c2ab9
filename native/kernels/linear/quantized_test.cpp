// quantized_test.cpp: ct_weights in every format against plain loops over dequantised values, and row by row against
// themselves.
#include <algorithm>
#include <numeric>

#include "kernels/quant/formats.h"
#include "tests/kernel_testing.h"

namespace {

using testing::Array;
using testing::Device;
using testing::Random;

constexpr int32_t kAllFormats[] = {
    CT_FORMAT_F32,   CT_FORMAT_BF16,  CT_FORMAT_F16,     CT_FORMAT_F8_E4M3, CT_FORMAT_INT4,   CT_FORMAT_Q4_0,
    CT_FORMAT_Q4_1,  CT_FORMAT_Q5_0,  CT_FORMAT_Q5_1,    CT_FORMAT_Q8_0,    CT_FORMAT_Q2_K,   CT_FORMAT_Q3_K,
    CT_FORMAT_Q4_K,  CT_FORMAT_Q5_K,  CT_FORMAT_Q6_K,    CT_FORMAT_IQ4_NL,  CT_FORMAT_IQ4_XS, CT_FORMAT_MXFP4,
    CT_FORMAT_IQ1_S, CT_FORMAT_IQ1_M, CT_FORMAT_IQ2_XXS, CT_FORMAT_IQ2_XS,  CT_FORMAT_IQ2_S,  CT_FORMAT_IQ3_XXS,
    CT_FORMAT_IQ3_S, CT_FORMAT_TQ1_0, CT_FORMAT_TQ2_0,   CT_FORMAT_NVFP4};

const ct::quant::Format& format_of(int32_t format) { return *ct::quant::format_of(format); }
bool has_grid(int32_t format) { return format == CT_FORMAT_F8_E4M3 || format == CT_FORMAT_INT4; }
bool is_kept(int32_t format) { return has_grid(format) || format_of(format).split; }

// Where the half-precision scales lie in a block, -1 for none.
struct Halves {
    int at[2];
};
Halves halves_of(int32_t format) {
    switch (format) {
        case CT_FORMAT_Q4_1:
        case CT_FORMAT_Q5_1:
        case CT_FORMAT_Q4_K:
        case CT_FORMAT_Q5_K:
            return {{0, 2}};
        case CT_FORMAT_Q2_K:
            return {{80, 82}};
        case CT_FORMAT_Q3_K:
            return {{108, -1}};
        case CT_FORMAT_Q6_K:
            return {{208, -1}};
        case CT_FORMAT_TQ1_0:
            return {{52, -1}};
        case CT_FORMAT_TQ2_0:
            return {{64, -1}};
        case CT_FORMAT_MXFP4:
        case CT_FORMAT_NVFP4:
        case CT_FORMAT_IQ1_M:
            return {{-1, -1}};
        default:
            return {{0, -1}};
    }
}

// A scale of an ordinary size, now and then zero, negative, subnormal or large.
uint16_t random_half(Random& random) {
    switch (random.below(12)) {
        case 0:
            return 0;
        case 1:
            return static_cast<uint16_t>(random.below(1024));
        case 2:
            return ct::to_f16(static_cast<float>(100 + random.below(400))).bits;
        default:
            return ct::to_f16(0.05f + std::fabs(random.normal())).bits |
                   static_cast<uint16_t>(random.below(4) == 0 ? 0x8000 : 0);
    }
}

// Rows in one format: the bytes, the scales beside, and the values by the plain formula.
struct Part {
    int32_t format;
    int64_t rows;
    int64_t cols;
    int64_t scale_rows = 0;
    int64_t scale_cols = 0;
    std::vector<unsigned char> bytes = {};  // from an odd address
    std::vector<float> scales = {};
    std::vector<uint8_t> zeros = {};
    std::vector<float> values = {};

    ct_weights_part abi() const {
        ct_weights_part part =
            testing::weights_part(bytes.data() + 1, rows, static_cast<int64_t>(bytes.size()) - 1, format);
        if (has_grid(format)) {
            part.scales = scales.data();
            part.zeros = zeros.empty() ? nullptr : zeros.data();
            part.num_scales = static_cast<int64_t>(scales.size());
            part.scale_rows = scale_rows;
            part.scale_cols = scale_cols;
        }
        return part;
    }
};

void fill_block(unsigned char* block, Random& random, int32_t format) {
    const int32_t size = format_of(format).bytes;
    for (int i = 0; i < size; ++i) block[i] = static_cast<unsigned char>(random.below(256));
    if (format <= CT_FORMAT_F16) {
        const float value = random.normal();
        const ct::bf16 b = ct::to_bf16(value);
        const ct::f16 h = ct::to_f16(value);
        std::memcpy(block,
                    format == CT_FORMAT_F32    ? static_cast<const void*>(&value)
                    : format == CT_FORMAT_BF16 ? static_cast<const void*>(&b)
                                               : &h,
                    static_cast<size_t>(size));
        return;
    }
    if (format == CT_FORMAT_F8_E4M3) {
        if ((block[0] & 0x7f) == 0x7f) block[0] = 0x3c;
        return;
    }
    if (format == CT_FORMAT_MXFP4) block[0] = static_cast<unsigned char>(120 + random.below(12));
    if (format == CT_FORMAT_NVFP4) {
        for (int i = 0; i < 4; ++i) block[i] = static_cast<unsigned char>(random.below(0x58));
    }
    if (format == CT_FORMAT_IQ1_M) {  // its half lies in the top nibbles of four words
        const uint16_t half = random_half(random);
        for (int i = 0; i < 4; ++i) {
            unsigned char& byte = block[48 + 2 * i + 1];
            byte = static_cast<unsigned char>((byte & 0xf) | (half >> 4 * i & 0xf) << 4);
        }
    }
    if (format < CT_FORMAT_Q4_0) return;
    for (const int at : halves_of(format).at) {
        const uint16_t half = random_half(random);
        if (at >= 0) std::memcpy(block + at, &half, sizeof half);
    }
}

Part random_part(Random& random, int32_t format, int64_t rows, int64_t cols, int64_t scale_rows = 1,
                 int64_t scale_cols = 32, bool with_zeros = true) {
    const ct::quant::Format& blocks = format_of(format);
    Part part;
    part.format = format;
    part.rows = rows;
    part.cols = cols;
    const int64_t row_bytes = cols / blocks.block * blocks.bytes;
    part.bytes.resize(static_cast<size_t>(1 + rows * row_bytes));
    for (int64_t at = 1; at < 1 + rows * row_bytes; at += blocks.bytes) {
        fill_block(part.bytes.data() + at, random, format);
    }
    part.values.resize(static_cast<size_t>(rows * cols));
    CHECK_OK(ct_dequantize(part.values.data(), part.bytes.data() + 1, rows * cols, rows * row_bytes, format));
    if (!has_grid(format)) return part;
    part.scale_rows = scale_rows;
    part.scale_cols = scale_cols;
    const int64_t grid_cols = (cols - 1) / scale_cols + 1;
    const int64_t size = ((rows - 1) / scale_rows + 1) * grid_cols;
    for (int64_t i = 0; i < size; ++i) {
        part.scales.push_back(0.1f * random.normal());
        if (format == CT_FORMAT_INT4 && with_zeros) part.zeros.push_back(static_cast<uint8_t>(random.below(17)));
    }
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t k = 0; k < cols; ++k) {
            const auto at = static_cast<size_t>(r / scale_rows * grid_cols + k / scale_cols);
            float& value = part.values[static_cast<size_t>(r * cols + k)];
            if (!part.zeros.empty()) value += 8.0f - static_cast<float>(part.zeros[at]);
            value *= part.scales[at];
        }
    }
    return part;
}

ct_weights* create(Device& device, const std::vector<const Part*>& parts, int32_t dense = CT_F32,
                   int32_t use = CT_WEIGHTS_LINEAR) {
    std::vector<ct_weights_part> list;
    for (const Part* part : parts) list.push_back(part->abi());
    ct_weights* weights = nullptr;
    CHECK_OK(ct_weights_create(&weights, device.device, list.data(), static_cast<int64_t>(list.size()), parts[0]->cols,
                               dense, use));
    // What is said beforehand, of shapes alone.
    const float nothing = 0;
    for (ct_weights_part& part : list) {
        part.data = &nothing;
        if (part.scales) part.scales = &nothing;
        if (part.zeros) part.zeros = reinterpret_cast<const uint8_t*>(&nothing);
    }
    int64_t planned = 0;
    int64_t bytes = 0;
    CHECK_OK(ct_weights_packed_bytes(&planned, device.device, list.data(), static_cast<int64_t>(list.size()),
                                     parts[0]->cols, dense, use));
    CHECK_OK(ct_weights_bytes(&bytes, weights));
    CHECK(planned == bytes && bytes > 0);
    return weights;
}

template <typename X, typename Y>
void expect_linear(Device& device, const ct_weights* weights, const std::vector<const Part*>& parts, int64_t m,
                   Random& random, bool with_bias) {
    const int64_t k = parts[0]->cols;
    int64_t n = 0;
    for (const Part* part : parts) n += part->rows;
    const int64_t x_stride = k + random.below(4);
    const int64_t y_stride = n + random.below(4);
    // NaN between the rows: what a kernel reads too much shows.
    Array<X> x(device, (m - 1) * x_stride + k);
    x.poison();
    for (int64_t r = 0; r < m; ++r) {
        for (int64_t i = 0; i < k; ++i) x.at[r * x_stride + i] = ct::from_float<X>(random.normal());
    }
    Array<Y> y(device, (m - 1) * y_stride + n);
    y.poison();
    Array<float> bias(device, n);
    testing::fill(bias, random);
    CHECK_OK(ct_linear(y.buffer, x.buffer, weights, with_bias ? bias.buffer : nullptr, m, y_stride, x_stride,
                       testing::kDtype<Y>, testing::kDtype<X>, device.stream));
    CHECK_OK(ct_stream_synchronize(device.stream));
    int64_t first = 0;
    for (const Part* part : parts) {
        // Values and minima of a block may be far larger than what they leave: 16 times is more than any format's.
        const double spread = is_kept(part->format) ? 16 : 1;
        for (int64_t r = 0; r < m; ++r) {
            for (int64_t c = 0; c < part->rows; ++c) {
                double sum = with_bias ? bias.at[first + c] : 0.0;
                double magnitude = std::fabs(sum);
                for (int64_t i = 0; i < k; ++i) {
                    const double product = testing::value(x.at[r * x_stride + i]) *
                                           static_cast<double>(part->values[static_cast<size_t>(c * k + i)]);
                    sum += product;
                    magnitude += std::fabs(product);
                }
                double tolerance = spread * (magnitude + 1e-6) * 0x1p-24 * static_cast<double>(k + 2);
                if (testing::kDtype<Y> == CT_BF16) tolerance += std::fabs(sum) * 0x1p-8;
                CHECK_CLOSE(testing::value(y.at[r * y_stride + first + c]), sum, tolerance);
            }
        }
        first += part->rows;
    }
    for (int64_t r = 0; r + 1 < m; ++r) {
        for (int64_t i = n; i < y_stride; ++i) CHECK(testing::untouched(y.at[r * y_stride + i]));
    }
}

void expect_linears(Device& device, const std::vector<const Part*>& parts, const std::vector<int64_t>& row_counts,
                    Random& random) {
    ct_weights* weights = create(device, parts);
    if (!weights) return;
    const std::string outer = testing::context;
    for (const int64_t m : row_counts) {
        testing::context = outer + " M=" + std::to_string(m);
        expect_linear<ct::bf16, float>(device, weights, parts, m, random, m % 2 == 0);
        expect_linear<float, ct::bf16>(device, weights, parts, m, random, m % 2 == 1);
    }
    testing::context = outer;
    CHECK_OK(ct_weights_destroy(weights));
}

std::string name_of(const Part& part) {
    return std::string(format_of(part.format).name) + " N=" + std::to_string(part.rows) +
           " K=" + std::to_string(part.cols);
}

void matches_plain_loops(Device& device, int32_t isa) {
    for (const int32_t format : kAllFormats) {
        Random random(static_cast<uint64_t>(format) * 31 + static_cast<uint64_t>(isa));
        const int64_t block = std::max(format_of(format).block, 32);
        for (const int64_t k : {block, 2 * block, 9 * block}) {
            for (const int64_t n : {1, 16, 33, 65}) {
                if (testing::reduced() && n == 65) continue;
                const Part part = random_part(random, format, n, k);
                testing::context = "isa " + std::to_string(isa) + " " + name_of(part);
                expect_linears(device, {&part}, {1, 2 + n % 3}, random);
            }
        }
        std::vector<int64_t> row_counts(33);
        std::iota(row_counts.begin(), row_counts.end(), 1);
        if (testing::reduced()) row_counts = {1, 4, 5, 7, 33};
        row_counts.push_back(100);  // several blocks of rows
        const Part part = random_part(random, format, 19, block == 256 ? 256 : 9 * block);
        testing::context = "isa " + std::to_string(isa) + " " + name_of(part);
        expect_linears(device, {&part}, row_counts, random);
    }
}

void serves_every_grid_of_scales(Device& device, int32_t isa) {
    struct Grid {
        int64_t n, k, scale_rows, scale_cols;
    };
    const Grid grids[] = {
        {200, 320, 128, 128},    {192, 224, 128, 128}, {30, 192, INT64_MAX, INT64_MAX},
        {30, 128, 1, INT64_MAX}, {17, 384, 1, 128},    {17, 384, 1, 64},
        {17, 384, 1, 32},        {16, 96, 5, 96},      {9, 64, 1, 16},  // too fine: dequantised
        {9, 50, 4, 7},                                                  // columns that are no unit: the same
        {33, 640, 1, 160},
    };
    for (const int32_t format : {CT_FORMAT_F8_E4M3, CT_FORMAT_INT4}) {
        for (const Grid& grid : grids) {
            for (const bool with_zeros : {false, true}) {
                Random random(static_cast<uint64_t>(grid.n * 1000 + grid.k));
                const Part part =
                    random_part(random, format, grid.n, grid.k, grid.scale_rows, grid.scale_cols, with_zeros);
                testing::context = "isa " + std::to_string(isa) + " " + name_of(part) + " scales " +
                                   std::to_string(grid.scale_rows) + "x" + std::to_string(grid.scale_cols);
                expect_linears(device, {&part}, {1, 7}, random);
            }
        }
    }
}

void stacks_parts_of_different_formats(Device& device, int32_t isa) {
    Random random(5);
    testing::context = "isa " + std::to_string(isa) + " stacked";
    const Part q = random_part(random, CT_FORMAT_Q4_K, 70, 512);
    const Part k = random_part(random, CT_FORMAT_Q4_K, 18, 512);
    const Part v = random_part(random, CT_FORMAT_Q6_K, 18, 512);
    const Part two_bits = random_part(random, CT_FORMAT_Q2_K, 5, 512);
    const Part dense = random_part(random, CT_FORMAT_BF16, 20, 512);
    const Part half = random_part(random, CT_FORMAT_F16, 3, 512);
    const Part codebook = random_part(random, CT_FORMAT_IQ2_S, 3, 512);
    const Part ints = random_part(random, CT_FORMAT_INT4, 40, 512, 1, 128);
    expect_linears(device, {&q, &k, &v, &two_bits, &dense, &half, &codebook, &ints}, {1, 3, 20, 100}, random);
}

// Every row bit for bit, whatever shares the call and however many threads there are.
template <typename X>
void row_depends_on_the_row_only(int32_t isa) {
    constexpr int64_t kMostRows = 128;
    constexpr int64_t kCols = 768;
    Random random(77);
    std::vector<Part> storage;
    for (const int32_t format : kAllFormats) {
        if (is_kept(format)) storage.push_back(random_part(random, format, 21, kCols, 1, 128));
    }
    std::vector<const Part*> parts;
    for (const Part& part : storage) parts.push_back(&part);
    const auto n = static_cast<int64_t>(21 * parts.size());
    std::vector<float> all;  // of one thread, all rows
    for (const int threads : {1, 2, 5}) {
        Device device(threads, isa);
        testing::context = "determinism isa " + std::to_string(isa) + " threads " + std::to_string(threads);
        ct_weights* weights = create(device, parts);
        Array<X> x(device, kMostRows * kCols);
        Random same(78);
        testing::fill(x, same);
        for (const int64_t m : {128, 33, 7, 6, 5, 4, 3, 2, 1}) {
            std::vector<int64_t> rows(kMostRows);
            std::iota(rows.begin(), rows.end(), 0);
            if (!all.empty()) std::shuffle(rows.begin(), rows.end(), random.engine);
            Array<X> some(device, m * kCols);
            for (int64_t r = 0; r < m; ++r) {
                std::copy_n(x.at + rows[static_cast<size_t>(r)] * kCols, kCols, some.at + r * kCols);
            }
            Array<float> y(device, m * n);
            y.poison();
            CHECK_OK(ct_linear(y.buffer, some.buffer, weights, nullptr, m, n, kCols, CT_F32, testing::kDtype<X>,
                               device.stream));
            CHECK_OK(ct_stream_synchronize(device.stream));
            if (all.empty()) all.assign(y.at, y.at + y.size);
            for (int64_t r = 0; r < m; ++r) {
                CHECK(std::memcmp(y.at + r * n, all.data() + rows[static_cast<size_t>(r)] * n,
                                  static_cast<size_t>(n) * sizeof(float)) == 0);
            }
        }
        CHECK_OK(ct_weights_destroy(weights));
    }
}

// Embeddings are exact in both uses.
void looks_up_exact_rows(Device& device) {
    for (const int32_t format : kAllFormats) {
        for (const int32_t use : {CT_WEIGHTS_LINEAR, CT_WEIGHTS_EMBEDDING}) {
            Random random(static_cast<uint64_t>(format));
            constexpr int64_t kCols = 1280;
            const Part part = random_part(random, format, 37, kCols, 4, 64);
            testing::context = "embedding of use " + std::to_string(use) + " " + name_of(part);
            ct_weights* weights = create(device, {&part}, CT_F32, use);
            Array<int32_t> ids(device, {36, 0, -1, 17});
            Array<float> y(device, ids.size * kCols);
            CHECK_OK(ct_embedding(y.buffer, weights, ids.buffer, ids.size, kCols, CT_F32, 1, device.stream));
            CHECK_OK(ct_stream_synchronize(device.stream));
            for (int64_t i = 0; i < y.size; ++i) {
                const int64_t id = ids.at[i / kCols];
                if (id < 0) {
                    CHECK(std::isnan(y.at[i]));
                } else {
                    CHECK(y.at[i] == part.values[static_cast<size_t>(id * kCols + i % kCols)]);
                }
            }
            // A piece that begins within a block.
            std::vector<float> piece(101);
            ct::weights_row(piece.data(), *weights, 5, 301, 402);
            CHECK(std::equal(piece.begin(), piece.end(), part.values.begin() + 5 * kCols + 301));
            CHECK_OK(ct_weights_destroy(weights));
        }
    }
}

void keeps_what_it_says(Device& device) {
    Random random(3);
    const auto bits_per_weight = [&](int32_t format) {
        const Part part = random_part(random, format, 64, 1024, 1, 128);
        ct_weights* weights = create(device, {&part}, CT_BF16);
        int64_t bytes = 0;
        CHECK_OK(ct_weights_bytes(&bytes, weights));
        CHECK_OK(ct_weights_destroy(weights));
        return static_cast<double>(bytes) * 8 / (64 * 1024);
    };
    for (const int32_t format : kAllFormats) {
        testing::context = format_of(format).name;
        const double stored = format_of(format).bytes * 8.0 / format_of(format).block;
        if (!is_kept(format)) {
            CHECK(bits_per_weight(format) == (format == CT_FORMAT_F32 || format == CT_FORMAT_F16 ? 32 : 16));
        } else {  // half a bit is for scales beside the codes, or unpacked
            CHECK(bits_per_weight(format) <= stored + (has_grid(format) ? 0.35 : 0.5));
        }
    }
}

void refuses_what_is_malformed(Device& device) {
    testing::context = "malformed";
    Random random(4);
    ct_weights* weights = nullptr;
    const auto refused = [&](const ct_weights_part& part, int64_t cols) {
        CHECK_STATUS(ct_weights_create(&weights, device.device, &part, 1, cols, CT_F32, CT_WEIGHTS_LINEAR), CT_INVALID);
        CHECK_STATUS(ct_weights_create(&weights, device.device, &part, 1, cols, CT_BF16, CT_WEIGHTS_EMBEDDING),
                     CT_INVALID);
        CHECK(weights == nullptr);
    };
    for (const int32_t format : kAllFormats) {
        testing::context = std::string("malformed ") + format_of(format).name;
        const Part good = random_part(random, format, 3, 512, 2, 128);
        const auto changed = [&](auto change) {
            ct_weights_part part = good.abi();
            change(part);
            refused(part, 512);
        };
        changed([](ct_weights_part& part) { part.data_bytes -= 1; });
        changed([](ct_weights_part& part) { part.data_bytes += 1; });
        changed([](ct_weights_part& part) { part.rows = INT64_MAX; });
        changed([](ct_weights_part& part) { part.data = nullptr; });
        refused(good.abi(), 513);
        if (has_grid(format)) {
            changed([](ct_weights_part& part) { part.scales = nullptr; });
            changed([](ct_weights_part& part) { part.num_scales += 1; });
            changed([](ct_weights_part& part) { part.num_scales = 0; });
            changed([](ct_weights_part& part) { part.scale_rows = 0; });
            changed([](ct_weights_part& part) { part.scale_cols = -1; });
            for (const float bad : {testing::kNan, INFINITY, -INFINITY}) {
                Part spoilt = good;
                spoilt.scales.back() = bad;
                refused(spoilt.abi(), 512);
            }
        } else {
            const float scale = 1;
            const uint8_t zero = 8;
            changed([&](ct_weights_part& part) { part.scales = &scale; });
            changed([&](ct_weights_part& part) { part.zeros = &zero; });
            changed([](ct_weights_part& part) { part.num_scales = 1; });
            changed([](ct_weights_part& part) { part.scale_cols = 1; });
        }
        if (format < CT_FORMAT_Q4_0) continue;
        refused(good.abi(), 512 + format_of(format).block / 2);
        for (const int at : halves_of(format).at) {
            if (at < 0) continue;
            for (const uint16_t bad : {uint16_t{0x7c00}, uint16_t{0xfe01}}) {
                Part spoilt = good;
                const size_t last = spoilt.bytes.size() - static_cast<size_t>(format_of(format).bytes);
                std::memcpy(spoilt.bytes.data() + last + at, &bad, sizeof bad);
                refused(spoilt.abi(), 512);
            }
        }
    }
    const Part ints = random_part(random, CT_FORMAT_INT4, 3, 512, 1, 128);
    Part spoilt = ints;
    spoilt.zeros[1] = 17;
    refused(spoilt.abi(), 512);
    const Part floats = random_part(random, CT_FORMAT_F8_E4M3, 3, 512, 1, 128);
    ct_weights_part with_zeros = floats.abi();
    with_zeros.zeros = ints.zeros.data();
    refused(with_zeros, 512);
    for (const int32_t format : {-1, 5, 15, 39, static_cast<int>(CT_FORMAT_F8_E5M2), INT32_MAX}) {
        ct_weights_part part = floats.abi();
        part.format = format;
        refused(part, 512);
    }
}

void dequantize_refuses_what_is_malformed() {
    testing::context = "ct_dequantize";
    const unsigned char data[512] = {};
    float y[512];
    std::fill(y, y + 512, 7.0f);
    CHECK_STATUS(ct_dequantize(nullptr, data, 32, 18, CT_FORMAT_Q4_0), CT_INVALID);
    CHECK_STATUS(ct_dequantize(y, nullptr, 32, 18, CT_FORMAT_Q4_0), CT_INVALID);
    CHECK_STATUS(ct_dequantize(y, data, 31, 18, CT_FORMAT_Q4_0), CT_INVALID);
    CHECK_STATUS(ct_dequantize(y, data, -32, -18, CT_FORMAT_Q4_0), CT_INVALID);
    CHECK_STATUS(ct_dequantize(y, data, 32, 17, CT_FORMAT_Q4_0), CT_INVALID);
    CHECK_STATUS(ct_dequantize(y, data, INT64_MAX / 256 * 256, 18, CT_FORMAT_Q6_K), CT_INVALID);
    for (const int32_t format : {-1, 5, 39, 67, INT32_MIN, INT32_MAX}) {
        CHECK_STATUS(ct_dequantize(y, data, 32, 18, format), CT_INVALID);
    }
    CHECK(std::all_of(y, y + 512, [](float v) { return v == 7.0f; }));
    CHECK_OK(ct_dequantize(y, data, 0, 0, CT_FORMAT_Q4_0));
    CHECK_OK(ct_dequantize(y, data, 32, 18, CT_FORMAT_Q4_0));
    CHECK(std::all_of(y, y + 32, [](float v) { return v == 0; }) && y[32] == 7.0f);
}

// On a backend's device the matrix is dequantised at load, to float32 or bf16 as asked.
void is_dequantised_on_gpus(Device& device) {
    const std::string outer = testing::context;
    for (const int32_t format : {CT_FORMAT_Q4_K, CT_FORMAT_IQ3_S, CT_FORMAT_F8_E4M3, CT_FORMAT_INT4}) {
        for (const int32_t dense : {CT_F32, CT_BF16}) {
            Random random(static_cast<uint64_t>(format));
            Part first = random_part(random, format, 9, 256, 1, 128);
            const Part second = random_part(random, CT_FORMAT_Q8_0, 12, 256);
            testing::context = outer + " " + name_of(first) + " to " + std::to_string(dense);
            ct_weights* weights = create(device, {&first, &second}, dense);
            Part rounded[] = {first, second};
            for (Part& part : rounded) {
                for (float& value : part.values) {
                    if (dense == CT_BF16) value = ct::to_float(ct::to_bf16(value));
                }
            }
            expect_linear<float, float>(device, weights, {&rounded[0], &rounded[1]}, 3, random, true);
            CHECK_OK(ct_weights_destroy(weights));
        }
    }
}

}  // namespace

int main() {
    for (const int32_t isa : testing::tested_isas()) {
        Device device(2, isa);
        matches_plain_loops(device, isa);
        serves_every_grid_of_scales(device, isa);
        stacks_parts_of_different_formats(device, isa);
        row_depends_on_the_row_only<ct::bf16>(isa);
        row_depends_on_the_row_only<float>(isa);
    }
    Device device(2);
    looks_up_exact_rows(device);
    keeps_what_it_says(device);
    refuses_what_is_malformed(device);
    dequantize_refuses_what_is_malformed();
    testing::for_gpu_devices(is_dequantised_on_gpus);
    return testing::finish("quantized");
}
