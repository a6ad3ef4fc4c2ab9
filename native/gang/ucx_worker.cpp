// ucx_worker.cpp: exchanges between ranks over UCX's tags.
//
// A message's tag tells its exchange, its sender and its kind; a receive leaves the kind open, so that a peer in another
// exchange is met and not waited for. Notices have a bit of their own and a receive that is always open.
//
// UCX 1.13 survives the death of a peer in two ways only. Between hosts by its own handling of errors. That would give
// up shared memory on one host, where it goes without, and there a read of another process's memory ends this process
// if the other is gone (an assertion, or a fatal error). So all bytes go through UCX's own buffers ("eager"): nobody
// reads or writes the caller's memory but UCX in this process, while it is progressed.
#ifdef CORTADO_UCX

#include "gang/ucx_worker.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/core.h"

namespace ct::gang {

namespace {

constexpr uint64_t kNoticeBit = uint64_t{1} << 63;
constexpr int kKindShift = 48;
constexpr uint64_t kAnyKind = ~(uint64_t{0xff} << kKindShift);
constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kTellNs = 100 * kMillisecond;    // for the notices of a failure
constexpr int64_t kLeaveNs = 1000 * kMillisecond;  // for what was sent before this rank leaves
constexpr int64_t kSleepAfterNs = 100 * kMillisecond;
constexpr int64_t kSleepNs = 100'000;

// For a peer's part that is late: at first only yields the core, after a tenth of a second for longer.
void give_way(int64_t idle_ns) {
    if (idle_ns > kSleepAfterNs) {
        const timespec pause{0, kSleepNs};
        nanosleep(&pause, nullptr);
    } else {
        sched_yield();
    }
}

uint64_t tag_of(uint64_t exchange, int32_t kind, int32_t rank) {
    return static_cast<uint64_t>(kind) << kKindShift | (exchange & 0xffffffff) << 16 | static_cast<uint64_t>(rank);
}

int32_t rank_of(ucp_tag_t tag) { return static_cast<int32_t>(tag & 0xffff); }
int32_t kind_of(ucp_tag_t tag) { return static_cast<int32_t>(tag >> kKindShift & 0xff); }

int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t after(int64_t ns) {
    int64_t at = 0;
    return __builtin_add_overflow(now_ns(), ns, &at) ? INT64_MAX : at;
}

// In front of UCX's own bytes, whose form UCX does not check.
struct AddressHeader {
    char magic[4];
    uint16_t major;
    uint16_t minor;
    uint64_t memory;  // of processes that share memory the same
    uint64_t checksum;
};
constexpr char kMagic[4] = {'C', 'T', 'U', 'X'};

uint64_t checksum(const void* bytes, size_t length) {  // FNV-1a
    uint64_t sum = 0xcbf29ce484222325;
    for (size_t i = 0; i < length; ++i) sum = (sum ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3;
    return sum;
}

std::string text_of(const char* file) {
    std::ifstream stream(file);
    std::string text;
    std::getline(stream, text);
    return text;
}

std::string link_of(const char* file) {
    char target[128];
    const ssize_t length = readlink(file, target, sizeof target);
    return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

// Whether a list of transports, as UCX_TLS has it, has one that goes through shared memory.
bool lists_shared_memory(const char* transports) {
    if (!transports || *transports == '\0') return true;
    std::istringstream list(*transports == '^' ? transports + 1 : transports);
    for (std::string name; std::getline(list, name, ',');) {
        for (const char* known : {"all", "shm", "sm", "mm", "posix", "sysv"}) {
            if (name == known) return *transports != '^';
        }
    }
    return *transports == '^';
}

// The same number in two processes: they run under one kernel and see one another's memory. 0: none other does.
uint64_t shared_memory() {
    if (!lists_shared_memory(std::getenv("UCX_TLS"))) return 0;
    std::string place = text_of("/proc/sys/kernel/random/boot_id");
    for (const char* name : {"/proc/self/ns/ipc", "/proc/self/ns/pid", "/proc/self/ns/mnt"}) place += link_of(name);
    return checksum(place.data(), place.size());
}

std::string number(int64_t value) { return std::to_string(value); }

// Parameters of a request; flags: of ucp_op_attr_t.
ucp_request_param_t request_param(uint32_t flags = 0) {
    ucp_request_param_t param{};
    param.op_attr_mask = flags;
    return param;
}

}  // namespace

UcxWorker::UcxWorker(const UcxLibrary& library, int32_t rank, int32_t size, int32_t spins)
    : ucx_(library),
      rank_(rank),
      size_(size),
      spins_(spins),
      memory_(shared_memory()),
      peers_(static_cast<size_t>(size)) {}

int32_t UcxWorker::open() {
    ucp_config_t* config = nullptr;
    ucs_status_t status = ucx_.config_read(nullptr, nullptr, &config);
    if (status != UCS_OK) return fail(CT_TRANSPORT, "ct_ucx_open: ucp_config_read: %s", ucx_.status_string(status));
    status = ucx_.config_modify(config, "RNDV_THRESH", "inf");
    if (status != UCS_OK) {
        ucx_.config_release(config);
        return fail(CT_TRANSPORT, "ct_ucx_open: RNDV_THRESH: %s", ucx_.status_string(status));
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
    AddressHeader header{{}, static_cast<uint16_t>(ucx_.major), static_cast<uint16_t>(ucx_.minor), memory_, 0};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.checksum = checksum(address, own) ^ memory_;
    *length = static_cast<int64_t>(sizeof header + own);
    const bool fits = *length <= capacity;
    if (fits) {
        std::memcpy(bytes, &header, sizeof header);
        std::memcpy(static_cast<unsigned char*>(bytes) + sizeof header, address, own);
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
    if (length > static_cast<int64_t>(sizeof header)) std::memcpy(&header, bytes, sizeof header);
    const auto* own = static_cast<const unsigned char*>(bytes) + sizeof header;
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 ||
        header.checksum != (checksum(own, static_cast<size_t>(length) - sizeof header) ^ header.memory)) {
        return fail(CT_INVALID, "ct_ucx_connect: the address of rank %d is damaged: bytes=%lld", rank,
                    static_cast<long long>(length));
    }
    if (header.major != ucx_.major || header.minor != ucx_.minor) {
        return fail(CT_MISMATCH, "ct_ucx_connect: rank %d has UCX %d.%d, this rank UCX %u.%u", rank, header.major,
                    header.minor, ucx_.major, ucx_.minor);
    }
    peer.shares_memory = memory_ != 0 && header.memory == memory_;
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
    params.address = reinterpret_cast<const ucp_address_t*>(own);
    params.err_mode = UCP_ERR_HANDLING_MODE_NONE;
    if (!peer.shares_memory) {
        params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLER;
        params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
        params.err_handler.cb = [](void* lost, ucp_ep_h, ucs_status_t why) { static_cast<Peer*>(lost)->lost = why; };
        params.err_handler.arg = &peer;
    }
    const ucs_status_t status = ucx_.ep_create(worker_, &params, &peer.endpoint);
    if (status == UCS_OK) return ok();
    peer.endpoint = nullptr;
    return fail(CT_TRANSPORT, "ct_ucx_connect: rank %d: %s", rank, ucx_.status_string(status));
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

// ---- an exchange ---------------------------------------------------------------------------------------------------

int32_t UcxWorker::exchange(const Exchange& parts) {
    std::lock_guard lock(busy_);
    if (failed()) return again();
    CT_TRY(check(parts));
    try {
        return run(parts);
    } catch (...) {  // texts need memory; requests must not outlive the call
        failure_ = CT_OUT_OF_MEMORY;
        destroy();
        return again();
    }
}

int32_t UcxWorker::run(const Exchange& parts) {
    const int64_t deadline = after(parts.timeout_ns);
    ++exchanges_;
    CT_TRY(stopped());
    ucx_.worker_progress(worker_);
    CT_TRY(hear());
    for (int32_t rank = 0; rank < size_; ++rank) CT_TRY(missed(rank));
    CT_TRY(post(parts));
    CT_TRY(copy_own(parts));
    CT_TRY(wait(parts, deadline));
    completed_ = exchanges_;
    return ok();
}

int32_t UcxWorker::check(const Exchange& parts) const {
    for (int32_t rank = 0; rank < size_; ++rank) {
        if (rank != rank_ && !peers_[static_cast<size_t>(rank)].endpoint) {
            return fail(CT_INVALID, "ct_ucx_exchange: rank %d is not connected", rank);
        }
        if (parts.receive_capacity_bytes[rank] < 0 || parts.receive_offset_bytes[rank] < 0 ||
            parts.send_bytes[rank] < 0 || parts.send_offset_bytes[rank] < 0) {
            return fail(CT_INVALID, "ct_ucx_exchange: a size or an offset of rank %d is negative", rank);
        }
        if (!parts.receive && parts.receive_capacity_bytes[rank] > 0) {
            return fail(CT_INVALID, "ct_ucx_exchange: receive is null, and rank %d may send", rank);
        }
        if (!parts.send && parts.send_bytes[rank] > 0) {
            return fail(CT_INVALID, "ct_ucx_exchange: send is null, and there are bytes for rank %d", rank);
        }
    }
    return CT_OK;
}

int32_t UcxWorker::post(const Exchange& parts) {
    const ucp_request_param_t kept = request_param(UCP_OP_ATTR_FLAG_NO_IMM_CMPL);
    for (int32_t rank = 0; rank < size_; ++rank) {
        if (rank == rank_) continue;
        const int64_t capacity = parts.receive_capacity_bytes[rank];
        void* to = capacity > 0 ? parts.receive + parts.receive_offset_bytes[rank] : nullptr;
        void* request =
            ucx_.tag_recv(worker_, to, static_cast<size_t>(capacity), tag_of(exchanges_, 0, rank), kAnyKind, &kept);
        if (UCS_PTR_IS_ERR(request)) return transport_failure("receiving", UCS_PTR_STATUS(request));
        peers_[static_cast<size_t>(rank)].receive = request;
    }
    const ucp_request_param_t plain = request_param();
    for (int32_t step = 1; step < size_; ++step) {
        const int32_t rank = (rank_ + step) % size_;
        Peer& peer = peers_[static_cast<size_t>(rank)];
        const int64_t bytes = parts.send_bytes[rank];
        const void* from = bytes > 0 ? parts.send + parts.send_offset_bytes[rank] : nullptr;
        void* request = ucx_.tag_send(peer.endpoint, from, static_cast<size_t>(bytes),
                                      tag_of(exchanges_, parts.kind, rank_), &plain);
        if (UCS_PTR_IS_ERR(request))
            return transport_failure("sending to rank " + number(rank), UCS_PTR_STATUS(request));
        peer.send = request;
    }
    return CT_OK;
}

int32_t UcxWorker::copy_own(const Exchange& parts) {
    const int64_t bytes = parts.send_bytes[rank_];
    const int64_t capacity = parts.receive_capacity_bytes[rank_];
    if (bytes > capacity) {
        return fail_all(CT_MISMATCH, "rank " + number(rank_) + " sends itself " + number(bytes) + " bytes, and " +
                                         number(capacity) + " fit");
    }
    if (bytes > 0) {
        std::memcpy(parts.receive + parts.receive_offset_bytes[rank_], parts.send + parts.send_offset_bytes[rank_],
                    static_cast<size_t>(bytes));
    }
    parts.received_bytes[rank_] = bytes;
    return CT_OK;
}

int32_t UcxWorker::wait(const Exchange& parts, int64_t deadline) {
    int32_t open = 0;
    CT_TRY(sweep(parts, &open));
    int64_t idle_since = 0;
    int64_t idle_rounds = 0;
    for (int64_t round = 1; open > 0; ++round) {
        const bool idle = ucx_.worker_progress(worker_) == 0;
        idle_rounds = idle ? idle_rounds + 1 : 0;
        CT_TRY(sweep(parts, &open));
        CT_TRY(hear());
        CT_TRY(stopped());
        const bool spins = idle_rounds <= spins_;
        if (open == 0 || (spins && round % 256 != 0)) continue;
        const int64_t now = now_ns();
        if (now >= deadline) return late(parts);
        if (spins) continue;
        if (idle_rounds == int64_t{spins_} + 1) idle_since = now;
        give_way(now - idle_since);
    }
    return CT_OK;
}

// Ends the exchange if another thread wants that.
int32_t UcxWorker::stopped() {
    if (!stop_.load(std::memory_order_relaxed)) return CT_OK;
    std::string why;
    {
        std::lock_guard lock(why_mutex_);
        why = why_.empty() ? "it closes" : why_;
    }
    return fail_all(CT_ABORTED, "rank " + number(rank_) + " ended the gang: " + why);
}

// Takes what is over; open: how many requests are not.
int32_t UcxWorker::sweep(const Exchange& parts, int32_t* open) {
    *open = 0;
    for (int32_t rank = 0; rank < size_; ++rank) {
        Peer& peer = peers_[static_cast<size_t>(rank)];
        if (peer.lost != UCS_OK) CT_TRY(missed(rank));
        if (peer.receive) {
            ucp_tag_recv_info_t info{};
            const ucs_status_t status = ucx_.tag_recv_test(peer.receive, &info);
            if (status == UCS_INPROGRESS) {
                ++*open;
            } else {
                release(peer.receive);
                CT_TRY(received(parts, rank, status, info));
            }
        }
        if (peer.send) {
            const ucs_status_t status = ucx_.request_status(peer.send);
            if (status == UCS_INPROGRESS) {
                ++*open;
            } else {
                release(peer.send);
                if (status != UCS_OK) return transport_failure("sending to rank " + number(rank), status);
            }
        }
    }
    return CT_OK;
}

int32_t UcxWorker::received(const Exchange& parts, int32_t rank, ucs_status_t status, const ucp_tag_recv_info_t& info) {
    if (status != UCS_OK && status != UCS_ERR_MESSAGE_TRUNCATED) return transport_failure("receiving", status);
    if (kind_of(info.sender_tag) != parts.kind) {
        return fail_all(CT_MISMATCH, "rank " + number(rank) +
                                         " is in an exchange of kind=" + number(kind_of(info.sender_tag)) + ", rank " +
                                         number(rank_) + " in " + name(parts));
    }
    const int64_t capacity = parts.receive_capacity_bytes[rank];
    if (status != UCS_OK || static_cast<int64_t>(info.length) > capacity) {
        return fail_all(CT_MISMATCH, "rank " + number(rank) + " sends rank " + number(rank_) + " more than the " +
                                         number(capacity) + " bytes that fit, in " + name(parts));
    }
    parts.received_bytes[rank] = static_cast<int64_t>(info.length);
    return CT_OK;
}

int32_t UcxWorker::late(const Exchange& parts) {
    std::string absent, stuck;
    for (int32_t rank = 0; rank < size_; ++rank) {
        const Peer& peer = peers_[static_cast<size_t>(rank)];
        std::string& list = peer.receive ? absent : stuck;
        if (peer.receive || peer.send) list += (list.empty() ? "" : ", ") + number(rank);
    }
    std::string text =
        "rank " + number(rank_) + " waited " + number(parts.timeout_ns / kMillisecond) + " ms in " + name(parts) + ":";
    if (!absent.empty()) text += " rank " + absent + " did not come";
    if (!stuck.empty()) text += std::string(absent.empty() ? "" : ";") + " rank " + stuck + " did not take its part";
    return fail_all(CT_TIMEOUT, text);
}

std::string UcxWorker::name(const Exchange& parts) const {
    return "exchange " + number(static_cast<int64_t>(exchanges_)) + " of kind=" + number(parts.kind);
}

// ---- notices -------------------------------------------------------------------------------------------------------

int32_t UcxWorker::listen() {
    const ucp_request_param_t kept = request_param(UCP_OP_ATTR_FLAG_NO_IMM_CMPL);
    void* request = ucx_.tag_recv(worker_, &heard_, sizeof heard_, kNoticeBit, kNoticeBit, &kept);
    if (UCS_PTR_IS_ERR(request)) return transport_failure("receiving", UCS_PTR_STATUS(request));
    hearing_ = request;
    return CT_OK;
}

int32_t UcxWorker::hear() {
    ucp_tag_recv_info_t info{};
    for (;;) {
        const ucs_status_t status = ucx_.tag_recv_test(hearing_, &info);
        if (status == UCS_INPROGRESS) return CT_OK;
        release(hearing_);
        const int32_t rank = rank_of(info.sender_tag);
        if (status != UCS_OK || info.length != sizeof heard_ || rank >= size_) {
            return transport_failure("receiving a notice", status == UCS_OK ? UCS_ERR_INVALID_PARAM : status);
        }
        Peer& peer = peers_[static_cast<size_t>(rank)];
        peer.has_ended = true;
        peer.status = heard_.status;
        peer.exchanges = heard_.exchanges;
        peer.text.assign(heard_.text, std::min<size_t>(heard_.text_bytes, sizeof heard_.text));
        CT_TRY(listen());
        CT_TRY(missed(rank));
    }
}

// Fails if a rank cannot come to the exchange that this one is in. One that has ended after it has made it.
int32_t UcxWorker::missed(int32_t rank) {
    const Peer& peer = peers_[static_cast<size_t>(rank)];
    if (peer.has_ended) {
        if (peer.exchanges >= exchanges_) return CT_OK;
        if (peer.status != CT_OK) {  // it has told all
            failure_ = peer.status;
            failure_text_ = peer.text;
            destroy();
            return again();
        }
        return fail_all(CT_ABORTED, "rank " + number(rank) + " has left after " +
                                        number(static_cast<int64_t>(peer.exchanges)) + " exchanges, rank " +
                                        number(rank_) + " is in the next");
    }
    if (peer.lost == UCS_OK) return CT_OK;
    return fail_all(CT_TRANSPORT,
                    "rank " + number(rank_) + " has lost rank " + number(rank) + ": " + ucx_.status_string(peer.lost));
}

void UcxWorker::tell(int32_t status, const std::string& text) {
    const ucp_request_param_t plain = request_param();
    told_ = {status, static_cast<uint32_t>(std::min(text.size(), sizeof told_.text)), completed_, {}};
    std::memcpy(told_.text, text.data(), told_.text_bytes);
    for (Peer& peer : peers_) {
        if (!peer.endpoint || peer.has_ended || peer.lost != UCS_OK) continue;
        void* request =
            ucx_.tag_send(peer.endpoint, &told_, sizeof told_, kNoticeBit | static_cast<uint64_t>(rank_), &plain);
        peer.told = UCS_PTR_IS_ERR(request) ? nullptr : request;
    }
}

// Lets what was sent go out, for a while.
void UcxWorker::drain(int64_t until) {
    const ucp_request_param_t plain = request_param();
    void* flush = ucx_.worker_flush(worker_, &plain);
    if (UCS_PTR_IS_ERR(flush)) flush = nullptr;
    for (int64_t rounds = 0;; ++rounds) {
        int32_t open = 0;
        for (Peer& peer : peers_) {
            if (peer.told && ucx_.request_status(peer.told) != UCS_INPROGRESS) release(peer.told);
            open += peer.told != nullptr;
        }
        if (flush && ucx_.request_status(flush) != UCS_INPROGRESS) release(flush);
        if ((open == 0 && !flush) || now_ns() >= until) break;
        if (ucx_.worker_progress(worker_) == 0 && rounds > spins_) sched_yield();
    }
    release(flush);
}

// ---- failures ------------------------------------------------------------------------------------------------------

int32_t UcxWorker::again() const { return fail(failure_, "ct_ucx: %s", failure_text_.c_str()); }

int32_t UcxWorker::transport_failure(const std::string& doing, ucs_status_t status) {
    // A peer that has gone has often told why.
    for (int i = 0; i < 64 && ucx_.worker_progress(worker_) != 0; ++i) continue;
    CT_TRY(hear());
    for (int32_t rank = 0; rank < size_; ++rank) CT_TRY(missed(rank));
    return fail_all(CT_TRANSPORT,
                    "rank " + number(rank_) + ": UCX failed while " + doing + ": " + ucx_.status_string(status));
}

int32_t UcxWorker::fail_all(int32_t status, const std::string& text) {
    failure_ = status;
    failure_text_ = text;
    if (worker_) {
        tell(status, text);
        drain(after(kTellNs));
        destroy();
    }
    return again();
}

void UcxWorker::cancel(void* request) {
    if (!request) return;
    ucx_.request_cancel(worker_, request);
    ucx_.request_free(request);
}

// Requests that wait in it are ended with it. Not for one that does not handle errors.
void UcxWorker::close_at_once(ucp_ep_h endpoint) {
    ucp_request_param_t param = request_param(UCP_OP_ATTR_FIELD_FLAGS);
    param.flags = UCP_EP_CLOSE_FLAG_FORCE;
    void* request = ucx_.ep_close(endpoint, &param);
    if (request && !UCS_PTR_IS_ERR(request)) ucx_.request_free(request);
}

void UcxWorker::release(void*& request) {
    if (request) ucx_.request_free(request);
    request = nullptr;
}

// Afterwards nobody in this process reads or writes the caller's memory. What cannot be cancelled, because its bytes
// are on their way, ends with the worker.
void UcxWorker::destroy() {
    if (worker_) {
        cancel(hearing_);
        for (Peer& peer : peers_) {
            for (void* request : {peer.receive, peer.send, peer.told}) cancel(request);
            if (peer.endpoint && !peer.shares_memory) close_at_once(peer.endpoint);
        }
        for (Peer& peer : peers_) peer = Peer{};
        hearing_ = nullptr;
        ucx_.worker_destroy(worker_);
    }
    worker_ = nullptr;
    if (context_) ucx_.cleanup(context_);
    context_ = nullptr;
}

}  // namespace ct::gang

#endif  // CORTADO_UCX
