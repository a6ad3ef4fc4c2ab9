// soft_cap.h: the kernel's variants.
#pragma once

#include "core/core.h"

namespace ct {

// A run of columns, in place.
using SoftCapRun = void (*)(float* x, int64_t cols, float scale, float cap);

extern const SoftCapRun kSoftCapScalar;
extern const SoftCapRun kSoftCapAvx2;
extern const SoftCapRun kSoftCapAvx512;

}  // namespace ct
