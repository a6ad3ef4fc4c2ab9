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
// That is two copies in pieces of 8 KiB. On one host parts go through memory that both processes have mapped instead
// (mailbox.h), where that is permitted: two copies as well, but large ones, at the same time, without a message for each;
// and one, by the receiver, where a part lies in memory that its sender has of this library (lent_memory.h). A rank says
// in its first message whether its later parts go there, and so that it can open what its peer has; notices are always
// UCX's.
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

// A part that is lent is read before its exchange ends; a smaller one is copied sooner than that is told.
constexpr int64_t kLeastLentBytes = 16 << 10;

// UCX's shared memory does not tell that a peer's process has ended.
constexpr int64_t kLookNs = 20 * kMillisecond;

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
        Peer& peer = peers_[static_cast<size_t>(rank)];
        if (peer.mails) {
            peer.inbox.expect();
            continue;
        }
        const int64_t capacity = parts.receive_capacity_bytes[rank];
        void* to = capacity > 0 ? parts.receive + parts.receive_offset_bytes[rank] : nullptr;
        void* request =
            ucx_.tag_recv(worker_, to, static_cast<size_t>(capacity), tag_of(exchanges_, 0, rank), kAnyPart, &kept);
        CT_TRY(begin(&peer.receive, request, "receiving from", rank));
    }
    for (int32_t step = 1; step < size_; ++step) CT_TRY(send(parts, (rank_ + step) % size_));
    return CT_OK;
}

int32_t UcxWorker::send(const Exchange& parts, int32_t rank) {
    Peer& peer = peers_[static_cast<size_t>(rank)];
    const int64_t bytes = parts.send_bytes[rank];
    const unsigned char* from = bytes > 0 ? parts.send + parts.send_offset_bytes[rank] : nullptr;
    if (peer.is_mailed) {
        peer.outbox.post({exchanges_, bytes, parts.kind, place_of(peer, from, bytes)}, from);
        peer.outbox.push();
        return CT_OK;
    }
    peer.is_mailed = peer.outbox.is_open();
    const ucp_request_param_t plain = request_param();
    const uint64_t tag = (peer.is_mailed ? kMailsBit : 0) | tag_of(exchanges_, parts.kind, rank_);
    void* request = ucx_.tag_send(peer.endpoint, from, static_cast<size_t>(bytes), tag, &plain);
    return begin(&peer.send, request, "sending to", rank);
}

// Where a peer that can open this process's memory reads a part.
Place UcxWorker::place_of(const Peer& peer, const unsigned char* part, int64_t bytes) const {
    Place found = kNowhere;
    if (!peer.mails || bytes < kLeastLentBytes) return found;
    for (const LendableMemory& memory : lendable_) {
        const Place place = memory.place_of(part, bytes);
        if (place.file >= 0) found = place;
    }
    return found;
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
    Found found;
    CT_TRY(sweep(parts, &found));
    int64_t idle_since = 0;
    int64_t idle_rounds = 0;
    int64_t look_at = now_ns() + kLookNs;
    for (int64_t round = 1; found.open > 0; ++round) {
        const bool progressed = ucx_.worker_progress(worker_) != 0;
        CT_TRY(sweep(parts, &found));
        CT_TRY(hear());
        CT_TRY(stopped());
        idle_rounds = progressed || found.moved ? 0 : idle_rounds + 1;
        const bool spins = idle_rounds <= spins_;
        if (found.open == 0 || (spins && round % 256 != 0)) continue;
        const int64_t now = now_ns();
        if (now >= deadline) return late(parts);
        if (now >= look_at) {
            CT_TRY(look(parts, &found));
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

// Takes what is over, and moves on what goes through mailboxes.
int32_t UcxWorker::sweep(const Exchange& parts, Found* found) {
    *found = {};
    for (int32_t rank = 0; rank < size_; ++rank) {
        Peer& peer = peers_[static_cast<size_t>(rank)];
        if (peer.lost != UCS_OK) CT_TRY(missed(rank));
        if (peer.receive) CT_TRY(receive(parts, rank));
        if (peer.send) CT_TRY(finish_send(rank));
        if (peer.inbox.waits()) CT_TRY(open_letter(parts, rank));
        if (peer.inbox.pull()) found->moved = true;
        if (peer.outbox.is_busy() && peer.outbox.push()) found->moved = true;
        found->open += peer.is_awaited() + peer.is_stuck();
    }
    return CT_OK;
}

int32_t UcxWorker::finish_send(int32_t rank) {
    void*& request = peers_[static_cast<size_t>(rank)].send;
    const ucs_status_t status = ucx_.request_status(request);
    if (status == UCS_INPROGRESS) return CT_OK;
    release(request);
    return status == UCS_OK ? CT_OK : request_failure("sending to", rank, status);
}

int32_t UcxWorker::receive(const Exchange& parts, int32_t rank) {
    Peer& peer = peers_[static_cast<size_t>(rank)];
    ucp_tag_recv_info_t info{};
    const ucs_status_t status = ucx_.tag_recv_test(peer.receive, &info);
    if (status == UCS_INPROGRESS) return CT_OK;
    release(peer.receive);
    if (status != UCS_OK && status != UCS_ERR_MESSAGE_TRUNCATED) return request_failure("receiving from", rank, status);
    CT_TRY(check_kind(parts, rank, kind_of(info.sender_tag)));
    if (status != UCS_OK) return too_much(parts, rank);
    peer.mails = (info.sender_tag & kMailsBit) != 0;
    parts.received_bytes[rank] = static_cast<int64_t>(info.length);
    return CT_OK;
}

int32_t UcxWorker::open_letter(const Exchange& parts, int32_t rank) {
    Peer& peer = peers_[static_cast<size_t>(rank)];
    LetterHead head{};
    if (!peer.inbox.open(&head)) return CT_OK;
    CT_TRY(check_kind(parts, rank, static_cast<int32_t>(head.kind)));
    if (head.exchange != exchanges_ || head.bytes < 0)
        return transport_failure(": its mailbox is damaged by rank " + number(rank));
    if (head.bytes > parts.receive_capacity_bytes[rank]) return too_much(parts, rank);
    const unsigned char* lent = nullptr;
    if (head.lends()) {
        int error = 0;
        lent = peer.borrowed.find(head.lent, head.bytes, &error);
        if (!lent)
            return transport_failure(" cannot read what rank " + number(rank) + " lends: " + std::strerror(error));
    }
    parts.received_bytes[rank] = head.bytes;
    unsigned char* to = head.bytes > 0 ? parts.receive + parts.receive_offset_bytes[rank] : nullptr;
    peer.inbox.read_to(to, head.bytes, lent);
    return CT_OK;
}

int32_t UcxWorker::check_kind(const Exchange& parts, int32_t rank, int32_t kind) {
    if (kind == parts.kind) return CT_OK;
    return fail_all(CT_MISMATCH, "rank " + number(rank) + " is in an exchange of kind=" + number(kind) + ", rank " +
                                     number(rank_) + " in " + name(parts));
}

int32_t UcxWorker::too_much(const Exchange& parts, int32_t rank) {
    return fail_all(CT_MISMATCH, "rank " + number(rank) + " sends rank " + number(rank_) + " more than the " +
                                     number(parts.receive_capacity_bytes[rank]) + " bytes that fit, in " + name(parts));
}

// Fails if the process of a peer has ended that has not sent or taken all: what it did before is here, or comes at once.
int32_t UcxWorker::look(const Exchange& parts, Found* found) {
    for (int32_t rank = 0; rank < size_; ++rank) {
        const Peer& peer = peers_[static_cast<size_t>(rank)];
        if (!peer.process.has_ended()) continue;
        for (int i = 0; i < 64 && ucx_.worker_progress(worker_) != 0; ++i) continue;
        CT_TRY(sweep(parts, found));
        if (found->moved) return CT_OK;  // looks again
        if (peer.is_awaited() || peer.is_stuck()) {
            return transport_failure(" has lost rank " + number(rank) + ": its process has ended");
        }
    }
    return CT_OK;
}

int32_t UcxWorker::late(const Exchange& parts) {
    std::string absent, stuck;
    for (int32_t rank = 0; rank < size_; ++rank) {
        const Peer& peer = peers_[static_cast<size_t>(rank)];
        std::string& list = peer.is_awaited() ? absent : stuck;
        if (peer.is_awaited() || peer.is_stuck()) list += (list.empty() ? "" : ", ") + number(rank);
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
