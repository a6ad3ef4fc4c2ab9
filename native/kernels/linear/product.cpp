// product.cpp: the walk over tiles of a dense segment that every instruction set shares; linear.h tells the layout and why
// the result does not depend on the division.
#include "kernels/linear/product.h"

#include <algorithm>

#include "kernels/linear/weights.h"

namespace ct::linear {
namespace {

// k's that all tiles of a block go through before the next. With many tiles, 64 rows of W are then 128 KB of bf16, a
// share of the L2 cache. With few, this piece and the next, which is being fetched from memory meanwhile, fit into the
// L1 cache.
constexpr int64_t kMostBlockCols = 1024;
int64_t block_cols_of(int64_t tiles) {
    return tiles == 1 ? kMostBlockCols : tiles <= 3 ? 64 : tiles <= 8 ? 256 : kMostBlockCols;
}

// Bytes that are fetched ahead when a single tile reads W once, straight from memory.
constexpr int64_t kPrefetchBytes = 4096;

constexpr int64_t kMostTileRows = 8;  // of any instruction set

// From so many tiles on that multiply bf16 W in float32, W is widened once for all of them, a piece of k that then lies in
// the L1 cache: to widen it at each use costs the multipliers' ports a sixth of their time.
constexpr int64_t kWidenTiles = 4;
constexpr int64_t kWidenCols = 64;

// What a thread needs besides the sums of its rows.
struct Scratch {
    alignas(64) float x[kMostTileRows * kMostBlockCols];
    float w[kWidenCols * kGroupRows];
};

// A single tile reads W straight from memory and fetches a little ahead. Several tiles fetch the next block of k
// together, each a run of it, so that memory is busy during all of them; after the last block comes another thread's
// group.
void prefetch(Tile& tile, int64_t k_per_step, int64_t t, int64_t tiles, bool last) {
    const int64_t lines = tile.w_step / kLineBytes;
    if (tiles == 1) {
        tile.prefetch = tile.w + kPrefetchBytes;
        tile.prefetch_lines = static_cast<int>(lines);
        return;
    }
    const int64_t steps = ceil_div(tile.cols, k_per_step);
    const int64_t share = ceil_div(lines, tiles);
    tile.prefetch = tile.w + steps * (tile.w_step + t * share * kLineBytes);
    tile.prefetch_lines = last || t * share >= lines ? 0 : static_cast<int>(share);
}

// The same where a tile reads W widened: the next block's lines, half as many a k, are the first tiles' affair.
void prefetch_widened(Tile& tile, const unsigned char* next, int64_t w_step, int64_t t, bool last) {
    const int64_t lines = ceil_div(kWidenCols, int64_t{2}) * w_step / kLineBytes;
    tile.prefetch = next + t * kWidenCols * kLineBytes;
    tile.prefetch_lines = !last && t * kWidenCols < lines ? 1 : 0;
}

}  // namespace

bool Product::expands() const { return x_dtype == CT_BF16 && !(segment->storage == kStoreBf16 && kernels->bf16_bf16); }

TileKernel Product::kernel() const {
    if (segment->storage == kStoreF32) return kernels->f32_f32;
    return x_dtype == CT_BF16 && !expands() ? kernels->bf16_bf16 : kernels->f32_bf16;
}

void Product::run(float* sums, const Block& block, unsigned char* thread_scratch) const {
    if (segment->storage == kStoreCodes) {
        run_kept(sums, block, thread_scratch);
    } else {
        run_dense(sums, block, thread_scratch);
    }
}

void Product::run_dense(float* sums, const Block& block, unsigned char* thread_scratch) const {
    auto& scratch = *reinterpret_cast<Scratch*>(thread_scratch);
    const int64_t num_rows = block.row_end - block.row_begin;
    const int64_t tiles = ceil_div(num_rows, kernels->max_rows);
    const bool widens = tiles >= kWidenTiles && kernels->widen && kernel() == kernels->f32_bf16;
    const TileKernel tile_kernel = widens ? kernels->f32_f32 : kernel();
    const auto layout = DenseLayout::of(segment->rows, cols, segment->storage);
    const int64_t k_per_step = segment->storage == kStoreBf16 ? 2 : 1;
    const int64_t w_step = layout.w_step(block.panel_begin);
    const unsigned char* w = segment_data + layout.offset(block.panel_begin);
    const int64_t block_cols = widens ? kWidenCols : block_cols_of(tiles);

    for (int64_t k = 0; k < cols; k += block_cols) {
        const bool last = cols - k <= block_cols;
        Tile tile = {};
        tile.w = w + k / k_per_step * w_step;
        tile.w_step = w_step;
        tile.cols = std::min(block_cols, cols - k);
        tile.panels = block.panels;
        tile.first = k == 0;
        const unsigned char* next = tile.w + ceil_div(tile.cols, k_per_step) * w_step;
        if (widens) {
            kernels->widen(scratch.w, tile.w, w_step, tile.cols, tile.panels);
            tile.w = reinterpret_cast<const unsigned char*>(scratch.w);
            tile.w_step = kGroupPanels * kLineBytes;
        }
        const int64_t x_bytes = dtype_bytes(x_dtype);
        const int64_t ahead_bytes = widens && !last ? block_cols * x_bytes : 0;
        for (int64_t t = 0; t < tiles; ++t) {
            const int64_t row = piece_begin(num_rows, tiles, t);
            tile.rows = static_cast<int>(piece_begin(num_rows, tiles, t + 1) - row);
            tile.c = sums + row * kGroupRows;
            const unsigned char* from = x + ((block.row_begin + row) * x_stride + k) * x_bytes;
            tile.x = from;
            tile.x_stride = x_stride;
            if (expands()) {
                for (int r = 0; r < tile.rows; ++r) {
                    const unsigned char* row_x = from + r * x_stride * x_bytes;
                    kernels->expand(scratch.x + r * kMostBlockCols, row_x, tile.cols);
                    // The row's next piece: no prefetcher of the processor's follows such short runs.
                    for (int64_t at = 0; at < ahead_bytes; at += kLineBytes) {
                        __builtin_prefetch(row_x + block_cols * x_bytes + at);
                    }
                }
                tile.x = scratch.x;
                tile.x_stride = kMostBlockCols;
            }
            if (widens) {
                prefetch_widened(tile, next, w_step, t, last);
            } else {
                prefetch(tile, k_per_step, t, tiles, last);
            }
            tile_kernel(tile);
        }
    }
}

size_t product_scratch_bytes() { return std::max(sizeof(Scratch), kept_scratch_bytes()); }

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

}  // namespace ct::linear
