// memory.h: how much memory this process may have.
#pragma once

#include <cstdint>
#include <string>

namespace ct {

struct HostMemory {
    int64_t total;      // the machine's, or the least limit of the process's control groups
    int64_t available;  // of it, without swapping: what the kernel can take back at once counts as available
};

// root: before /proc and /sys, for tests. Zeros where nothing can be read.
HostMemory host_memory(const std::string& root = "");

}  // namespace ct
