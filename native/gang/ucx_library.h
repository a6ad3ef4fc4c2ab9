// ucx_library.h: libucp, loaded when it is first needed. Included only where UCX's headers are (CORTADO_UCX).
#pragma once

#include <ucp/api/ucp.h>

#include <cstdint>

namespace ct::gang {

// The functions of libucp that are used, by their names.
struct UcxLibrary {
    decltype(&ucp_get_version) get_version;
    decltype(&ucp_config_read) config_read;
    decltype(&ucp_config_modify) config_modify;
    decltype(&ucp_config_release) config_release;
    decltype(&ucp_init_version) init_version;
    decltype(&ucp_cleanup) cleanup;
    decltype(&ucp_worker_create) worker_create;
    decltype(&ucp_worker_destroy) worker_destroy;
    decltype(&ucp_worker_get_address) worker_get_address;
    decltype(&ucp_worker_release_address) worker_release_address;
    decltype(&ucp_worker_progress) worker_progress;
    decltype(&ucp_worker_flush_nbx) worker_flush;
    decltype(&ucp_ep_create) ep_create;
    decltype(&ucp_ep_close_nbx) ep_close;
    decltype(&ucp_tag_send_nbx) tag_send;
    decltype(&ucp_tag_recv_nbx) tag_recv;
    decltype(&ucp_tag_recv_request_test) tag_recv_test;
    decltype(&ucp_request_check_status) request_status;
    decltype(&ucp_request_cancel) request_cancel;
    decltype(&ucp_request_free) request_free;
    decltype(&ucs_status_string) status_string;

    unsigned major;  // of the loaded library
    unsigned minor;
};

// Loads libucp once for the process; it stays loaded. Any thread.
int32_t load_ucx(const UcxLibrary** library);

}  // namespace ct::gang
