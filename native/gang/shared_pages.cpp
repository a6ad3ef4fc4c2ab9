// shared_pages.cpp: files without a name, mapped.
#include "gang/shared_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace ct::gang {

Descriptor shared_file(const char* name, size_t bytes) {
    Descriptor made(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const bool is_sealed = made.is_open() && ftruncate(made.file(), static_cast<off_t>(bytes)) == 0 &&
                           fcntl(made.file(), F_ADD_SEALS, F_SEAL_SHRINK) == 0;
    return is_sealed ? std::move(made) : Descriptor();
}

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

int SharedPages::take(void* start, size_t bytes) {
    if (start == MAP_FAILED) return errno;
    SharedPages mapped;
    mapped.start_ = static_cast<unsigned char*>(start);
    mapped.bytes_ = bytes;
    *this = std::move(mapped);
    return 0;
}

int SharedPages::map(int file, int64_t offset, size_t bytes) {
    return take(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, offset), bytes);
}

int SharedPages::map_own(size_t bytes) {
    return take(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes);
}

int SharedPages::map_of(const SharedFile& other, int64_t offset, size_t bytes) {
    const bool writes = bytes > 0;
    const std::string path = "/proc/" + std::to_string(other.pid) + "/fd/" + std::to_string(other.file);
    const Descriptor opened(::open(path.c_str(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK));
    if (!opened.is_open()) return errno;
    struct stat file{};
    if (fstat(opened.file(), &file) != 0) return errno;
    if (!writes && file.st_size > offset) bytes = static_cast<size_t>(file.st_size - offset);
    const bool has_all = bytes >= sizeof other.nonce && file.st_size - offset >= static_cast<off_t>(bytes);
    if (!S_ISREG(file.st_mode) || !has_all) return ESRCH;
    SharedPages pages;
    const int access = writes ? PROT_READ | PROT_WRITE : PROT_READ;
    const int error = pages.take(mmap(nullptr, bytes, access, MAP_SHARED, opened.file(), offset), bytes);
    if (error != 0) return error;
    if (std::memcmp(pages.start_, &other.nonce, sizeof other.nonce) != 0) return ESRCH;
    *this = std::move(pages);
    return 0;
}

}  // namespace ct::gang
