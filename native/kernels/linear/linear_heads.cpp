// linear_heads.cpp: ct_linear_heads: each head of a row times its own rows of W, in the products of ct_linear.
#include <algorithm>

#include "core/backend.h"
#include "kernels/linear/linear.h"
#include "kernels/linear/product.h"
#include "kernels/linear/weights.h"

namespace {

using namespace ct::linear;

struct LinearHeads {
    unsigned char* y;
    const unsigned char* x;
    const ct_weights* weights;
    ct_linear_heads_params p;
    const Kernels* kernels;
    const CodeKernels* code_kernels;

    void run(ct::Team& team) const;

private:
    int64_t head_rows() const { return weights->rows / p.num_heads; }
    int64_t head_panels() const { return head_rows() / kPanelRows; }
    void run_block(int64_t head, const Block& block, unsigned char* thread_scratch) const;
};

void LinearHeads::run(ct::Team& team) const {
    const int64_t row_blocks = ceil_div(p.rows, kBlockRows);
    // A block lies in one group of panels; heads that begin within a group touch one more.
    const int64_t pieces = ceil_div(head_panels(), kGroupPanels) + (head_panels() % kGroupPanels != 0 ? 1 : 0);
    // The blocks of rows of one group follow each other, so that its weights come from memory once.
    team.run(p.num_heads * pieces * row_blocks, [&](int64_t part, int thread) {
        const int64_t row_block = part % row_blocks, head = part / row_blocks / pieces;
        const int64_t begin = head * head_panels(), end = begin + head_panels();
        const int64_t group = begin / kGroupPanels + part / row_blocks % pieces;
        const int64_t first = std::max(begin, group * kGroupPanels);
        const int64_t last = std::min(end, (group + 1) * kGroupPanels);
        if (first >= last) return;
        const Block block = {piece_begin(p.rows, row_blocks, row_block), piece_begin(p.rows, row_blocks, row_block + 1),
                             first, static_cast<int>(last - first)};
        const size_t bytes = product_scratch_bytes() + sums_bytes(p.rows);
        run_block(head, block, static_cast<unsigned char*>(team.scratch(thread, bytes)));
    });
}

void LinearHeads::run_block(int64_t head, const Block& block, unsigned char* thread_scratch) const {
    const ct::WeightsSegment& segment = weights->segments[0];
    const Product product = {x + head * p.x_head_stride * ct::dtype_bytes(p.x_dtype),
                             weights->data + segment.at,
                             &segment,
                             nullptr,
                             p.x_stride,
                             weights->cols,
                             p.x_dtype,
                             kernels,
                             code_kernels};
    auto* sums = reinterpret_cast<float*>(thread_scratch + product_scratch_bytes());
    product.run(sums, block, thread_scratch);
    const int64_t col = head * p.y_head_stride + block.panel_begin * kPanelRows - head * head_rows();
    for (int64_t row = block.row_begin; row < block.row_end; ++row) {
        kernels->finish(y + (row * p.y_stride + col) * ct::dtype_bytes(p.y_dtype),
                        sums + (row - block.row_begin) * kGroupRows, nullptr, block.panels * kPanelRows, p.y_dtype);
    }
}

int32_t check_weights(const char* function, const ct_weights& weights, int32_t num_heads) {
    if (num_heads < 1 || weights.rows % num_heads != 0 || weights.rows / num_heads % kPanelRows != 0) {
        return ct::fail(CT_INVALID, "%s: num_heads=%d must divide the weights' %lld rows into multiples of 16",
                        function, static_cast<int>(num_heads), static_cast<long long>(weights.rows));
    }
    if (weights.device->backend) return CT_OK;
    if (weights.num_segments != 1 || weights.segments[0].storage == kStoreCodes) {
        return ct::fail(CT_UNSUPPORTED, "%s: weights must be of one part that is not kept quantised", function);
    }
    return CT_OK;
}

// Elements of a row, and of all rows.
int64_t row_extent(int32_t num_heads, int64_t head_stride, int64_t cols) {
    return (num_heads - 1) * head_stride + cols;
}

}  // namespace

int32_t ct_linear_heads(ct_buffer* y, const ct_buffer* x, const ct_weights* weights,
                        const ct_linear_heads_params* params, ct_stream* stream) {
    ct_linear_heads_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_REQUIRE(weights, "weights is null");
    CT_REQUIRE(weights->device == ct::device_of(stream), "weights are of another device than stream");
    CT_REQUIRE(weights->use == CT_WEIGHTS_LINEAR, "weights use=%d must be CT_WEIGHTS_LINEAR", weights->use);
    CT_REQUIRE(p.reserved == 0, "reserved=%d must be 0", p.reserved);
    CT_TRY(ct::check_activation_dtype(__func__, "y_dtype", p.y_dtype));
    CT_TRY(ct::check_activation_dtype(__func__, "x_dtype", p.x_dtype));
    CT_TRY(check_weights(__func__, *weights, p.num_heads));
    const int64_t n = weights->rows / p.num_heads, k = weights->cols;
    constexpr int64_t kMostStride = int64_t{1} << 40;  // no sum of them overflows
    CT_REQUIRE(p.y_head_stride >= n && p.y_head_stride <= kMostStride, "y_head_stride=%lld must be at least %lld",
               static_cast<long long>(p.y_head_stride), static_cast<long long>(n));
    CT_REQUIRE(p.x_head_stride >= k && p.x_head_stride <= kMostStride, "x_head_stride=%lld must be at least %lld",
               static_cast<long long>(p.x_head_stride), static_cast<long long>(k));
    const int64_t y_cols = row_extent(p.num_heads, p.y_head_stride, n);
    const int64_t x_cols = row_extent(p.num_heads, p.x_head_stride, k);
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, p.rows, y_cols, p.y_stride, ct::dtype_bytes(p.y_dtype)));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, p.rows, x_cols, p.x_stride, ct::dtype_bytes(p.x_dtype)));
    if (p.rows == 0) return ct::ok();
    const unsigned char* y_end = y->data + ((p.rows - 1) * p.y_stride + y_cols) * ct::dtype_bytes(p.y_dtype);
    const unsigned char* x_end = x->data + ((p.rows - 1) * p.x_stride + x_cols) * ct::dtype_bytes(p.x_dtype);
    CT_REQUIRE(y->data >= x_end || x->data >= y_end, "y must not alias x");

    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::linear_heads,
                          {{y->data, x->data, weights->data, nullptr, p.rows, n, k, p.y_stride, p.x_stride,
                            weights->stride, p.y_dtype, p.x_dtype, weights->dtype},
                           p.y_head_stride,
                           p.x_head_stride,
                           p.num_heads});
    }
    const LinearHeads heads = {ct::data<unsigned char>(y),  ct::data<unsigned char>(x),           weights, p,
                               kernels_of(weights->device), code_kernels_of(weights->device->isa)};
    CT_TRY(ct::enqueue(stream, [heads](ct::Team& team) { heads.run(team); }));
    return ct::ok();
}
