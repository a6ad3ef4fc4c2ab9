// ucx_exchange.cpp: exchanges between ranks over UCX's tags.
//
// A message's tag tells its exchange, its sender and its kind; a receive leaves the kind open, so that a peer in another
// exchange is met and not waited for. Notices have a bit of their own and a receive that is always open.
//
// UCX 1.13 survives the death of a peer in two ways only. Between hosts by its own handling of errors. That would give
// up shared memory on one host, where it goes without, and there a read of another process's memory by UCX ends this
// process if the other is gone (an assertion, or a fatal error); over TCP the same befalls a part that is sent from the
// caller's memory. So all of UCX's messages go through its own buffers ("eager", without "zcopy"): nobody reads or writes
// the caller's memory but UCX in this process, while it is progressed.
//
// That is two copies. Of a large part on one host the message is an offer instead, from where the receiver copies the
// part itself (peer_memory.h), where that is permitted; it then says that it has, for which the sender waits. A rank
// says in each message whether it can do so, so that the first exchange is always without.
#ifdef CORTADO_UCX

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "core/core.h"
#include "gang/ucx_request.h"
#include "gang/ucx_worker.h"

namespace ct::gang {

namespace {

constexpr int64_t kSleepAfterNs = 100 * kMillisecond;
constexpr int64_t kSleepNs = 100'000;

// From there on an offer and its answer cost less than the second copy (128 KiB: as much).
constexpr int64_t kOfferBytes = 192 << 10;

// UCX's shared memory does not tell that a peer's process has ended.
constexpr int64_t kLookNs = 20 * kMillisecond;

// Read at once; between reads this rank hears its peers and looks at its deadline.
constexpr int64_t kReadBytes = 8 << 20;

// For a peer's part that is late: at first only yields the core, after a tenth of a second for longer.
void give_way(int64_t idle_ns) {
    if (idle_ns > kSleepAfterNs) {
        const timespec pause{0, kSleepNs};
        nanosleep(&pause, nullptr);
    } else {
        sched_yield();
    }
}

}  // namespace

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
    memory_.lend(exchanges_);
    CT_TRY(post(parts));
    CT_TRY(copy_own(parts));
    CT_TRY(wait(parts, deadline));
    memory_.take_back();
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
            ucx_.tag_recv(worker_, to, static_cast<size_t>(capacity), tag_of(exchanges_, 0, rank), kAnyPart, &kept);
        CT_TRY(begin(&peers_[static_cast<size_t>(rank)].receive, request, "receiving from", rank));
    }
    for (int32_t step = 1; step < size_; ++step) CT_TRY(send(parts, (rank_ + step) % size_));
    return CT_OK;
}

// An offer in place of the part, where the peer can read it and it is large.
int32_t UcxWorker::send(const Exchange& parts, int32_t rank) {
    Peer& peer = peers_[static_cast<size_t>(rank)];
    int64_t bytes = parts.send_bytes[rank];
    const void* from = bytes > 0 ? parts.send + parts.send_offset_bytes[rank] : nullptr;
    uint64_t tag = tag_of(exchanges_, parts.kind, rank_) | (peer.memory.is_open() ? kReadsBit : 0);
    const ucp_request_param_t plain = request_param();
    if (peer.reads && bytes >= kOfferBytes) {
        const uint64_t taken = kTakenBit | tag_of(exchanges_, 0, rank);
        CT_TRY(begin(&peer.taken, ucx_.tag_recv(worker_, nullptr, 0, taken, ~uint64_t{0}, &plain), "receiving from",
                     rank));
        peer.offer = {reinterpret_cast<uint64_t>(from), bytes};
        from = &peer.offer;
        bytes = sizeof peer.offer;
        tag |= kOfferBit;
    }
    void* request = ucx_.tag_send(peer.endpoint, from, static_cast<size_t>(bytes), tag, &plain);
    return begin(&peer.send, request, "sending to", rank);
}

int32_t UcxWorker::begin(void** kept, void* request, const char* doing, int32_t rank) {
    if (UCS_PTR_IS_ERR(request)) return request_failure(doing, rank, UCS_PTR_STATUS(request));
    *kept = request;
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
    int64_t look_at = now_ns() + kLookNs;
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
        if (now >= look_at) {
            CT_TRY(look(parts, &open));
            look_at = now + kLookNs;
        }
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
        if (peer.offered.bytes > 0) CT_TRY(read(parts, rank));
        *open += peer.offered.bytes > 0;
        CT_TRY(finish(&peer.send, "sending to", rank, open));
        CT_TRY(finish(&peer.taken, "receiving from", rank, open));
        CT_TRY(finish(&peer.took, "sending to", rank, open));
    }
    return CT_OK;
}

int32_t UcxWorker::finish(void** request, const char* doing, int32_t rank, int32_t* open) {
    if (!*request) return CT_OK;
    const ucs_status_t status = ucx_.request_status(*request);
    if (status == UCS_INPROGRESS) {
        ++*open;
        return CT_OK;
    }
    release(*request);
    return status == UCS_OK ? CT_OK : request_failure(doing, rank, status);
}

int32_t UcxWorker::received(const Exchange& parts, int32_t rank, ucs_status_t status, const ucp_tag_recv_info_t& info) {
    if (status != UCS_OK && status != UCS_ERR_MESSAGE_TRUNCATED) return request_failure("receiving from", rank, status);
    if (kind_of(info.sender_tag) != parts.kind) {
        return fail_all(CT_MISMATCH, "rank " + number(rank) +
                                         " is in an exchange of kind=" + number(kind_of(info.sender_tag)) + ", rank " +
                                         number(rank_) + " in " + name(parts));
    }
    Peer& peer = peers_[static_cast<size_t>(rank)];
    peer.reads = memory_.lends() && (info.sender_tag & kReadsBit) != 0;
    const int64_t capacity = parts.receive_capacity_bytes[rank];
    const bool is_offer = (info.sender_tag & kOfferBit) != 0;
    auto bytes = static_cast<int64_t>(info.length);
    if (is_offer && status == UCS_OK && info.length == sizeof peer.offered) {
        std::memcpy(&peer.offered, parts.receive + parts.receive_offset_bytes[rank], sizeof peer.offered);
        bytes = peer.offered.bytes;
    }
    if (status != UCS_OK || bytes < 0 || bytes > capacity) {
        return fail_all(CT_MISMATCH, "rank " + number(rank) + " sends rank " + number(rank_) + " more than the " +
                                         number(capacity) + " bytes that fit, in " + name(parts));
    }
    parts.received_bytes[rank] = bytes;
    return CT_OK;
}

// Reads on in a part that a peer offers; tells it when all is here.
int32_t UcxWorker::read(const Exchange& parts, int32_t rank) {
    Peer& peer = peers_[static_cast<size_t>(rank)];
    const int64_t at = parts.received_bytes[rank] - peer.offered.bytes;
    const int64_t bytes = std::min(peer.offered.bytes, kReadBytes);
    unsigned char* to = parts.receive + parts.receive_offset_bytes[rank] + at;
    int error = peer.memory.read(to, peer.offered.from, static_cast<size_t>(bytes));
    peer.offered.from += static_cast<uint64_t>(bytes);
    peer.offered.bytes -= bytes;
    if (error == 0 && peer.offered.bytes > 0) return CT_OK;
    if (error == 0) error = peer.memory.check(exchanges_);
    if (error != 0) return memory_failure(rank, error);
    const ucp_request_param_t plain = request_param();
    const uint64_t took = kTakenBit | tag_of(exchanges_, 0, rank_);
    return begin(&peer.took, ucx_.tag_send(peer.endpoint, nullptr, 0, took, &plain), "sending to", rank);
}

// Fails if the process of a peer has ended that has not sent or taken all: what it did before is here, or comes at once.
int32_t UcxWorker::look(const Exchange& parts, int32_t* open) {
    for (int32_t rank = 0; rank < size_; ++rank) {
        const Peer& peer = peers_[static_cast<size_t>(rank)];
        if (!peer.process.has_ended()) continue;
        for (int i = 0; i < 64 && ucx_.worker_progress(worker_) != 0; ++i) continue;
        CT_TRY(sweep(parts, open));
        if (peer.receive || peer.offered.bytes > 0 || peer.send || peer.taken || peer.took) {
            return transport_failure(" has lost rank " + number(rank) + ": its process has ended");
        }
    }
    return CT_OK;
}

int32_t UcxWorker::late(const Exchange& parts) {
    std::string absent, stuck;
    for (int32_t rank = 0; rank < size_; ++rank) {
        const Peer& peer = peers_[static_cast<size_t>(rank)];
        const bool is_absent = peer.receive || peer.offered.bytes > 0;
        std::string& list = is_absent ? absent : stuck;
        if (is_absent || peer.send || peer.taken || peer.took) list += (list.empty() ? "" : ", ") + number(rank);
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

}  // namespace ct::gang

#endif  // CORTADO_UCX
