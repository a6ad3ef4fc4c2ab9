// error.cpp: the texts and statuses of what CUDA reports, and the library's error functions on this side.
#include "cuda/error.h"

#include <cstdarg>
#include <cstdio>

namespace ct {

// core.h's, for the host parts of kernels: the text lives in the library.
int32_t fail(int32_t status, const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return cuda::host->fail(status, text);
}

namespace cuda {

const BackendHost* host = nullptr;

namespace {

// After these every later call on the device's context fails as well (CUDA calls them sticky).
bool is_sticky(cudaError_t error) {
    switch (error) {
        case cudaErrorECCUncorrectable:
        case cudaErrorNvlinkUncorrectable:
        case cudaErrorContained:
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchTimeout:
        case cudaErrorContextIsDestroyed:
        case cudaErrorAssert:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorInvalidPc:
        case cudaErrorLaunchFailure:
        case cudaErrorTensorMemoryLeak:
        case cudaErrorMpsClientTerminated:
        case cudaErrorExternalDevice:
        case cudaErrorUnknown:
            return true;
        default:
            return false;
    }
}

int32_t status_of(cudaError_t error) {
    if (is_sticky(error)) return CT_DEVICE_LOST;
    switch (error) {
        case cudaErrorMemoryAllocation:
            return CT_OUT_OF_MEMORY;
        case cudaErrorInsufficientDriver:
        case cudaErrorCallRequiresNewerDriver:
        case cudaErrorNoDevice:
        case cudaErrorInvalidDevice:
        case cudaErrorDevicesUnavailable:
        case cudaErrorStubLibrary:
        case cudaErrorSystemNotReady:
        case cudaErrorSystemDriverMismatch:
        case cudaErrorCompatNotSupportedOnDevice:
        case cudaErrorNoKernelImageForDevice:
            return CT_UNAVAILABLE;
        case cudaErrorCooperativeLaunchTooLarge:
        case cudaErrorLaunchOutOfResources:
        case cudaErrorNotSupported:
        case cudaErrorNotPermitted:
            return CT_UNSUPPORTED;
        default:
            return CT_INTERNAL;
    }
}

}  // namespace

int32_t fail_with(cudaError_t error, const char* what) {
    cudaGetLastError();  // an error that is not sticky must not meet the next caller
    // An error that comes back after it was read is one that stays.
    const int32_t status = cudaPeekAtLastError() == error ? static_cast<int32_t>(CT_DEVICE_LOST) : status_of(error);
    return fail(status, "%s: %s: %s", what, cudaGetErrorName(error), cudaGetErrorString(error));
}

}  // namespace cuda
}  // namespace ct
