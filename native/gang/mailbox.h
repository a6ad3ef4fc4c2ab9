// mailbox.h: parts of an exchange that pass through memory which two processes of a machine share.
//
// A process has a mailbox for each of its peers: a ring of bytes that the peer writes and it reads, each as far as the
// other has come. A letter has its part with it, or tells where it lies in memory that its sender lends (lent_memory.h):
// then the writer waits until it was read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gang/lent_memory.h"
#include "gang/shared_pages.h"

namespace ct::gang {

// What a peer is told of a process's mailboxes.
struct MailboxAddress {
    int64_t pid;
    int64_t file;  // a descriptor there; -1: it has none
    int64_t ring_bytes;
    uint64_t nonce;
};

// Goes before each part, or tells where it is.
struct LetterHead {
    uint64_t exchange;
    int64_t bytes;
    int64_t kind;
    Place lent;

    bool lends() const { return lent.file >= 0; }
};

// In front of a ring. Each counter has a line of the cache of its own, and the one beside it.
struct Mailbox {
    uint64_t nonce;
    alignas(128) std::atomic<uint64_t> wrote;  // bytes, since it was made
    alignas(128) std::atomic<uint64_t> took;
};

// The writer's end of a peer's mailbox for this process.
class Outbox {
public:
    // Gives 0, or the errno of why not; mailbox: which of the peer's.
    int open(const MailboxAddress& address, int32_t mailbox);
    bool is_open() const { return pages_.is_mapped(); }

    // Begins a letter; the part stays as it is until all is written, or what is lent was read. After the one before.
    void post(const LetterHead& head, const unsigned char* part);
    bool is_busy() const { return waits_ || left_ > 0 || lends_; }
    bool push();  // writes on; whether there was room, or what is lent was read

private:
    uint64_t unread() const;
    bool write();

    SharedPages pages_;
    uint64_t ring_bytes_ = 0;
    uint64_t wrote_ = 0;
    bool waits_ = false;  // the head is not written yet
    bool lends_ = false;  // the part was not read yet
    LetterHead head_{};
    const unsigned char* part_ = nullptr;
    int64_t left_ = 0;
};

// The reader's end of one of this process's mailboxes.
class Inbox {
public:
    Inbox() = default;
    Inbox(unsigned char* mailbox, int64_t ring_bytes);

    void expect() { waits_ = true; }
    bool is_busy() const { return waits_ || left_ > 0; }
    bool waits() const { return waits_; }  // for a head

    bool open(LetterHead* head);  // whether one is there; its part is read next
    // lent: where the part is; null: it comes with the letter.
    void read_to(unsigned char* part, int64_t bytes, const unsigned char* lent);
    bool pull();  // reads on; whether there was something

private:
    uint64_t there() const;
    bool pull_lent();
    void tell_taken();

    unsigned char* mailbox_ = nullptr;
    uint64_t ring_bytes_ = 0;
    uint64_t took_ = 0;
    bool waits_ = false;
    unsigned char* part_ = nullptr;
    const unsigned char* lent_ = nullptr;
    int64_t left_ = 0;
};

// This process's mailboxes.
class OwnMailboxes {
public:
    OwnMailboxes(bool wanted, int32_t count);
    OwnMailboxes(const OwnMailboxes&) = delete;
    OwnMailboxes& operator=(const OwnMailboxes&) = delete;

    bool are_there() const { return file_.is_open(); }
    MailboxAddress address() const;
    Inbox inbox(int32_t mailbox) const;

private:
    bool fill(int32_t count);
    unsigned char* at(int32_t mailbox) const;

    Descriptor file_;
    int64_t ring_bytes_ = 0;
    uint64_t nonce_ = 0;
    SharedPages pages_;
};

}  // namespace ct::gang
