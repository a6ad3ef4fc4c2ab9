// product.h: sums of x W^T for the rows of one segment of W, a block at a time: what ct_linear and the experts of
// ct_moe_experts share, so that a row's bits are the same in both.
#pragma once

#include "kernels/linear/blocks.h"
#include "kernels/linear/kept.h"
#include "kernels/linear/linear.h"

namespace ct::linear {

struct Product {
    const unsigned char* x;
    const unsigned char* segment_data;
    const WeightsSegment* segment;
    const XSums* x_sums;  // of the rows of x, where the codes are kept
    int64_t x_stride;     // 0: all rows are the same
    int64_t cols;
    int32_t x_dtype;
    const Kernels* kernels;
    const CodeKernels* code_kernels;

    // sums[row - block.row_begin][kGroupRows], of which block.panels * kPanelRows count. thread_scratch: of
    // product_scratch_bytes.
    void run(float* sums, const Block& block, unsigned char* thread_scratch) const;

private:
    void run_dense(float* sums, const Block& block, unsigned char* thread_scratch) const;
    void run_kept(float* sums, const Block& block, unsigned char* thread_scratch) const;
    bool expands() const;
    TileKernel kernel() const;
};

// sums of a block of so many rows.
inline size_t sums_bytes(int64_t rows) {
    return static_cast<size_t>(std::min(rows, kBlockRows) * kGroupRows) * sizeof(float);
}

// A multiple of 64.
size_t product_scratch_bytes();

const Kernels* kernels_of(const ct_device* device);

}  // namespace ct::linear
