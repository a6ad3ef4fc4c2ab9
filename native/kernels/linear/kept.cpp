// kept.cpp: a block of sums on codes: chunk after chunk of columns. Few rows take the codes as they are packed; more
// rows take them unpacked, once for the whole block. codes.h tells why both give the same bits.
#include "kernels/linear/kept.h"

#include <bit>

#include "kernels/linear/code_layout.h"
#include "kernels/linear/product.h"

namespace ct::linear {
namespace {

constexpr int64_t kScalesFloats = int64_t{kMaxSubs} * kGroupRows;

// Bytes that are fetched ahead, into the L2 cache, where W is read once, straight from memory. (Fetches into the L1 cache
// hold up the loads that the kernels need: with them a third of the bandwidth goes.)
constexpr int64_t kPrefetchBytes = 16384;

// So many tiles of few rows take the codes as they are packed: more are cheaper unpacked.
constexpr int64_t kFusedTiles = 3;

// What a thread needs besides the sums of its rows.
struct Scratch {
    alignas(64) float scales[kScalesFloats];
    float mins[kScalesFloats];
    uint16_t codes[kChunkCols * kGroupRows];
    float expanded[8 * kChunkCols];  // rows of x as float32: CodeKernels::max_rows of them
};

bool needs_sums(const WeightsSegment& segment) {
    return segment.sub_block != 0 && code_format_of(segment.format)->has_min;
}

int index_of(int64_t sub_block) { return std::countr_zero(static_cast<uint64_t>(sub_block)) - 4; }

}  // namespace

XSums::XSums(const ct_weights& weights, int64_t rows) : rows_(rows), cols_(weights.cols) {
    std::fill(at_, at_ + kLengths, -1);
    for (int64_t i = 0; i < weights.num_segments; ++i) {
        const WeightsSegment& segment = weights.segments[i];
        if (!needs_sums(segment) || at_[index_of(segment.sub_block)] >= 0) continue;
        at_[index_of(segment.sub_block)] = size_;
        size_ += rows * stride(segment);
    }
}

void XSums::fill(float* memory, const void* x, int64_t x_stride, int32_t x_dtype, const CodeKernels& kernels,
                 Team& team) {
    memory_ = memory;
    const auto fill_row = [&](int64_t row, int) {
        const auto* from = static_cast<const unsigned char*>(x) + row * x_stride * dtype_bytes(x_dtype);
        for (int length = 0; length < kLengths; ++length) {
            if (at_[length] < 0) continue;
            const int64_t sub = int64_t{16} << length;
            (x_dtype == CT_BF16 ? kernels.sum_bf16 : kernels.sum_f32)(memory + at_[length] + row * (cols_ / sub), from,
                                                                      cols_, sub);
        }
    };
    if (rows_ < 4) {  // cheaper than to wake the others
        for (int64_t row = 0; row < rows_; ++row) fill_row(row, 0);
    } else {
        team.run(rows_, fill_row);
    }
}

const float* XSums::of(const WeightsSegment& segment, int64_t row) const {
    if (!needs_sums(segment)) return nullptr;
    return memory_ + at_[index_of(segment.sub_block)] + row * stride(segment);
}

size_t kept_scratch_bytes() { return sizeof(Scratch); }

const CodeKernels* code_kernels_of(int32_t isa) {
    switch (isa) {
        case CT_ISA_AVX512:
            return &kAvx512CodeKernels;
        case CT_ISA_AVX2:
            return &kAvx2CodeKernels;
        default:
            return &kScalarCodeKernels;
    }
}

void Product::run_kept(float* sums, const Block& block, unsigned char* thread_scratch) const {
    auto& scratch = *reinterpret_cast<Scratch*>(thread_scratch);
    const auto layout = CodeLayout::of(*segment, cols);
    const int64_t width = layout.group_panels(block.panel_begin);
    const int64_t panel = block.panel_begin % kGroupPanels;
    const int64_t rows = block.row_end - block.row_begin;
    const bool as_bf16 = x_dtype == CT_BF16 && code_kernels->times_bf16;
    const int64_t fused_rows = code_kernels->max_fused_rows;
    const CodeKernel fused =
        as_bf16 && rows <= kFusedTiles * fused_rows ? code_kernels->fused[layout.format->planes] : nullptr;
    const int64_t tiles = ceil_div(rows, fused ? fused_rows : code_kernels->max_rows);
    const int64_t x_bytes = dtype_bytes(x_dtype);

    for (int64_t chunk = 0; chunk < layout.chunks(); ++chunk) {
        const unsigned char* at = segment_data + layout.at(block.panel_begin, chunk);
        CodeTile tile = {};
        tile.units = at + layout.scale_bytes(chunk, width) + panel * kLineBytes;
        tile.codes = scratch.codes;
        tile.line_step = width * kLineBytes;
        tile.format = layout.format;
        tile.scales = scratch.scales;
        tile.mins = scratch.mins;
        tile.x_sums_stride = x_sums->stride(*segment);
        tile.subs = layout.subs(chunk);
        tile.sub_steps = static_cast<int>(layout.sub_block / 2);
        tile.panels = block.panels;
        tile.first = chunk == 0;
        const int64_t scale_lines = layout.scale_bytes(chunk, width) / kLineBytes;
        tile.prefetch = at + kPrefetchBytes;
        tile.prefetch_more = static_cast<int>(ceil_div(scale_lines, layout.chunk_cols(chunk) / kUnitCols));
        const int64_t panel_scales = layout.panel_scale_bytes(chunk);
        code_kernels->expand_scales(scratch.scales, scratch.mins, at + panel * panel_scales, panel_scales,
                                    layout.format->scales, tile.subs, tile.panels);
        if (!fused) code_kernels->unpack[layout.format->planes](scratch.codes, tile);
        const int64_t col = chunk * kChunkCols;
        for (int64_t t = 0; t < tiles; ++t) {
            const int64_t row = piece_begin(rows, tiles, t);
            tile.rows = static_cast<int>(piece_begin(rows, tiles, t + 1) - row);
            tile.c = sums + row * kGroupRows;
            const float* own_sums = x_sums->of(*segment, block.row_begin + row);
            tile.x_sums = own_sums ? own_sums + col / layout.sub_block : nullptr;
            const unsigned char* from = x + ((block.row_begin + row) * x_stride + col) * x_bytes;
            tile.x = from;
            tile.x_stride = x_stride;
            if (fused) {
                fused(tile);
                tile.prefetch = at;  // the next tiles read what is in the caches
            } else if (as_bf16) {
                code_kernels->times_bf16(tile);
            } else {
                if (x_dtype == CT_BF16) {
                    for (int r = 0; r < tile.rows; ++r) {
                        kernels->expand(scratch.expanded + r * kChunkCols, from + r * x_stride * x_bytes,
                                        layout.chunk_cols(chunk));
                    }
                    tile.x = scratch.expanded;
                    tile.x_stride = kChunkCols;
                }
                code_kernels->times_f32(tile);
            }
        }
    }
}

}  // namespace ct::linear
