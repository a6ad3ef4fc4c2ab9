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

// CUDA calls work on the thread's current device, and any thread may call: makes `ordinal` current, and what was
// current before again at the end (the host program may use CUDA itself).
class OnDevice {
public:
    explicit OnDevice(int ordinal) : error_(cudaGetDevice(&before_)), changed_(before_ != ordinal) {
        if (error_ == cudaSuccess && changed_) error_ = cudaSetDevice(ordinal);
    }
    ~OnDevice() {
        if (error_ == cudaSuccess && changed_) cudaSetDevice(before_);
    }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

    cudaError_t error() const { return error_; }

private:
    int before_ = 0;
    cudaError_t error_;
    bool changed_;
};

#define CT_ON_DEVICE(ordinal)                 \
    ::ct::cuda::OnDevice on_device_(ordinal); \
    CT_CUDA(on_device_.error(), "device %d", static_cast<int>(ordinal))

}  // namespace ct::cuda
