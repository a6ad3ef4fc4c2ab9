// blocks.h: the division of ct_linear's work, which dense and kept segments share.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ct::linear {

// Rows of y that one part of the work computes: their sums (24 KB) stay in the L1 and L2 caches.
inline constexpr int64_t kBlockRows = 96;

// Rows [row_begin, row_end) of y, panels [panel_begin, panel_begin + panels) of one group of a segment of W.
struct Block {
    int64_t row_begin;
    int64_t row_end;
    int64_t panel_begin;
    int panels;
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Splits [0, total) into `pieces` nearly equal ranges: the first of piece i.
inline int64_t piece_begin(int64_t total, int64_t pieces, int64_t i) {
    return total / pieces * i + std::min(i, total % pieces);
}

}  // namespace ct::linear
