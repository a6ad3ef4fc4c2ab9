// backend.cpp: the simt device as the library loads it. It computes in host memory and in the library's own queues.
#include "core/backend.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "simt/grid.h"

namespace gpu {
extern const ct::Operations kOperations;
}

namespace {

const ct::BackendHost* library = nullptr;

// CORTADO_SIMT_SEED, 0 where it is not set; false where it is no number.
bool read_seed(uint64_t* seed) {
    const char* text = std::getenv("CORTADO_SIMT_SEED");
    if (!text) return true;
    char* end = nullptr;
    *seed = std::strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

}  // namespace

namespace ct {

// What the host parts of kernels call; the text is kept by the library.
int32_t fail(int32_t status, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return library->fail(status, text);
}

}  // namespace ct

extern "C" __attribute__((visibility("default"))) const ct::Backend* ct_backend(const ct::BackendHost* host) {
    library = host;
    if (host->backend_bytes != ct::kBackendBytes) {
        ct::fail(CT_UNAVAILABLE, "simt: the library is of another build: its tables have %lld bytes, this one's %lld",
                 static_cast<long long>(host->backend_bytes), static_cast<long long>(ct::kBackendBytes));
        return nullptr;
    }
    uint64_t seed = 0;
    if (!read_seed(&seed)) {
        ct::fail(CT_INVALID, "CORTADO_SIMT_SEED=%s must be a number", std::getenv("CORTADO_SIMT_SEED"));
        return nullptr;
    }
    simt::set_host(host);
    simt::set_seed(seed);
    static const ct::Backend backend{"simt", nullptr, &gpu::kOperations, simt::kLimits};
    return &backend;
}
