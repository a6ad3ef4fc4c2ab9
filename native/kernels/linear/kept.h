// kept.h: ct_linear for the rows of one segment whose codes are kept.
#pragma once

#include "core/core.h"
#include "kernels/linear/blocks.h"
#include "kernels/linear/codes.h"

namespace ct::linear {

// Sums of the rows of x over sub-blocks, which minima are multiplied with: one array for each length of a sub-block that a
// segment of the matrix asks for.
class XSums {
public:
    // rows of x that one fill serves, so that the sums stay a few megabytes.
    static constexpr int64_t kMostRows = 16 * kBlockRows;

    XSums(const ct_weights& weights, int64_t rows);
    size_t bytes() const { return static_cast<size_t>(size_) * sizeof(float); }
    void fill(float* memory, const void* x, int64_t x_stride, int32_t x_dtype, const CodeKernels& kernels, Team& team);
    // Of row `row`, its first sub-block; null where the segment has no minima.
    const float* of(const WeightsSegment& segment, int64_t row) const;
    int64_t stride(const WeightsSegment& segment) const { return cols_ / segment.sub_block; }

private:
    static constexpr int kLengths = 4;  // 16, 32, 64, 128
    int64_t rows_;
    int64_t cols_;
    int64_t size_ = 0;
    int64_t at_[kLengths];  // -1: not asked for
    const float* memory_ = nullptr;
};

struct Kept {
    unsigned char* y;  // at the segment's first row of W
    const unsigned char* x;
    const unsigned char* segment_data;
    const WeightsSegment* segment;
    const float* bias;  // nullable, at the segment's first row
    const XSums* x_sums;
    int64_t y_stride;
    int64_t x_stride;
    int64_t cols;
    int32_t y_dtype;
    int32_t x_dtype;
    const Kernels* kernels;
    const CodeKernels* code_kernels;

    // thread_scratch: of kept_scratch_bytes.
    void run(const Block& block, unsigned char* thread_scratch) const;
};

size_t kept_scratch_bytes(int64_t rows);

const CodeKernels* code_kernels_of(int32_t isa);

}  // namespace ct::linear
