// weights.h: how weights.cpp stores the rows of a matrix on the CPU.
#pragma once

#include "core/core.h"
#include "kernels/linear/linear.h"

namespace ct::linear {

enum Storage : int32_t {
    kStoreF32 = CT_F32,    // panels of linear.h
    kStoreBf16 = CT_BF16,  // the same
    kStoreCodes = 2,       // codes.h
    kStoreRaw = 3,         // row after row in the caller's format, scales beside: CT_WEIGHTS_EMBEDDING
};

// Where a dense segment's panels lie.
struct DenseLayout {
    int64_t panels;
    int64_t steps;

    static DenseLayout of(int64_t rows, int64_t cols, int32_t storage) {
        return {(rows + kPanelRows - 1) / kPanelRows, storage == kStoreBf16 ? (cols + 1) / 2 : cols};
    }
    int64_t group_panels(int64_t panel) const {
        const int64_t rest = panels - panel / kGroupPanels * kGroupPanels;
        return rest < kGroupPanels ? rest : kGroupPanels;
    }
    int64_t offset(int64_t panel) const {
        return (panel / kGroupPanels * kGroupPanels * steps + panel % kGroupPanels) * kLineBytes;
    }
    int64_t w_step(int64_t panel) const { return group_panels(panel) * kLineBytes; }
};

}  // namespace ct::linear
