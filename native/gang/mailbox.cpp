// mailbox.cpp: rings in memory without a name (memfd), which a peer opens through /proc. That asks for less than
// process_vm_readv: the same user suffices, without CAP_SYS_PTRACE.
//
// A process id and a descriptor alone are not enough: the process may have ended, and another one have its id. So a
// peer looks for a random number in what it has opened.
#include "gang/mailbox.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace ct::gang {

namespace {

// A ring that holds a whole part spares the two processes waiting for one another; one that does not fit the cache
// beside others costs more than it spares. Together the rings of a process take at most kRingsBytes.
constexpr uint64_t kMostRingBytes = 2 << 20;
constexpr uint64_t kRingsBytes = 32 << 20;
constexpr uint64_t kLeastRingBytes = 64 << 10;

constexpr int64_t kPieceBytes = 64 << 10;  // what one process copies before the other sees it
constexpr uint64_t kLetterAlignment = 64;  // a head lies in one piece
constexpr size_t kRingOffset = 64 << 10;   // a page of memory, or several

int64_t stride(int64_t ring_bytes) { return static_cast<int64_t>(kRingOffset) + ring_bytes; }

uint64_t aligned(uint64_t bytes) { return (bytes + kLetterAlignment - 1) / kLetterAlignment * kLetterAlignment; }

Mailbox* mailbox_at(unsigned char* start) { return std::launder(reinterpret_cast<Mailbox*>(start)); }

// A file descriptor that is closed.
struct Descriptor {
    int file;
    ~Descriptor() {
        if (file >= 0) ::close(file);
    }
};

}  // namespace

// ---- pages ---------------------------------------------------------------------------------------------------------

SharedPages::~SharedPages() {
    if (start_) munmap(start_, bytes_);
}

SharedPages::SharedPages(SharedPages&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

SharedPages& SharedPages::operator=(SharedPages&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

int SharedPages::map(int file, int64_t offset, size_t bytes) {
    void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, offset);
    if (start == MAP_FAILED) return errno;
    SharedPages mapped;
    mapped.start_ = static_cast<unsigned char*>(start);
    mapped.bytes_ = bytes;
    *this = std::move(mapped);
    return 0;
}

// ---- the writer ----------------------------------------------------------------------------------------------------

int Outbox::open(const MailboxAddress& address, int32_t mailbox) {
    const auto ring_bytes = static_cast<uint64_t>(address.ring_bytes);
    if (address.file < 0) return EPERM;
    if (!std::has_single_bit(ring_bytes) || ring_bytes < kLeastRingBytes || ring_bytes > kMostRingBytes) return EINVAL;
    const std::string path = "/proc/" + std::to_string(address.pid) + "/fd/" + std::to_string(address.file);
    const Descriptor opened{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    if (opened.file < 0) return errno;
    const int64_t offset = mailbox * stride(address.ring_bytes);
    const int64_t end = offset + stride(address.ring_bytes);
    struct stat file{};
    if (fstat(opened.file, &file) != 0) return errno;
    if (!S_ISREG(file.st_mode) || file.st_size < end) return ESRCH;
    SharedPages pages;
    const int error = pages.map(opened.file, offset, static_cast<size_t>(end - offset));
    if (error != 0) return error;
    if (mailbox_at(pages.at(0))->nonce != address.nonce) return ESRCH;
    pages_ = std::move(pages);
    ring_bytes_ = ring_bytes;
    return 0;
}

void Outbox::post(const LetterHead& head, const unsigned char* part) {
    head_ = head;
    part_ = part;
    left_ = head.bytes;
    waits_ = true;
}

// Less than nothing where the reader has not come past what fills the last line of a letter.
int64_t Outbox::room() const {
    const uint64_t took = mailbox_at(pages_.at(0))->took.load(std::memory_order_acquire);
    return static_cast<int64_t>(ring_bytes_ - (wrote_ - took));
}

bool Outbox::push() {
    int64_t room = this->room();
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

void Inbox::read_to(unsigned char* part, int64_t bytes) {
    part_ = part;
    left_ = bytes;
    took_ += sizeof(LetterHead);
    if (left_ == 0) tell_taken();
}

bool Inbox::pull() {
    if (left_ == 0) return false;
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

// ---- a process's own -----------------------------------------------------------------------------------------------

OwnMailboxes::OwnMailboxes(bool wanted, int32_t count) {
    if (!wanted) return;
    const int file = memfd_create("cortado-mailboxes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return;
    if (fill(file, count)) {
        file_ = file;
    } else {
        ::close(file);
    }
}

bool OwnMailboxes::fill(int file, int32_t count) {
    const uint64_t share = std::bit_floor(kRingsBytes / static_cast<uint64_t>(count));
    ring_bytes_ = static_cast<int64_t>(std::clamp(share, kLeastRingBytes, kMostRingBytes));
    const int64_t bytes = count * stride(ring_bytes_);
    // Sealed: it never becomes shorter, where an access would be a fault.
    if (ftruncate(file, bytes) != 0 || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) != 0) return false;
    if (getrandom(&nonce_, sizeof nonce_, 0) != sizeof nonce_) return false;
    if (pages_.map(file, 0, static_cast<size_t>(bytes)) != 0) return false;
    for (int32_t i = 0; i < count; ++i) new (at(i)) Mailbox{nonce_, {0}, {0}};
    return true;
}

OwnMailboxes::~OwnMailboxes() {
    if (file_ >= 0) ::close(file_);
}

MailboxAddress OwnMailboxes::address() const { return {getpid(), file_, ring_bytes_, nonce_}; }

unsigned char* OwnMailboxes::at(int32_t mailbox) const {
    return pages_.at(static_cast<size_t>(mailbox * stride(ring_bytes_)));
}

Inbox OwnMailboxes::inbox(int32_t mailbox) const { return file_ < 0 ? Inbox() : Inbox(at(mailbox), ring_bytes_); }

}  // namespace ct::gang
