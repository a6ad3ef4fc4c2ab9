// gpu_pack.h: the packing of gpu_codes.h.
#pragma once

#include "core/core.h"
#include "kernels/linear/gpu_codes.h"
#include "kernels/linear/source.h"

namespace ct::linear {

// Whether a matrix for CT_WEIGHTS_EXPERT stays quantised on a backend's device, and how: one part of a format that the
// kernels know, whose scales change at multiples of a power of two of columns.
bool gpu_codes_of(GpuCodes* codes, const Source& source);

// CT_INVALID where a code is NaN, which the kernels take for a number.
int32_t check_codes(const char* function, const Source& source);

// All of the matrix; `bytes` is of codes.bytes(), zeros.
void pack_gpu_codes(unsigned char* bytes, const GpuCodes& codes, const Source& source, Team& team);

}  // namespace ct::linear
