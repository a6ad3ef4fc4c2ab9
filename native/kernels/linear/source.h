// source.h: the caller's matrix as ct_weights_create is given it.
#pragma once

#include <cstdint>

#include "cortado.h"

namespace ct::linear {

// Parts stacked by rows, already checked.
struct Source {
    const ct_weights_part* parts;
    int64_t num_parts;
    int64_t cols;

    // The part that holds `row`, which becomes the row within it.
    const ct_weights_part& part_of(int64_t& row) const;
};

// CT_OK, or CT_INVALID with the text: pointers, sizes, formats and scales of the parts; *rows is their sum.
// are_read: the values of scales and zeros are checked as well.
int32_t check_parts(const char* function, int64_t* rows, const Source& source, bool are_read);

int64_t row_bytes(const ct_weights_part& part, int64_t cols);

// A grid of scales (and zeros) that a part, or a segment of raw rows, has beside its codes.
struct Grid {
    const unsigned char* scales;  // float32, any alignment
    const unsigned char* zeros;   // nullable: 8
    int64_t rows;                 // that share a scale
    int64_t cols;

    float scale(int64_t row, int64_t col, int64_t total_cols) const;
    int zero(int64_t row, int64_t col, int64_t total_cols) const;
};

Grid grid_of(const ct_weights_part& part);

// Elements [begin, end) of a row of `format` as float32. row: its number in the grid, bytes: its first byte.
void row_values(float* out, const unsigned char* bytes, int32_t format, const Grid& grid, int64_t row, int64_t begin,
                int64_t end, int64_t cols);

}  // namespace ct::linear
