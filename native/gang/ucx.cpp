// ucx.cpp: the ABI's functions for ranks over UCX.
#ifdef CORTADO_UCX
#include "gang/ucx_worker.h"
#endif

#include "core/core.h"

#ifdef CORTADO_UCX

struct ct_ucx {
    ct::gang::UcxWorker worker;
};

extern "C" {

int32_t ct_ucx_open(ct_ucx** ucx, const ct_ucx_options* options){CT_GUARD({
    CT_REQUIRE(ucx, "ucx is null");
    ct_ucx_options o;
    CT_TRY(ct::read_params(__func__, &o, sizeof o, options));
    CT_REQUIRE(o.size >= 1 && o.size <= CT_MAX_RANKS, "size=%d must be in [1, %d]", o.size, CT_MAX_RANKS);
    CT_REQUIRE(o.rank >= 0 && o.rank < o.size, "rank=%d must be in [0, size=%d)", o.rank, o.size);
    CT_REQUIRE(o.spins >= 0, "spins=%d must not be negative", o.spins);
    CT_REQUIRE(o.reserved == 0, "reserved=%d must be 0", o.reserved);
    const ct::gang::UcxLibrary* library = nullptr;
    CT_TRY(ct::gang::load_ucx(&library));
    auto* opened = new ct_ucx{{*library, o.rank, o.size, o.spins}};
    if (const int32_t status = opened->worker.open(); status != CT_OK) {
        delete opened;
        return status;
    }
    *ucx = opened;
    return ct::ok();
})}

int32_t ct_ucx_address(void* address, int64_t* bytes, int64_t capacity_bytes, ct_ucx* ucx){CT_GUARD({
    CT_REQUIRE(ucx, "ucx is null");
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(capacity_bytes >= 0, "capacity_bytes=%lld is negative", static_cast<long long>(capacity_bytes));
    CT_REQUIRE(address || capacity_bytes == 0, "address is null");
    return ucx->worker.address(address, bytes, capacity_bytes);
})}

int32_t ct_ucx_connect(ct_ucx* ucx, int32_t rank, const void* address, int64_t bytes){CT_GUARD({
    CT_REQUIRE(ucx, "ucx is null");
    CT_REQUIRE(address, "address is null");
    CT_REQUIRE(bytes >= 0, "bytes=%lld is negative", static_cast<long long>(bytes));
    CT_REQUIRE(rank >= 0 && rank < ucx->worker.size() && rank != ucx->worker.rank(),
               "rank=%d must be in [0, size=%d) and another than this one's", rank, ucx->worker.size());
    return ucx->worker.connect(rank, address, bytes);
})}

int32_t ct_ucx_allocate(void** memory, int64_t bytes, ct_ucx* ucx){CT_GUARD({
    CT_REQUIRE(ucx, "ucx is null");
    CT_REQUIRE(memory, "memory is null");
    CT_REQUIRE(bytes >= 1, "bytes=%lld must be at least 1", static_cast<long long>(bytes));
    return ucx->worker.allocate(memory, bytes);
})}

int32_t ct_ucx_exchange(void* receive, int64_t* received_bytes, const int64_t* receive_offset_bytes,
                        const int64_t* receive_capacity_bytes, const void* send, const int64_t* send_offset_bytes,
                        const int64_t* send_bytes, ct_ucx* ucx, int32_t kind, int64_t timeout_ns){CT_GUARD({
    CT_REQUIRE(ucx, "ucx is null");
    CT_REQUIRE(received_bytes && receive_offset_bytes && receive_capacity_bytes, "an array of receive is null");
    CT_REQUIRE(send_offset_bytes && send_bytes, "an array of send is null");
    CT_REQUIRE(kind >= 0 && kind <= 255, "kind=%d must be in [0, 255]", kind);
    CT_REQUIRE(timeout_ns >= 0, "timeout_ns=%lld is negative", static_cast<long long>(timeout_ns));
    return ucx->worker.exchange({static_cast<unsigned char*>(receive), received_bytes, receive_offset_bytes,
                                 receive_capacity_bytes, static_cast<const unsigned char*>(send), send_offset_bytes,
                                 send_bytes, kind, timeout_ns});
})}

int32_t ct_ucx_abort(ct_ucx* ucx, const char* why){CT_GUARD({
    CT_REQUIRE(ucx, "ucx is null");
    CT_REQUIRE(why, "why is null");
    return ucx->worker.abort(why);
})}

int32_t ct_ucx_close(ct_ucx* ucx) {
    CT_GUARD({
        CT_REQUIRE(ucx, "ucx is null");
        delete ucx;
        return ct::ok();
    })
}

}  // extern "C"

#else

namespace {
int32_t absent(const char* function) {
    return ct::fail(CT_UNSUPPORTED,
                    "%s: this library was built without UCX; install its headers (Debian's package libucx-dev) and"
                    " build again",
                    function);
}
}  // namespace

extern "C" {

int32_t ct_ucx_open(ct_ucx**, const ct_ucx_options*) { return absent(__func__); }
int32_t ct_ucx_address(void*, int64_t*, int64_t, ct_ucx*) { return absent(__func__); }
int32_t ct_ucx_connect(ct_ucx*, int32_t, const void*, int64_t) { return absent(__func__); }
int32_t ct_ucx_allocate(void**, int64_t, ct_ucx*) { return absent(__func__); }
int32_t ct_ucx_exchange(void*, int64_t*, const int64_t*, const int64_t*, const void*, const int64_t*, const int64_t*,
                        ct_ucx*, int32_t, int64_t) {
    return absent(__func__);
}
int32_t ct_ucx_abort(ct_ucx*, const char*) { return absent(__func__); }
int32_t ct_ucx_close(ct_ucx*) { return absent(__func__); }

}  // extern "C"

#endif  // CORTADO_UCX
