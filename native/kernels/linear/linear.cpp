// linear.cpp: y = x W^T + bias. Checks, the division of the work, and the walk over tiles that every instruction set
// shares; linear.h tells the layout and why the result does not depend on the division.
#include "kernels/linear/linear.h"

#include <algorithm>

#include "core/backend.h"
#include "kernels/linear/blocks.h"
#include "kernels/linear/kept.h"
#include "kernels/linear/weights.h"

namespace {

using namespace ct::linear;

// k's that all tiles of a block go through before the next. With many tiles, 64 rows of W are then 128 KB of bf16, a
// share of the L2 cache. With few, this piece and the next, which is being fetched from memory meanwhile, fit into the
// L1 cache.
constexpr int64_t kMostBlockCols = 1024;
int64_t block_cols_of(int64_t tiles) {
    return tiles == 1 ? kMostBlockCols : tiles <= 3 ? 64 : tiles <= 8 ? 256 : kMostBlockCols;
}

// Bytes that are fetched ahead when a single tile reads W once, straight from memory.
constexpr int64_t kPrefetchBytes = 4096;

// y = x W^T + bias for the rows of one dense segment of W: y and bias begin at its first row.
struct Dense {
    unsigned char* y;
    const unsigned char* x;
    const unsigned char* w;
    const float* bias;
    int64_t y_stride;
    int64_t x_stride;
    int64_t w_rows;
    int64_t cols;
    int32_t y_dtype;
    int32_t x_dtype;
    int32_t w_dtype;
    const Kernels* kernels;

    void run(const Block& block, ct::Team& team, int thread) const;

private:
    int64_t k_per_step() const { return w_dtype == CT_BF16 ? 2 : 1; }
    int64_t panel_count() const { return ceil_div(w_rows, kPanelRows); }
    bool expands() const { return x_dtype == CT_BF16 && !(w_dtype == CT_BF16 && kernels->bf16_bf16); }
    TileKernel kernel() const;
    void prefetch(Tile& tile, int64_t t, int64_t tiles, bool last) const;
    void run_block(const Block& block, float* sums, float* expanded) const;
    void finish_rows(const Block& block, const float* sums) const;
};

TileKernel Dense::kernel() const {
    if (w_dtype == CT_F32) {
        return kernels->f32_f32;
    }
    return x_dtype == CT_BF16 && !expands() ? kernels->bf16_bf16 : kernels->f32_bf16;
}

void Dense::run(const Block& block, ct::Team& team, int thread) const {
    const auto sums_bytes = static_cast<size_t>((block.row_end - block.row_begin) * kGroupRows) * sizeof(float);
    const auto expanded_bytes = expands() ? static_cast<size_t>(kernels->max_rows * kMostBlockCols) * sizeof(float) : 0;
    auto* scratch = static_cast<unsigned char*>(team.scratch(thread, sums_bytes + expanded_bytes));
    run_block(block, reinterpret_cast<float*>(scratch), reinterpret_cast<float*>(scratch + sums_bytes));
}

// A single tile reads W straight from memory and fetches a little ahead. Several tiles fetch the next block of k
// together, each a run of it, so that memory is busy during all of them; after the last block comes another thread's
// group.
void Dense::prefetch(Tile& tile, int64_t t, int64_t tiles, bool last) const {
    const int64_t lines = tile.w_step / kLineBytes;
    if (tiles == 1) {
        tile.prefetch = tile.w + kPrefetchBytes;
        tile.prefetch_lines = static_cast<int>(lines);
        return;
    }
    const int64_t steps = ceil_div(tile.cols, k_per_step());
    const int64_t share = ceil_div(lines, tiles);
    tile.prefetch = tile.w + steps * (tile.w_step + t * share * kLineBytes);
    tile.prefetch_lines = last || t * share >= lines ? 0 : static_cast<int>(share);
}

void Dense::run_block(const Block& block, float* sums, float* expanded) const {
    const TileKernel tile_kernel = kernel();
    const int64_t num_rows = block.row_end - block.row_begin;
    const int64_t tiles = ceil_div(num_rows, kernels->max_rows);
    const int64_t steps = ceil_div(cols, k_per_step());
    const int64_t group = block.panel_begin / kGroupPanels * kGroupPanels;
    const int64_t w_step = std::min<int64_t>(kGroupPanels, panel_count() - group) * kLineBytes;
    const unsigned char* group_w = w + group * steps * kLineBytes + (block.panel_begin - group) * kLineBytes;
    const int64_t block_cols = block_cols_of(tiles);

    for (int64_t k = 0; k < cols; k += block_cols) {
        const bool last = cols - k <= block_cols;
        Tile tile = {};
        tile.w = group_w + k / k_per_step() * w_step;
        tile.w_step = w_step;
        tile.cols = std::min(block_cols, cols - k);
        tile.panels = block.panels;
        tile.first = k == 0;
        for (int64_t t = 0; t < tiles; ++t) {
            const int64_t row = piece_begin(num_rows, tiles, t);
            tile.rows = static_cast<int>(piece_begin(num_rows, tiles, t + 1) - row);
            tile.c = sums + row * kGroupRows;
            const int64_t x_bytes = ct::dtype_bytes(x_dtype);
            const unsigned char* from = x + ((block.row_begin + row) * x_stride + k) * x_bytes;
            tile.x = from;
            tile.x_stride = x_stride;
            if (expands()) {
                for (int r = 0; r < tile.rows; ++r) {
                    kernels->expand(expanded + r * kMostBlockCols, from + r * x_stride * x_bytes, tile.cols);
                }
                tile.x = expanded;
                tile.x_stride = kMostBlockCols;
            }
            prefetch(tile, t, tiles, last);
            tile_kernel(tile);
        }
    }
    finish_rows(block, sums);
}

void Dense::finish_rows(const Block& block, const float* sums) const {
    const int64_t col = block.panel_begin * kPanelRows;
    const int64_t num_cols = std::min<int64_t>(block.panels * kPanelRows, w_rows - col);
    for (int64_t row = block.row_begin; row < block.row_end; ++row) {
        kernels->finish(y + (row * y_stride + col) * ct::dtype_bytes(y_dtype),
                        sums + (row - block.row_begin) * kGroupRows, bias ? bias + col : nullptr, num_cols, y_dtype);
    }
}

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
    void run_rows(XSums& x_sums, ct::Team& team) const;
    void run_dense(const ct::WeightsSegment& segment, const Block& block, ct::Team& team, int thread) const;
    Kept kept(const ct::WeightsSegment& segment, const XSums& x_sums) const;
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
    const size_t own_bytes = kept_scratch_bytes(rows);
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
        if (segment->storage == kStoreCodes) {
            kept(*segment, x_sums).run(block, static_cast<unsigned char*>(team.scratch(thread, own_bytes)));
        } else {
            run_dense(*segment, block, team, thread);
        }
    });
}

Kept Linear::kept(const ct::WeightsSegment& segment, const XSums& x_sums) const {
    Kept kept = {};
    kept.y = y + segment.first_row * ct::dtype_bytes(y_dtype);
    kept.x = x;
    kept.segment_data = weights->data + segment.at;
    kept.segment = &segment;
    kept.bias = bias ? bias + segment.first_row : nullptr;
    kept.x_sums = &x_sums;
    kept.y_stride = y_stride;
    kept.x_stride = x_stride;
    kept.cols = weights->cols;
    kept.y_dtype = y_dtype;
    kept.x_dtype = x_dtype;
    kept.kernels = kernels;
    kept.code_kernels = code_kernels;
    return kept;
}

void Linear::run_dense(const ct::WeightsSegment& segment, const Block& block, ct::Team& team, int thread) const {
    Dense dense = {};
    dense.y = y + segment.first_row * ct::dtype_bytes(y_dtype);
    dense.x = x;
    dense.w = weights->data + segment.at;
    dense.bias = bias ? bias + segment.first_row : nullptr;
    dense.y_stride = y_stride;
    dense.x_stride = x_stride;
    dense.w_rows = segment.rows;
    dense.cols = weights->cols;
    dense.y_dtype = y_dtype;
    dense.x_dtype = x_dtype;
    dense.w_dtype = segment.storage;
    dense.kernels = kernels;
    dense.run(block, team, thread);
}

const Kernels* kernels_of(const ct_device* device) {
    switch (device->isa) {
        case CT_ISA_AVX512:
            return device->halves_bf16 ? &kAvx512FloatKernels : &kAvx512Kernels;
        case CT_ISA_AVX2:
            return &kAvx2Kernels;
        default:
            return &kScalarKernels;
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
