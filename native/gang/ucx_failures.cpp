// ucx_failures.cpp: what ranks tell each other when one fails or leaves, and how an end over UCX ends.
#ifdef CORTADO_UCX

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "core/core.h"
#include "gang/ucx_request.h"
#include "gang/ucx_worker.h"

namespace ct::gang {

namespace {

constexpr int64_t kTellNs = 100 * kMillisecond;  // for the notices of a failure

}  // namespace

// ---- notices -------------------------------------------------------------------------------------------------------

int32_t UcxWorker::listen() {
    const ucp_request_param_t kept = request_param(UCP_OP_ATTR_FLAG_NO_IMM_CMPL);
    void* request = ucx_.tag_recv(worker_, &heard_, sizeof heard_, kNoticeBit, kNoticeBit, &kept);
    if (UCS_PTR_IS_ERR(request)) return notice_failure(UCS_PTR_STATUS(request));
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
            return notice_failure(status == UCS_OK ? UCS_ERR_INVALID_PARAM : status);
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

// A peer that has gone has often told why.
int32_t UcxWorker::transport_failure(const std::string& text) {
    for (int i = 0; i < 64 && ucx_.worker_progress(worker_) != 0; ++i) continue;
    CT_TRY(hear());
    for (int32_t rank = 0; rank < size_; ++rank) CT_TRY(missed(rank));
    return fail_all(CT_TRANSPORT, "rank " + number(rank_) + text);
}

int32_t UcxWorker::request_failure(const char* doing, int32_t rank, ucs_status_t status) {
    return transport_failure(std::string(": UCX failed while ") + doing + " rank " + number(rank) + ": " +
                             ucx_.status_string(status));
}

int32_t UcxWorker::notice_failure(ucs_status_t status) {
    return fail_all(CT_TRANSPORT,
                    "rank " + number(rank_) + ": UCX failed while receiving a notice: " + ucx_.status_string(status));
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

// Afterwards nobody reads or writes the caller's memory. What cannot be cancelled, because its bytes are on their way,
// ends with the worker.
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
