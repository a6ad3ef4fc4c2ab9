// error.h: CUDA's errors as statuses with a text; the device that a thread works on.
#pragma once

#include <cuda_runtime_api.h>

#include "core/backend.h"

namespace ct::cuda {

// What the library gave to ct_backend; set before anything else here runs.
extern const BackendHost* host;

// A context of DeviceRuntime.
struct Device {
    int ordinal;
    DeviceLimits limits;
    int64_t l2_bytes;
};

// Sets "what: cudaErrorName: CUDA's sentence" as this thread's error text and gives the status that it amounts to.
int32_t fail_with(cudaError_t error, const char* what);

// In a function that returns a status: CT_CUDA(cudaMalloc(&address, size), "cudaMalloc of %lld bytes", size);
#define CT_CUDA(call, ...)                                              \
    do {                                                                \
        if (const cudaError_t error_ = (call); error_ != cudaSuccess) { \
            char what_[320];                                            \
            std::snprintf(what_, sizeof what_, __VA_ARGS__);            \
            return ::ct::cuda::fail_with(error_, what_);                \
        }                                                               \
    } while (0)

// CUDA's calls work on the thread's current device, and any thread may call: makes `ordinal` current. What was current
// before is not restored: on a thread that never used CUDA that is device 0, where it would create a context.
inline cudaError_t use_device(int ordinal) {
    int current = -1;
    const cudaError_t error = cudaGetDevice(&current);
    return error != cudaSuccess || current == ordinal ? error : cudaSetDevice(ordinal);
}

#define CT_ON_DEVICE(ordinal) CT_CUDA(::ct::cuda::use_device(ordinal), "device %d", static_cast<int>(ordinal))

}  // namespace ct::cuda
