// peer_process.cpp: processes watched by pidfd (Linux 5.3 and later).
#include "gang/peer_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ct::gang {

PeerProcess::~PeerProcess() {
    if (file_ >= 0) ::close(file_);
}

PeerProcess::PeerProcess(PeerProcess&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

PeerProcess& PeerProcess::operator=(PeerProcess&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
}

int PeerProcess::open(int64_t pid) {
    const long file = syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0);
    if (file < 0) return errno;
    PeerProcess opened;
    opened.file_ = static_cast<int>(file);
    *this = std::move(opened);
    return 0;
}

bool PeerProcess::has_ended() const {
    pollfd watched{file_, POLLIN, 0};
    return file_ >= 0 && poll(&watched, 1, 0) > 0;
}

}  // namespace ct::gang
