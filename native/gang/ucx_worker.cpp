// ucx_worker.cpp: a rank's end over UCX: opened, connected to its peers, closed.
#ifdef CORTADO_UCX

#include "gang/ucx_worker.h"

#include <cstring>
#include <utility>

#include "core/core.h"
#include "gang/ucx_request.h"

namespace ct::gang {

namespace {

constexpr int64_t kLeaveNs = 1000 * kMillisecond;  // for what was sent before this rank leaves

}  // namespace

UcxWorker::UcxWorker(const UcxLibrary& library, int32_t rank, int32_t size, int32_t spins)
    : ucx_(library),
      rank_(rank),
      size_(size),
      spins_(spins),
      shared_(shared_memory()),
      mailboxes_(shared_.mailboxes && size > 1, size),
      peers_(static_cast<size_t>(size)) {}

int32_t UcxWorker::open() {
    ucp_config_t* config = nullptr;
    ucs_status_t status = ucx_.config_read(nullptr, nullptr, &config);
    if (status != UCS_OK) return fail(CT_TRANSPORT, "ct_ucx_open: ucp_config_read: %s", ucx_.status_string(status));
    for (const char* threshold : {"RNDV_THRESH", "ZCOPY_THRESH"}) {
        status = ucx_.config_modify(config, threshold, "inf");
        if (status != UCS_OK) {
            ucx_.config_release(config);
            return fail(CT_TRANSPORT, "ct_ucx_open: %s: %s", threshold, ucx_.status_string(status));
        }
    }
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_ESTIMATED_NUM_EPS;
    params.features = UCP_FEATURE_TAG;
    params.estimated_num_eps = static_cast<size_t>(size_);
    status = ucx_.init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context_);
    ucx_.config_release(config);
    if (status != UCS_OK) {
        context_ = nullptr;
        return fail(CT_TRANSPORT, "ct_ucx_open: ucp_init: %s", ucx_.status_string(status));
    }
    ucp_worker_params_t worker{};
    worker.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    worker.thread_mode = UCS_THREAD_MODE_SERIALIZED;
    status = ucx_.worker_create(context_, &worker, &worker_);
    if (status != UCS_OK) {
        worker_ = nullptr;
        return fail(CT_TRANSPORT, "ct_ucx_open: ucp_worker_create: %s", ucx_.status_string(status));
    }
    return listen();
}

UcxWorker::~UcxWorker() {
    stop_ = true;
    std::lock_guard lock(busy_);
    if (worker_ && !failed()) {
        tell(CT_OK, "");
        drain(after(kLeaveNs));
    }
    destroy();
}

int32_t UcxWorker::address(void* bytes, int64_t* length, int64_t capacity) {
    std::lock_guard lock(busy_);
    if (failed()) return again();
    ucp_address_t* address = nullptr;
    size_t own = 0;
    const ucs_status_t status = ucx_.worker_get_address(worker_, &address, &own);
    if (status != UCS_OK) return fail(CT_TRANSPORT, "ct_ucx_address: %s", ucx_.status_string(status));
    *length = static_cast<int64_t>(sizeof(AddressHeader) + own);
    const bool fits = *length <= capacity;
    if (fits) {
        const AddressHeader header{{},
                                   static_cast<uint16_t>(ucx_.major),
                                   static_cast<uint16_t>(ucx_.minor),
                                   0,
                                   shared_.place,
                                   mailboxes_.address()};
        write_address(bytes, header, address, own);
    }
    ucx_.worker_release_address(worker_, address);
    if (fits) return ok();
    return fail(CT_INVALID, "ct_ucx_address: capacity_bytes=%lld is less than the address's %lld",
                static_cast<long long>(capacity), static_cast<long long>(*length));
}

int32_t UcxWorker::connect(int32_t rank, const void* bytes, int64_t length) {
    std::lock_guard lock(busy_);
    if (failed()) return again();
    Peer& peer = peers_[static_cast<size_t>(rank)];
    if (peer.endpoint) return fail(CT_INVALID, "ct_ucx_connect: rank=%d is connected already", rank);
    AddressHeader header{};
    if (!read_address(&header, bytes, static_cast<size_t>(length))) {
        return fail(CT_INVALID, "ct_ucx_connect: the address of rank %d is damaged: bytes=%lld", rank,
                    static_cast<long long>(length));
    }
    if (header.major != ucx_.major || header.minor != ucx_.minor) {
        return fail(CT_MISMATCH, "ct_ucx_connect: rank %d has UCX %d.%d, this rank UCX %u.%u", rank, header.major,
                    header.minor, ucx_.major, ucx_.minor);
    }
    peer.shares_memory = shared_.place != 0 && header.place == shared_.place;
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
    params.address = reinterpret_cast<const ucp_address_t*>(static_cast<const unsigned char*>(bytes) + sizeof header);
    params.err_mode = UCP_ERR_HANDLING_MODE_NONE;
    if (!peer.shares_memory) {
        params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLER;
        params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
        params.err_handler.cb = [](void* lost, ucp_ep_h, ucs_status_t why) { static_cast<Peer*>(lost)->lost = why; };
        params.err_handler.arg = &peer;
    }
    const ucs_status_t status = ucx_.ep_create(worker_, &params, &peer.endpoint);
    if (status == UCS_OK) {
        if (peer.shares_memory && peer.process.open(header.mailboxes.pid) == ESRCH) {
            return fail_all(CT_TRANSPORT, "rank " + number(rank_) + " has lost rank " + number(rank) +
                                              ": its process has ended before this rank connected");
        }
        if (peer.shares_memory && shared_.mailboxes) {
            peer.outbox.open(header.mailboxes, rank_);  // not permitted: UCX's own buffers
            peer.inbox = mailboxes_.inbox(rank);
            peer.borrowed.of(header.mailboxes.pid, header.mailboxes.nonce);
        }
        return ok();
    }
    peer.endpoint = nullptr;
    return fail(CT_TRANSPORT, "ct_ucx_connect: rank %d: %s", rank, ucx_.status_string(status));
}

int32_t UcxWorker::allocate(void** memory, int64_t bytes) {
    std::lock_guard lock(busy_);
    LendableMemory made;
    const int error = made.make(bytes, mailboxes_.are_there(), mailboxes_.address().nonce);
    if (error != 0) {
        return fail(CT_OUT_OF_MEMORY, "ct_ucx_allocate: bytes=%lld: %s", static_cast<long long>(bytes),
                    std::strerror(error));
    }
    *memory = lendable_.emplace_back(std::move(made)).start();
    return ok();
}

int32_t UcxWorker::abort(const char* why) {
    {
        std::lock_guard lock(why_mutex_);
        if (why_.empty()) why_ = why;
    }
    stop_ = true;  // an exchange lets go of the lock then
    std::lock_guard lock(busy_);
    if (!failed()) stopped();
    return ok();
}

}  // namespace ct::gang

#endif  // CORTADO_UCX
