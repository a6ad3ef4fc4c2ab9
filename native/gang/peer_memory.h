// peer_memory.h: parts of an exchange read from the memory of another process of the same machine.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ct::gang {

// Where a process says who it is, and which exchange's parts stay as they are.
struct Loan {
    uint64_t nonce;
    std::atomic<uint64_t> exchange;  // 0: none
};

// What a peer is told of it.
struct LoanAddress {
    int64_t pid;
    uint64_t loan;  // 0: none may be read
    uint64_t nonce;
};

// This process's memory, as far as peers read it.
class OwnMemory {
public:
    explicit OwnMemory(bool lends);
    ~OwnMemory();
    OwnMemory(const OwnMemory&) = delete;
    OwnMemory& operator=(const OwnMemory&) = delete;

    bool lends() const { return loan_ != nullptr; }
    LoanAddress address() const;
    void lend(uint64_t exchange);
    void take_back();  // what is written afterwards, no peer takes for a part

private:
    Loan* loan_ = nullptr;
};

// A peer's memory. Each function gives 0, or the errno of why not.
class PeerMemory {
public:
    int open(const LoanAddress& address);  // EPERM: a container or its host forbids it
    bool is_open() const { return peer_.loan != 0; }
    int read(void* to, uint64_t from, size_t bytes) const;

    // After the last read. ESRCH: the process is another one; ECANCELED: the parts may have changed meanwhile.
    int check(uint64_t exchange) const;

private:
    LoanAddress peer_{};
};

}  // namespace ct::gang
