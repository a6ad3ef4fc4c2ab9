// code_pack.cpp: the caller's blocks into the layout of codes.h.
#include "kernels/linear/code_pack.h"

#include "kernels/linear/source.h"
#include "kernels/quant/formats.h"

namespace ct::linear {
namespace {

// One row's columns in a chunk: codes, and the scales as the caller stored them.
struct RowChunk {
    uint8_t codes[kChunkCols];
    uint16_t half[kMaxSubs];  // of kHalf, kHalfMin and kPower; the first of kSuper...
    uint16_t half_min[kMaxSubs];
    float scale[kMaxSubs];
    uint8_t byte[kMaxSubs];
    uint8_t byte_min[kMaxSubs];
};

uint16_t half_bits(float value) { return to_f16(value).bits; }  // value came from a half: exact

void read_blocks(RowChunk& out, const unsigned char* row, const quant::Format& format, int64_t begin, int64_t cols,
                 ScaleKind kind) {
    for (int64_t at = 0; at < cols; at += format.block) {
        quant::Block block;
        format.split(block, row + (begin + at) / format.block * format.bytes);
        std::memcpy(out.codes + at, block.code, static_cast<size_t>(format.block));
        const int64_t b = at / format.block;
        out.half[b] = kind == kPower ? to_bf16(block.d).bits : half_bits(block.d);
        out.half_min[b] = half_bits(kind == kHalfMin ? -block.dmin : block.dmin);
        if (kind != kSuper && kind != kSuperMin && kind != kSuperNibbles) continue;
        for (int s = 0; s < format.block / format.sub_block; ++s) {
            out.byte[s] = static_cast<uint8_t>(block.sub_scale[s]);
            out.byte_min[s] = format.has_min ? block.sub_min[s] : 0;
        }
    }
}

void read_grid(RowChunk& out, const ct_weights_part& part, const unsigned char* row, int64_t grid_row, int64_t begin,
               int64_t total_cols, int64_t cols, int64_t sub_block) {
    for (int64_t k = 0; k < cols; ++k) {
        out.codes[k] = part.format == CT_FORMAT_INT4
                           ? static_cast<uint8_t>(row[(begin + k) / 2] >> (begin + k) % 2 * 4 & 0xf)
                           : row[begin + k];
    }
    const Grid grid = grid_of(part);
    for (int64_t s = 0; s < cols / sub_block; ++s) {
        out.scale[s] = grid.scale(grid_row, begin + s * sub_block, total_cols);
        out.byte_min[s] = static_cast<uint8_t>(grid.zero(grid_row, begin + s * sub_block, total_cols));
    }
}

// 16-bit numbers [subs][16 rows] from `to` on.
void put_halves(unsigned char* to, const uint16_t* halves, int subs, int64_t lane) {
    for (int s = 0; s < subs; ++s) std::memcpy(to + (s * kPanelRows + lane) * 2, &halves[s], 2);
}

void put_bytes(unsigned char* to, const uint8_t* bytes, int subs, int64_t lane) {
    for (int s = 0; s < subs; ++s) to[s * kPanelRows + lane] = bytes[s];
}

void put_scales(unsigned char* to, RowChunk& row, ScaleKind kind, int subs, int64_t lane) {
    switch (kind) {
        case kHalf:
        case kPower:
            put_halves(to, row.half, subs, lane);
            return;
        case kHalfMin:
            put_halves(to, row.half, subs, lane);
            put_halves(to + subs * 32, row.half_min, subs, lane);
            return;
        case kFloat:
        case kFloatZero:
            for (int s = 0; s < subs; ++s) std::memcpy(to + (s * kPanelRows + lane) * 4, &row.scale[s], 4);
            if (kind == kFloatZero) put_bytes(to + subs * 64, row.byte_min, subs, lane);
            return;
        case kSuper:
            put_halves(to, row.half, 1, lane);
            put_bytes(to + 32, row.byte, subs, lane);
            return;
        case kSuperMin:
            put_halves(to, row.half, 1, lane);
            put_halves(to + 32, row.half_min, 1, lane);
            put_bytes(to + 64, row.byte, subs, lane);
            put_bytes(to + 64 + subs * kPanelRows, row.byte_min, subs, lane);
            return;
        case kSuperNibbles:
            put_halves(to, row.half, 1, lane);
            put_halves(to + 32, row.half_min, 1, lane);
            for (int s = 0; s < subs; ++s) row.byte[s] = static_cast<uint8_t>(row.byte[s] | row.byte_min[s] << 4);
            put_bytes(to + 64, row.byte, subs, lane);
            return;
    }
}

// BITS bits of each of a unit's 32 codes, from bit SHIFT up, into a plane's lines.
template <int BITS, int SHIFT>
void put_plane(unsigned char* line, const uint8_t* codes, int64_t line_step) {
    constexpr int kPerWord = 16 / BITS;
    for (int first = 0; first < kUnitSteps; first += kPerWord) {
        uint32_t word = 0;
        for (int i = 0; i < kPerWord; ++i) {
            const uint8_t* pair = codes + 2 * (first + i);
            const uint32_t even = pair[0] >> SHIFT & ((1u << BITS) - 1);
            const uint32_t odd = pair[1] >> SHIFT & ((1u << BITS) - 1);
            word |= (even | odd << 16) << i * BITS;
        }
        std::memcpy(line, &word, sizeof word);
        line += line_step;
    }
}

void put_unit(unsigned char* unit, const uint8_t* codes, int64_t line_step, Planes planes) {
    switch (planes) {
        case kNibbles:
            put_plane<4, 0>(unit, codes, line_step);
            return;
        case kFive:
            put_plane<4, 0>(unit, codes, line_step);
            put_plane<1, 4>(unit + 4 * line_step, codes, line_step);
            return;
        case kSix:
            put_plane<4, 0>(unit, codes, line_step);
            put_plane<2, 4>(unit + 4 * line_step, codes, line_step);
            return;
        case kPairs:
            put_plane<2, 0>(unit, codes, line_step);
            return;
        case kThree:
            put_plane<2, 0>(unit, codes, line_step);
            put_plane<1, 2>(unit + 2 * line_step, codes, line_step);
            return;
        case kBytes:
            for (int i = 0; i < kUnitCols / 4; ++i) {
                uint32_t four;
                std::memcpy(&four, codes + 4 * i, sizeof four);
                four ^= 0x80808080u;  // code + 128
                std::memcpy(unit + i * line_step, &four, sizeof four);
            }
            return;
        case kE4m3:
            put_plane<8, 0>(unit, codes, line_step);
            return;
        case kNumPlanes:
            return;
    }
}

}  // namespace

void pack_code_panel(unsigned char* segment_data, const CodeLayout& layout, const Source& source,
                     const WeightsSegment& segment, int64_t panel) {
    const int64_t width = layout.group_panels(panel);
    const int64_t line_step = width * kLineBytes;
    const int unit_lines = lines_of(layout.format->planes);
    const quant::Format& format = *quant::format_of(segment.format);
    const int64_t lanes =
        segment.rows - panel * kPanelRows < kPanelRows ? segment.rows - panel * kPanelRows : kPanelRows;
    for (int64_t chunk = 0; chunk < layout.chunks(); ++chunk) {
        const int64_t cols = layout.chunk_cols(chunk);
        unsigned char* to = segment_data + layout.at(panel, chunk);
        unsigned char* scales = to + panel % kGroupPanels * layout.panel_scale_bytes(chunk);
        unsigned char* units = to + layout.scale_bytes(chunk, width) + panel % kGroupPanels * kLineBytes;
        for (int64_t lane = 0; lane < lanes; ++lane) {
            int64_t row = segment.first_row + panel * kPanelRows + lane;
            const ct_weights_part& part = source.part_of(row);
            const unsigned char* bytes =
                static_cast<const unsigned char*>(part.data) + row * row_bytes(part, source.cols);
            RowChunk columns{};
            if (format.split) {
                read_blocks(columns, bytes, format, chunk * kChunkCols, cols, layout.format->scales);
            } else {
                read_grid(columns, part, bytes, row, chunk * kChunkCols, source.cols, cols, layout.sub_block);
            }
            put_scales(scales, columns, layout.format->scales, layout.subs(chunk), lane);
            for (int64_t unit = 0; unit < cols / kUnitCols; ++unit) {
                put_unit(units + unit * unit_lines * line_step + lane * 4, columns.codes + unit * kUnitCols, line_step,
                         layout.format->planes);
            }
        }
    }
}

}  // namespace ct::linear
