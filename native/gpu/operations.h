// operations.h: the table that a GPU backend offers; the same source for nvcc and for the host compiler (simt).
#pragma once

#include "core/backend.h"

namespace gpu {

extern const ct::Operations kOperations;

}  // namespace gpu
