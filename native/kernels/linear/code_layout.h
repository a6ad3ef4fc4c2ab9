// code_layout.h: where the codes and scales of a kept segment lie (codes.h tells what they are).
#pragma once

#include "core/core.h"
#include "kernels/linear/codes.h"

namespace ct::linear {

// Null where a format is not kept.
const CodeFormat* code_format_of(int32_t format);

float code_value(int32_t format, uint8_t code);

int lines_of(Planes planes);  // of a unit

// Columns that share a scale in the packed matrix; 0 where a part cannot be kept: its format, its columns, or scales that
// change more often than every 32 columns.
int64_t sub_block_of(const ct_weights_part& part, int64_t cols);

struct CodeLayout {
    const CodeFormat* format;
    int64_t panels;
    int64_t cols;
    int64_t sub_block;

    static CodeLayout of(const WeightsSegment& segment, int64_t cols);

    int64_t group_panels(int64_t panel) const;  // of the group that has this panel
    int64_t chunks() const { return (cols + kChunkCols - 1) / kChunkCols; }
    int64_t chunk_cols(int64_t chunk) const;
    int subs(int64_t chunk) const { return static_cast<int>(chunk_cols(chunk) / sub_block); }
    int64_t panel_scale_bytes(int64_t chunk) const;  // of one panel in a chunk
    int64_t scale_bytes(int64_t chunk, int64_t group_panels) const;
    int64_t chunk_bytes(int64_t chunk, int64_t group_panels) const;
    int64_t at(int64_t panel, int64_t chunk) const;  // bytes from the segment to the chunk of the panel's group
    bool bytes(int64_t* result) const;               // of the segment; false where they overflow
};

// One row's scales and mins in a chunk. raw_zeros: kFloatZero's min is the zero itself.
void row_scales(float* scales, float* mins, const CodeLayout& layout, const unsigned char* segment, int64_t row,
                int64_t chunk, bool raw_zeros);

// Codes of one row in a chunk, as the format's numbers.
void row_codes(uint8_t* codes, const CodeLayout& layout, const unsigned char* segment, int64_t row, int64_t chunk);

}  // namespace ct::linear
