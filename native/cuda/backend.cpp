// backend.cpp: what the library finds when it loads this one.
#include "cuda/error.h"
#include "cuda/runtime.h"
#include "gpu/operations.h"

extern "C" __attribute__((visibility("default"))) const ct::Backend* ct_backend(const ct::BackendHost* host) {
    static constinit ct::Backend backend{"cuda", &ct::cuda::kRuntime, &gpu::kOperations, {}};
    if (host->backend_bytes != ct::kBackendBytes) {
        host->fail(CT_UNAVAILABLE, "libcortado_cuda.so is of another build than libcortado.so");
        return nullptr;
    }
    ct::cuda::host = host;
    return &backend;
}
