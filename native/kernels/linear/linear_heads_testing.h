// linear_heads_testing.h: what every device is asked about ct_linear_heads: the plain loops in double, and that a head's
// rows are those of ct_linear with the head's own matrix.
#pragma once

#include "tests/kernel_testing.h"

namespace testing {

struct HeadsCase {
    int64_t rows;
    int32_t heads;
    int64_t n, k;  // of a head
    int64_t pad = 3, head_pad = 5;

    int64_t y_head() const { return n + head_pad; }
    int64_t x_head() const { return k + head_pad; }
    int64_t y_row() const { return heads * y_head() + pad; }
    int64_t x_row() const { return heads * x_head() + pad; }
    std::string text() const {
        return "rows " + std::to_string(rows) + " heads " + std::to_string(heads) + " N " + std::to_string(n) + " K " +
               std::to_string(k);
    }
};

template <typename W>
struct HeadWeights {
    std::vector<W> values;
    ct_weights* weights = nullptr;

    HeadWeights(Device& d, std::vector<W> from, int64_t rows, int64_t k) : values(std::move(from)) {
        const auto bytes = static_cast<int64_t>(values.size() * sizeof(W));
        const ct_weights_part part = weights_part(values.data(), rows, bytes, kDtype<W>);
        CHECK_OK(ct_weights_create(&weights, d.device, &part, 1, k, CT_F32, CT_WEIGHTS_LINEAR));
    }
    ~HeadWeights() { CHECK_OK(ct_weights_destroy(weights)); }
    HeadWeights(const HeadWeights&) = delete;
    HeadWeights& operator=(const HeadWeights&) = delete;
};

template <typename T>
std::vector<T> random_numbers(Random& random, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    for (T& v : values) v = ct::from_float<T>(random.normal());
    return values;
}

// y [rows][heads][n] of ct_linear_heads on rows of x [rows][heads][k]; checks that nothing else is written.
template <typename Y, typename X>
std::vector<Y> run_heads(Device& d, const HeadsCase& c, const ct_weights* weights, const std::vector<X>& x_values) {
    Array<X> x(d, c.rows * c.x_row());
    Array<Y> y(d, c.rows * c.y_row());
    x.poison();
    y.poison();
    for (int64_t i = 0; i < c.rows * c.heads; ++i) {
        std::copy_n(x_values.data() + i * c.k, c.k, x.at + i / c.heads * c.x_row() + i % c.heads * c.x_head());
    }
    const ct_linear_heads_params p{sizeof p,   c.rows,  c.y_row(), c.x_row(), c.y_head(),
                                   c.x_head(), c.heads, kDtype<Y>, kDtype<X>, 0};
    CHECK_OK(ct_linear_heads(y.buffer, x.buffer, weights, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<Y> out;
    bool clean = true;
    for (int64_t r = 0; r < c.rows; ++r) {
        for (int64_t i = 0; i < c.y_row(); ++i) {
            const Y element = y.at[r * c.y_row() + i];
            if (i < c.heads * c.y_head() && i % c.y_head() < c.n) {
                out.push_back(element);
            } else {
                clean = clean && untouched(element);
            }
        }
    }
    CHECK(clean);
    return out;
}

template <typename Y, typename X, typename W>
void headsAsPlainLoops(Device& d, const HeadsCase& c) {
    const std::string before = context;
    context += " " + c.text();
    Random random(static_cast<uint64_t>(c.rows * 1009 + c.n + c.k));
    const HeadWeights<W> w(d, random_numbers<W>(random, c.heads * c.n * c.k), c.heads * c.n, c.k);
    const std::vector<X> x = random_numbers<X>(random, c.rows * c.heads * c.k);
    const std::vector<Y> y = run_heads<Y>(d, c, w.weights, x);
    for (int64_t i = 0; i < c.rows * c.heads; ++i) {
        for (int64_t n = 0; n < c.n; ++n) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < c.k; ++k) {
                const double product = value(x[static_cast<size_t>(i * c.k + k)]) *
                                       value(w.values[static_cast<size_t>((i % c.heads * c.n + n) * c.k + k)]);
                sum += product;
                size += std::fabs(product);
            }
            const double tolerance = 1e-6 * size + 1e-6 + (std::is_same_v<Y, float> ? 0 : std::fabs(sum) / 200);
            CHECK_CLOSE(value(y[static_cast<size_t>(i * c.n + n)]), sum, tolerance);
        }
    }
    context = before;
}

// A row's bits are its own: the same alone, among others, and with rows at other addresses.
template <typename Y, typename X, typename W>
void headsDependOnTheirRowAlone(Device& d, int64_t many, int32_t heads, int64_t n, int64_t k) {
    Random random(77);
    const HeadWeights<W> w(d, random_numbers<W>(random, heads * n * k), heads * n, k);
    const std::vector<X> x = random_numbers<X>(random, many * heads * k);
    const std::vector<Y> all = run_heads<Y>(d, {many, heads, n, k, 8, 8}, w.weights, x);
    for (int64_t rows : {int64_t{1}, int64_t{2}, int64_t{9}, int64_t{17}, many}) {
        const int64_t first = many - rows;
        const std::vector<X> some(x.begin() + first * heads * k, x.end());
        const std::vector<Y> y = run_heads<Y>(d, {rows, heads, n, k, 16, 8}, w.weights, some);
        CHECK(std::memcmp(y.data(), all.data() + first * heads * n, y.size() * sizeof(Y)) == 0);
    }
}

}  // namespace testing
