// peer_memory.cpp: parts read by process_vm_readv: one copy, where UCX's own buffers take two.
//
// A process id alone is not enough: the process may have ended, and another one have its id. So a reader looks for a
// random number at an address that it was told, in a page that a forked child has not got; and for the exchange, which
// the owner takes away before it may write to the parts again.
#include "gang/peer_memory.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ct::gang {

OwnMemory::OwnMemory(bool lends) {
    if (!lends) return;
    void* page = mmap(nullptr, sizeof(Loan), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    uint64_t nonce = 0;
    if (madvise(page, sizeof(Loan), MADV_WIPEONFORK) != 0 || getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) {
        munmap(page, sizeof(Loan));
        return;
    }
    loan_ = new (page) Loan{nonce, {0}};
}

OwnMemory::~OwnMemory() {
    if (loan_) munmap(loan_, sizeof(Loan));
}

LoanAddress OwnMemory::address() const {
    if (!loan_) return {getpid(), 0, 0};
    return {getpid(), reinterpret_cast<uint64_t>(loan_), loan_->nonce};
}

void OwnMemory::lend(uint64_t exchange) {
    if (loan_) loan_->exchange.store(exchange, std::memory_order_release);
}

void OwnMemory::take_back() {
    if (!loan_) return;
    loan_->exchange.store(0, std::memory_order_relaxed);
    __sync_synchronize();  // what the caller writes next is not seen before it
}

int PeerMemory::open(const LoanAddress& address) {
    if (address.loan == 0) return EPERM;
    peer_ = address;
    const int error = check(0);
    if (error != 0) peer_ = {};
    return error;
}

int PeerMemory::read(void* to, uint64_t from, size_t bytes) const {
    const iovec local{to, bytes};
    iovec remote{nullptr, bytes};
    static_assert(sizeof from == sizeof remote.iov_base);
    std::memcpy(static_cast<void*>(&remote.iov_base), &from, sizeof from);  // no pointer of this process
    const ssize_t read = process_vm_readv(static_cast<pid_t>(peer_.pid), &local, 1, &remote, 1, 0);
    if (read < 0) return errno;
    return static_cast<size_t>(read) == bytes ? 0 : EFAULT;
}

int PeerMemory::check(uint64_t exchange) const {
    uint64_t loan[2];
    static_assert(sizeof loan == sizeof(Loan));
    if (const int error = read(loan, peer_.loan, sizeof loan); error != 0) return error;
    if (loan[0] != peer_.nonce) return ESRCH;
    return exchange == 0 || loan[1] == exchange ? 0 : ECANCELED;
}

}  // namespace ct::gang
