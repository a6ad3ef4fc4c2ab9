// lent_memory.cpp: what a process lends begins behind a head that tells peers whose it is.
#include "gang/lent_memory.h"

#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

namespace ct::gang {

namespace {

constexpr int64_t kHeadBytes = 64 << 10;  // a page of memory, or several

}  // namespace

int LendableMemory::make(int64_t bytes, bool is_shared, uint64_t nonce) {
    int64_t all = 0;
    if (__builtin_add_overflow(bytes, kHeadBytes, &all)) return ENOMEM;
    const auto size = static_cast<size_t>(all);
    if (is_shared) file_ = shared_file("cortado-lent", size);
    const int error = file_.is_open() ? pages_.map(file_.file(), 0, size) : pages_.map_own(size);
    if (error == 0) std::memcpy(pages_.at(0), &nonce, sizeof nonce);
    return error;
}

unsigned char* LendableMemory::start() const { return pages_.at(static_cast<size_t>(kHeadBytes)); }

Place LendableMemory::place_of(const unsigned char* part, int64_t bytes) const {
    const unsigned char* end = pages_.at(pages_.bytes());
    const std::less<const unsigned char*> before;
    if (!file_.is_open() || before(part, start()) || !before(part, end) || end - part < bytes) return kNowhere;
    return {file_.file(), part - pages_.at(0)};
}

void BorrowedMemory::of(int64_t pid, uint64_t nonce) { other_ = {pid, -1, nonce}; }

const unsigned char* BorrowedMemory::find(const Place& place, int64_t bytes, int* error) {
    const Mapped* found = nullptr;
    for (const Mapped& mapped : mapped_) found = mapped.file == place.file ? &mapped : found;
    if (!found) {
        Mapped mapped{place.file, {}};
        *error = mapped.pages.map_of({other_.pid, place.file, other_.nonce}, 0, 0);
        if (*error != 0) return nullptr;
        found = &mapped_.emplace_back(std::move(mapped));
    }
    const auto size = static_cast<int64_t>(found->pages.bytes());
    if (place.offset < kHeadBytes || place.offset > size || size - place.offset < bytes) {
        *error = EINVAL;
        return nullptr;
    }
    return found->pages.at(static_cast<size_t>(place.offset));
}

}  // namespace ct::gang
