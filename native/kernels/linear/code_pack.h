// code_pack.h: packing of a segment whose codes are kept.
#pragma once

#include "kernels/linear/code_layout.h"
#include "kernels/linear/source.h"

namespace ct::linear {

// Packs the 16 rows of one panel; the rows beyond the segment stay zero, as the memory is.
void pack_code_panel(unsigned char* segment_data, const CodeLayout& layout, const Source& source,
                     const WeightsSegment& segment, int64_t panel);

}  // namespace ct::linear
