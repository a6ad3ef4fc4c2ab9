// linear.cpp: y = x W^T + bias: checks and the division of the work; linear.h tells the layout and why the result does not
// depend on the division.
#include "kernels/linear/linear.h"

#include <algorithm>

#include "core/backend.h"
#include "kernels/linear/product.h"

namespace {

using namespace ct::linear;

struct Linear {
    unsigned char* y;
    const unsigned char* x;
    const ct_weights* weights;
    const float* bias;
    int64_t rows;
    int64_t y_stride;
    int64_t x_stride;
    int32_t y_dtype;
    int32_t x_dtype;
    const Kernels* kernels;

    const CodeKernels* code_kernels;

    void run(ct::Team& team) const;

private:
    size_t thread_bytes() const { return product_scratch_bytes() + sums_bytes(rows); }
    void run_rows(XSums& x_sums, ct::Team& team) const;
    void run_block(const ct::WeightsSegment& segment, const Block& block, const XSums& x_sums,
                   unsigned char* thread_scratch) const;
};

int64_t groups_of(const ct::WeightsSegment& segment, int64_t width) {
    return ceil_div(ceil_div(segment.rows, kPanelRows), width);
}

void Linear::run(ct::Team& team) const {
    for (int64_t begin = 0; begin < rows; begin += XSums::kMostRows) {
        Linear some = *this;
        some.y += begin * y_stride * ct::dtype_bytes(y_dtype);
        some.x += begin * x_stride * ct::dtype_bytes(x_dtype);
        some.rows = std::min(XSums::kMostRows, rows - begin);
        XSums x_sums(*weights, some.rows);
        some.run_rows(x_sums, team);
    }
}

void Linear::run_rows(XSums& x_sums, ct::Team& team) const {
    // The sums of x lie in thread 0's scratch, behind its own share: asked for in one piece, so that it stays where it is.
    const size_t own_bytes = thread_bytes();
    if (x_sums.bytes() > 0) {
        auto* memory = static_cast<unsigned char*>(team.scratch(0, own_bytes + x_sums.bytes()));
        x_sums.fill(reinterpret_cast<float*>(memory + own_bytes), x, x_stride, x_dtype, *code_kernels, team);
    }
    const int64_t row_blocks = ceil_div(rows, kBlockRows);
    const auto parts_of = [&](int64_t width) {
        int64_t parts = 0;
        for (int64_t i = 0; i < weights->num_segments; ++i) parts += groups_of(weights->segments[i], width);
        return parts * row_blocks;
    };
    // A whole group at a time is the cheapest; a matrix with fewer groups than threads is divided more finely.
    int64_t width = kGroupPanels;
    while (width > 1 && parts_of(width) < 2 * int64_t{team.size()}) {
        width /= 2;
    }
    // The blocks of rows of one group follow each other, so that its weights come from memory once.
    team.run(parts_of(width), [&](int64_t part, int thread) {
        const ct::WeightsSegment* segment = weights->segments;
        int64_t group = part / row_blocks;
        while (group >= groups_of(*segment, width)) group -= groups_of(*segment++, width);
        const int64_t row_block = part % row_blocks;
        const int64_t panels = ceil_div(segment->rows, kPanelRows);
        const Block block = {piece_begin(rows, row_blocks, row_block), piece_begin(rows, row_blocks, row_block + 1),
                             group * width, static_cast<int>(std::min(width, panels - group * width))};
        run_block(*segment, block, x_sums, static_cast<unsigned char*>(team.scratch(thread, own_bytes)));
    });
}

void Linear::run_block(const ct::WeightsSegment& segment, const Block& block, const XSums& x_sums,
                       unsigned char* thread_scratch) const {
    const Product product = {
        x, weights->data + segment.at, &segment, &x_sums, x_stride, weights->cols, x_dtype, kernels, code_kernels};
    auto* sums = reinterpret_cast<float*>(thread_scratch + product_scratch_bytes());
    product.run(sums, block, thread_scratch);
    const int64_t first = block.panel_begin * kPanelRows;
    const int64_t num_cols = std::min<int64_t>(block.panels * kPanelRows, segment.rows - first);
    const int64_t col = segment.first_row + first;
    for (int64_t row = block.row_begin; row < block.row_end; ++row) {
        kernels->finish(y + (row * y_stride + col) * ct::dtype_bytes(y_dtype),
                        sums + (row - block.row_begin) * kGroupRows, bias ? bias + col : nullptr, num_cols, y_dtype);
    }
}

// Bytes from the first to the last element of a matrix.
int64_t extent(int64_t rows, int64_t cols, int64_t stride, int32_t dtype) {
    return ((rows - 1) * stride + cols) * ct::dtype_bytes(dtype);
}

bool overlap(const unsigned char* a, int64_t a_bytes, const unsigned char* b, int64_t b_bytes) {
    return a < b + b_bytes && b < a + a_bytes;
}

}  // namespace

int32_t ct_linear(ct_buffer* y, const ct_buffer* x, const ct_weights* weights, const ct_buffer* bias, int64_t rows,
                  int64_t y_stride, int64_t x_stride, int32_t y_dtype, int32_t x_dtype, ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(weights, "weights is null");
    CT_REQUIRE(weights->device == ct::device_of(stream), "weights are of another device than stream");
    CT_REQUIRE(weights->use == CT_WEIGHTS_LINEAR, "weights use=%d must be CT_WEIGHTS_LINEAR", weights->use);
    CT_TRY(ct::check_activation_dtype(__func__, "y_dtype", y_dtype));
    CT_TRY(ct::check_activation_dtype(__func__, "x_dtype", x_dtype));
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, rows, weights->rows, y_stride, ct::dtype_bytes(y_dtype)));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, rows, weights->cols, x_stride, ct::dtype_bytes(x_dtype)));
    if (bias) {
        CT_TRY(ct::check_buffer(__func__, "bias", bias, stream, weights->rows, sizeof(float)));
    }
    if (rows == 0) {
        return ct::ok();
    }
    CT_REQUIRE(!overlap(y->data, extent(rows, weights->rows, y_stride, y_dtype), x->data,
                        extent(rows, weights->cols, x_stride, x_dtype)),
               "y must not alias x");

    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::linear,
                          {y->data, x->data, weights->data, ct::data<float>(bias), rows, weights->rows, weights->cols,
                           y_stride, x_stride, weights->stride, y_dtype, x_dtype, weights->dtype});
    }
    Linear linear = {};
    linear.y = ct::data<unsigned char>(y);
    linear.x = ct::data<unsigned char>(x);
    linear.weights = weights;
    linear.bias = ct::data<float>(bias);
    linear.rows = rows;
    linear.y_stride = y_stride;
    linear.x_stride = x_stride;
    linear.y_dtype = y_dtype;
    linear.x_dtype = x_dtype;
    linear.kernels = kernels_of(weights->device);
    linear.code_kernels = code_kernels_of(weights->device->isa);
    CT_TRY(ct::enqueue(stream, [linear](ct::Team& team) { linear.run(team); }));
    return ct::ok();
}
