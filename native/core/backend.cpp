// backend.cpp: loading the library of a backend, which lies beside the one that this code is in.
#include "core/backend.h"

#include <dlfcn.h>

#include <mutex>
#include <string>

namespace ct {

namespace {

// Only its address counts: the loader tells in which file it lies.
const char kHere = 0;

std::string folder_of_this_library() {
    Dl_info info{};
    if (dladdr(&kHere, &info) == 0 || !info.dli_fname) return ".";
    std::string path = info.dli_fname;
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

constexpr BackendHost kHost{
    kBackendBytes,
    [](int32_t status, const char* text) { return fail(status, "%s", text); },
    [](ct_stream* stream, const Operation& operation) { return enqueue_checked(stream, operation); },
    [](ct_device* device, const char* text) { lose_device(device, text); },
};

struct Loaded {
    const char* name;
    const Backend* backend = nullptr;
};

int32_t load(Loaded& entry) {
    const std::string file = folder_of_this_library() + "/libcortado_" + entry.name + ".so";
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return fail(CT_UNAVAILABLE, "ct_device_open: %s is not available: %s", entry.name, dlerror());
    }
    auto start = reinterpret_cast<BackendEntry>(dlsym(library, kBackendSymbol));
    if (!start) {
        dlclose(library);
        return fail(CT_UNAVAILABLE, "ct_device_open: %s is not a backend of this library", file.c_str());
    }
    entry.backend = start(&kHost);
    return entry.backend ? CT_OK : CT_UNAVAILABLE;
}

}  // namespace

int32_t load_backend(const Backend** backend, const char* name) {
    static std::mutex mutex;
    static Loaded known[] = {{"cuda"}, {"simt"}};
    std::lock_guard lock(mutex);
    for (Loaded& entry : known) {
        if (std::strcmp(entry.name, name) != 0) continue;
        if (!entry.backend) CT_TRY(load(entry));
        *backend = entry.backend;
        return CT_OK;
    }
    return fail(CT_INTERNAL, "load_backend: %s is unknown", name);
}

}  // namespace ct
