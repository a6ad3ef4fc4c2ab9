// peer_process.h: whether another process of this machine has ended.
#pragma once

#include <cstdint>

namespace ct::gang {

// A process by a descriptor of its own: another one that gets its id is not mistaken for it. Movable.
class PeerProcess {
public:
    PeerProcess() = default;
    ~PeerProcess();
    PeerProcess(PeerProcess&& other) noexcept;
    PeerProcess& operator=(PeerProcess&& other) noexcept;
    PeerProcess(const PeerProcess&) = delete;
    PeerProcess& operator=(const PeerProcess&) = delete;

    // Gives 0, or the errno of why not. ESRCH: it has ended; others: it cannot be watched, and never has ended.
    int open(int64_t pid);
    bool has_ended() const;

private:
    int file_ = -1;
};

}  // namespace ct::gang
