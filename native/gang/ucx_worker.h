// ucx_worker.h: a rank's end over UCX. Included only where UCX's headers are (CORTADO_UCX).
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "cortado.h"
#include "gang/lent_memory.h"
#include "gang/mailbox.h"
#include "gang/peer_process.h"
#include "gang/ucx_address.h"
#include "gang/ucx_library.h"

namespace ct::gang {

// What an exchange works on; the fields are ct_ucx_exchange's parameters.
struct Exchange {
    unsigned char* receive;
    int64_t* received_bytes;
    const int64_t* receive_offset_bytes;
    const int64_t* receive_capacity_bytes;
    const unsigned char* send;
    const int64_t* send_offset_bytes;
    const int64_t* send_bytes;
    int32_t kind;
    int64_t timeout_ns;
};

// What a rank tells its peers beside exchanges: that it has failed, or left, after so many exchanges.
struct Notice {
    int32_t status;  // ct_status; CT_OK: it left
    uint32_t text_bytes;
    uint64_t exchanges;
    char text[240];
};

// What a look at all peers found.
struct Found {
    int32_t open = 0;    // what is not over
    bool moved = false;  // bytes came or went through a mailbox
};

// One thread at a time drives UCX, whichever holds `busy`.
class UcxWorker {
public:
    UcxWorker(const UcxLibrary& library, int32_t rank, int32_t size, int32_t spins);
    ~UcxWorker();  // ends an exchange of another thread first
    UcxWorker(const UcxWorker&) = delete;
    UcxWorker& operator=(const UcxWorker&) = delete;

    int32_t open();
    int32_t address(void* bytes, int64_t* length, int64_t capacity);
    int32_t connect(int32_t rank, const void* bytes, int64_t length);
    int32_t allocate(void** memory, int64_t bytes);
    int32_t exchange(const Exchange& parts);
    int32_t abort(const char* why);
    int32_t rank() const { return rank_; }
    int32_t size() const { return size_; }

private:
    // A request in flight; one that has failed or is over is null.
    struct Peer {
        ucp_ep_h endpoint = nullptr;
        void* receive = nullptr;
        void* send = nullptr;
        void* told = nullptr;  // a notice on its way
        Outbox outbox;         // open: this rank's parts go there, after the first
        Inbox inbox;
        BorrowedMemory borrowed;  // what it lends
        PeerProcess process;      // watched where UCX does not look after peers
        bool is_mailed = false;   // it knows of that
        bool mails = false;       // its parts come into the inbox
        bool shares_memory = false;
        ucs_status_t lost = UCS_OK;  // what UCX says, where it looks after peers
        bool has_ended = false;      // by its own notice, as which
        int32_t status = CT_OK;
        uint64_t exchanges = 0;
        std::string text;

        bool is_awaited() const { return receive || inbox.is_busy(); }
        bool is_stuck() const { return send || outbox.is_busy(); }
    };

    bool failed() const { return failure_ != CT_OK; }
    int32_t again() const;  // the failure once more
    int32_t fail_all(int32_t status, const std::string& text);
    int32_t transport_failure(const std::string& text);
    int32_t request_failure(const char* doing, int32_t rank, ucs_status_t status);
    int32_t notice_failure(ucs_status_t status);

    int32_t check(const Exchange& parts) const;
    int32_t run(const Exchange& parts);
    int32_t post(const Exchange& parts);
    int32_t send(const Exchange& parts, int32_t rank);
    Place place_of(const Peer& peer, const unsigned char* part, int64_t bytes) const;
    int32_t begin(void** kept, void* request, const char* doing, int32_t rank);
    int32_t copy_own(const Exchange& parts);
    int32_t wait(const Exchange& parts, int64_t deadline);
    int32_t stopped();
    int32_t sweep(const Exchange& parts, Found* found);
    int32_t finish_send(int32_t rank);
    int32_t receive(const Exchange& parts, int32_t rank);
    int32_t open_letter(const Exchange& parts, int32_t rank);
    int32_t check_kind(const Exchange& parts, int32_t rank, int32_t kind);
    int32_t too_much(const Exchange& parts, int32_t rank);
    int32_t late(const Exchange& parts);
    int32_t look(const Exchange& parts, Found* found);

    int32_t listen();
    int32_t hear();
    int32_t missed(int32_t rank);
    void tell(int32_t status, const std::string& text);
    void drain(int64_t until);
    void cancel(void* request);
    void close_at_once(ucp_ep_h endpoint);
    void release(void*& request);
    void destroy();
    std::string name(const Exchange& parts) const;

    const UcxLibrary& ucx_;
    const int32_t rank_;
    const int32_t size_;
    const int32_t spins_;
    const SharedMemory shared_;
    const OwnMailboxes mailboxes_;
    std::vector<LendableMemory> lendable_;
    ucp_context_h context_ = nullptr;
    ucp_worker_h worker_ = nullptr;
    std::vector<Peer> peers_;
    uint64_t exchanges_ = 0;  // begun
    uint64_t completed_ = 0;
    Notice heard_{};  // where the next notice goes
    Notice told_{};
    void* hearing_ = nullptr;

    std::mutex busy_;
    std::atomic<bool> stop_{false};  // the exchange is to end
    std::mutex why_mutex_;
    std::string why_;

    int32_t failure_ = CT_OK;  // the first failure
    std::string failure_text_;
};

}  // namespace ct::gang
