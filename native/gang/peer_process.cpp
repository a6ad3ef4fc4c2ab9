// peer_process.cpp: processes watched by pidfd (Linux 5.3 and later).
#include "gang/peer_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace ct::gang {

int PeerProcess::open(int64_t pid) {
    const long file = syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0);
    if (file < 0) return errno;
    file_ = Descriptor(static_cast<int>(file));
    return 0;
}

bool PeerProcess::has_ended() const {
    pollfd watched{file_.file(), POLLIN, 0};
    return file_.is_open() && poll(&watched, 1, 0) > 0;
}

}  // namespace ct::gang
