// runtime.h: memory, streams, events and graphs of a CUDA device.
#pragma once

#include "core/backend.h"

namespace ct::cuda {

extern const DeviceRuntime kRuntime;

// probe.cu: what the device can do at best, per second.
int32_t probe(void* context, double* per_second, int32_t probe);

}  // namespace ct::cuda
