// shared_pages.h: memory of this process that other processes of the machine may map, and of theirs.
//
// It has no name (memfd); a peer opens it through /proc. That asks for less than process_vm_readv: the same user suffices,
// without CAP_SYS_PTRACE. Nothing is left behind when a process is killed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gang/descriptor.h"

namespace ct::gang {

// Where a process's shared file is. A process id and a descriptor alone are not enough: the process may have ended, and
// another one have its id. So what is mapped begins with a random number that the process has told.
struct SharedFile {
    int64_t pid;
    int64_t file;  // a descriptor there
    uint64_t nonce;
};

// A mapping. Movable.
class SharedPages {
public:
    SharedPages() = default;
    ~SharedPages();
    SharedPages(SharedPages&& other) noexcept;
    SharedPages& operator=(SharedPages&& other) noexcept;
    SharedPages(const SharedPages&) = delete;
    SharedPages& operator=(const SharedPages&) = delete;

    // Each gives 0, or the errno of why not.
    int map(int file, int64_t offset, size_t bytes);
    int map_own(size_t bytes);  // that is not shared
    // From an offset of another process's file on; bytes 0: to its end, to be read only.
    int map_of(const SharedFile& other, int64_t offset, size_t bytes);

    unsigned char* at(size_t offset) const { return start_ + offset; }
    size_t bytes() const { return bytes_; }
    bool is_mapped() const { return start_ != nullptr; }

private:
    int take(void* start, size_t bytes);

    unsigned char* start_ = nullptr;
    size_t bytes_ = 0;
};

// A new file of so many bytes that never becomes shorter, where an access would be a fault. Not open: not permitted.
Descriptor shared_file(const char* name, size_t bytes);

}  // namespace ct::gang
