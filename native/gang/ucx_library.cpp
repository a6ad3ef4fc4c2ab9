// ucx_library.cpp: loading libucp.
#ifdef CORTADO_UCX

#include "gang/ucx_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

#include "core/core.h"

namespace ct::gang {

namespace {

// libucs reads these while it is loaded. Its handlers of signals would take the JVM's, its hooks patch mmap and free
// in the whole process, and it writes to stdout what a status tells as well.
void set_environment() {
    setenv("UCX_ERROR_SIGNALS", "", 0);
    setenv("UCX_MEM_EVENTS", "n", 0);
    setenv("UCX_LOG_LEVEL", "fatal", 0);
}

template <typename Function>
bool find(Function& function, void* handle, const char* name) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    return function != nullptr;
}

bool find_all(UcxLibrary& u, void* handle) {
    return find(u.get_version, handle, "ucp_get_version") && find(u.config_read, handle, "ucp_config_read") &&
           find(u.config_modify, handle, "ucp_config_modify") && find(u.ep_close, handle, "ucp_ep_close_nbx") &&
           find(u.config_release, handle, "ucp_config_release") && find(u.init_version, handle, "ucp_init_version") &&
           find(u.cleanup, handle, "ucp_cleanup") && find(u.worker_create, handle, "ucp_worker_create") &&
           find(u.worker_destroy, handle, "ucp_worker_destroy") &&
           find(u.worker_get_address, handle, "ucp_worker_get_address") &&
           find(u.worker_release_address, handle, "ucp_worker_release_address") &&
           find(u.worker_progress, handle, "ucp_worker_progress") &&
           find(u.worker_flush, handle, "ucp_worker_flush_nbx") && find(u.ep_create, handle, "ucp_ep_create") &&
           find(u.tag_send, handle, "ucp_tag_send_nbx") && find(u.tag_recv, handle, "ucp_tag_recv_nbx") &&
           find(u.tag_recv_test, handle, "ucp_tag_recv_request_test") &&
           find(u.request_status, handle, "ucp_request_check_status") &&
           find(u.request_cancel, handle, "ucp_request_cancel") && find(u.request_free, handle, "ucp_request_free") &&
           find(u.status_string, handle, "ucs_status_string");
}

int32_t load(UcxLibrary& library) {
    set_environment();
    void* handle = dlopen("libucp.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        return fail(CT_UNAVAILABLE, "ct_ucx_open: libucp cannot be loaded (Debian's package libucx0): %s", dlerror());
    }
    if (!find_all(library, handle)) {
        const int32_t status = fail(CT_UNAVAILABLE, "ct_ucx_open: libucp is too old: %s", dlerror());
        dlclose(handle);
        return status;
    }
    unsigned release = 0;
    library.get_version(&library.major, &library.minor, &release);
    return CT_OK;
}

}  // namespace

int32_t load_ucx(const UcxLibrary** library) {
    static std::mutex mutex;
    static UcxLibrary loaded;
    static bool is_loaded = false;
    std::lock_guard lock(mutex);
    if (!is_loaded) CT_TRY(load(loaded));
    is_loaded = true;
    *library = &loaded;
    return CT_OK;
}

}  // namespace ct::gang

#endif  // CORTADO_UCX
