// kept.h: what a segment whose codes are kept needs besides product.h.
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

// A multiple of 64.
size_t kept_scratch_bytes();

const CodeKernels* code_kernels_of(int32_t isa);

}  // namespace ct::linear
