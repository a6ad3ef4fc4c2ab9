// mailbox_limits.h: for tests, a process that may not use mailboxes, and how much of its mailboxes was ever used.
#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "tests/testing.h"

namespace testing::ranks {

// As a container's filter of system calls does: a call fails whose argument is this.
inline void forbid(uint32_t call, uint32_t argument, uint32_t value) {
    const auto at = static_cast<uint32_t>(offsetof(seccomp_data, args) + 8 * argument);
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{sizeof code / sizeof *code, code};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

inline void forbid_mailboxes() { forbid(SYS_memfd_create, 1, MFD_CLOEXEC | MFD_ALLOW_SEALING); }
inline void forbid_opening() { forbid(SYS_openat, 2, O_RDWR | O_CLOEXEC | O_NONBLOCK); }

// What of the mailboxes that this process has mapped was ever used.
inline int64_t used_of_mailboxes() {
    std::ifstream maps("/proc/self/smaps");
    int64_t kilobytes = 0;
    bool is_mailbox = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.find('-') < line.find(' ')) is_mailbox = line.find("cortado-mailboxes") != std::string::npos;
        if (is_mailbox && line.starts_with("Rss:")) kilobytes += std::stoll(line.substr(4));
    }
    return kilobytes << 10;
}

}  // namespace testing::ranks
