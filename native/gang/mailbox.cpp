// mailbox.cpp: rings in shared pages.
#include "gang/mailbox.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace ct::gang {

namespace {

// A ring that holds a whole part spares the two processes waiting for one another; one that does not fit the cache
// beside others costs more than it spares. Together the rings of a process take at most kRingsBytes.
constexpr uint64_t kMostRingBytes = 2 << 20;
constexpr uint64_t kRingsBytes = 32 << 20;
constexpr uint64_t kLeastRingBytes = 64 << 10;

constexpr int64_t kPieceBytes = 64 << 10;       // what one process copies before the other sees it
constexpr int64_t kLentPieceBytes = 256 << 10;  // before a process looks at others
constexpr uint64_t kLetterAlignment = 64;       // a head lies in one piece
constexpr size_t kRingOffset = 64 << 10;        // a page of memory, or several

int64_t stride(int64_t ring_bytes) { return static_cast<int64_t>(kRingOffset) + ring_bytes; }

uint64_t aligned(uint64_t bytes) { return (bytes + kLetterAlignment - 1) / kLetterAlignment * kLetterAlignment; }

Mailbox* mailbox_at(unsigned char* start) { return std::launder(reinterpret_cast<Mailbox*>(start)); }

}  // namespace

// ---- the writer ----------------------------------------------------------------------------------------------------

int Outbox::open(const MailboxAddress& address, int32_t mailbox) {
    const auto ring_bytes = static_cast<uint64_t>(address.ring_bytes);
    if (address.file < 0) return EPERM;
    if (!std::has_single_bit(ring_bytes) || ring_bytes < kLeastRingBytes || ring_bytes > kMostRingBytes) return EINVAL;
    const auto bytes = static_cast<size_t>(stride(address.ring_bytes));
    SharedPages pages;
    const int error =
        pages.map_of({address.pid, address.file, address.nonce}, mailbox * stride(address.ring_bytes), bytes);
    if (error != 0) return error;
    pages_ = std::move(pages);
    ring_bytes_ = ring_bytes;
    return 0;
}

void Outbox::post(const LetterHead& head, const unsigned char* part) {
    head_ = head;
    part_ = part;
    lends_ = head.lends();
    left_ = lends_ ? 0 : head.bytes;
    waits_ = true;
}

uint64_t Outbox::unread() const { return wrote_ - mailbox_at(pages_.at(0))->took.load(std::memory_order_acquire); }

bool Outbox::push() {
    if (waits_ || left_ > 0) return write();
    if (unread() > 0) return false;
    lends_ = false;
    return true;
}

bool Outbox::write() {
    // Less than nothing where the reader has not come past what fills the last line of a letter.
    auto room = static_cast<int64_t>(ring_bytes_ - unread());
    if (room < static_cast<int64_t>(kLetterAlignment)) return false;
    unsigned char* ring = pages_.at(kRingOffset);
    if (waits_) {
        std::memcpy(ring + wrote_ % ring_bytes_, &head_, sizeof head_);
        wrote_ += sizeof head_;
        room -= static_cast<int64_t>(sizeof head_);
        waits_ = false;
    }
    const uint64_t at = wrote_ % ring_bytes_;
    const int64_t bytes = std::min({left_, room, kPieceBytes, static_cast<int64_t>(ring_bytes_ - at)});
    if (bytes > 0) std::memcpy(ring + at, part_, static_cast<size_t>(bytes));
    part_ += bytes;
    left_ -= bytes;
    wrote_ += static_cast<uint64_t>(bytes);
    if (left_ == 0) wrote_ = aligned(wrote_);
    mailbox_at(pages_.at(0))->wrote.store(wrote_, std::memory_order_release);
    return true;
}

// ---- the reader ----------------------------------------------------------------------------------------------------

Inbox::Inbox(unsigned char* mailbox, int64_t ring_bytes)
    : mailbox_(mailbox), ring_bytes_(static_cast<uint64_t>(ring_bytes)) {}

uint64_t Inbox::there() const { return mailbox_at(mailbox_)->wrote.load(std::memory_order_acquire) - took_; }

void Inbox::tell_taken() {
    if (left_ == 0) took_ = aligned(took_);
    mailbox_at(mailbox_)->took.store(took_, std::memory_order_release);
}

bool Inbox::open(LetterHead* head) {
    if (there() == 0) return false;
    std::memcpy(head, mailbox_ + kRingOffset + took_ % ring_bytes_, sizeof *head);
    waits_ = false;
    return true;
}

void Inbox::read_to(unsigned char* part, int64_t bytes, const unsigned char* lent) {
    part_ = part;
    lent_ = lent;
    left_ = bytes;
    took_ += sizeof(LetterHead);
    if (left_ == 0) tell_taken();
}

bool Inbox::pull() {
    if (left_ == 0) return false;
    if (lent_) return pull_lent();
    const uint64_t at = took_ % ring_bytes_;
    const int64_t there = static_cast<int64_t>(std::min<uint64_t>(this->there(), ring_bytes_ - at));
    const int64_t bytes = std::min({left_, there, kPieceBytes});
    if (bytes == 0) return false;
    std::memcpy(part_, mailbox_ + kRingOffset + at, static_cast<size_t>(bytes));
    part_ += bytes;
    left_ -= bytes;
    took_ += static_cast<uint64_t>(bytes);
    tell_taken();
    return true;
}

// The letter is taken when all of its part is read: until then its sender keeps that as it is.
bool Inbox::pull_lent() {
    const int64_t bytes = std::min(left_, kLentPieceBytes);
    std::memcpy(part_, lent_, static_cast<size_t>(bytes));
    part_ += bytes;
    lent_ += bytes;
    left_ -= bytes;
    if (left_ == 0) tell_taken();
    return true;
}

// ---- a process's own -----------------------------------------------------------------------------------------------

OwnMailboxes::OwnMailboxes(bool wanted, int32_t count) {
    if (wanted && !fill(count)) file_ = Descriptor();
}

bool OwnMailboxes::fill(int32_t count) {
    const uint64_t share = std::bit_floor(kRingsBytes / static_cast<uint64_t>(count));
    ring_bytes_ = static_cast<int64_t>(std::clamp(share, kLeastRingBytes, kMostRingBytes));
    const auto bytes = static_cast<size_t>(count * stride(ring_bytes_));
    file_ = shared_file("cortado-mailboxes", bytes);
    if (!file_.is_open()) return false;
    if (getrandom(&nonce_, sizeof nonce_, 0) != sizeof nonce_) return false;
    if (pages_.map(file_.file(), 0, bytes) != 0) return false;
    for (int32_t i = 0; i < count; ++i) new (at(i)) Mailbox{nonce_, {0}, {0}};
    return true;
}

MailboxAddress OwnMailboxes::address() const { return {getpid(), file_.file(), ring_bytes_, nonce_}; }

unsigned char* OwnMailboxes::at(int32_t mailbox) const {
    return pages_.at(static_cast<size_t>(mailbox * stride(ring_bytes_)));
}

Inbox OwnMailboxes::inbox(int32_t mailbox) const { return are_there() ? Inbox(at(mailbox), ring_bytes_) : Inbox(); }

}  // namespace ct::gang
