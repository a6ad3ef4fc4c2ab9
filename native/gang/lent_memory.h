// lent_memory.h: memory that a process sends parts from without copying them: a peer on the same machine maps it once and
// copies each part from where it is to where it receives it.
#pragma once

#include <cstdint>
#include <vector>

#include "gang/shared_pages.h"

namespace ct::gang {

// Where a part lies in its sender's memory.
struct Place {
    int64_t file;  // a descriptor there; -1: in none
    int64_t offset;
};

inline constexpr Place kNowhere{-1, 0};

// What one process may lend. Movable.
class LendableMemory {
public:
    // Zeros, on a page of their own. Where sharing is not permitted, or not wanted, it is memory as any other. Gives 0, or
    // the errno of why there is none.
    int make(int64_t bytes, bool is_shared, uint64_t nonce);

    unsigned char* start() const;
    Place place_of(const unsigned char* part, int64_t bytes) const;

private:
    Descriptor file_;
    SharedPages pages_;
};

// What another process lends, mapped when a part of it is first asked for. Movable.
class BorrowedMemory {
public:
    // Whose it is.
    void of(int64_t pid, uint64_t nonce);

    // Null: error is the errno of why it cannot be read.
    const unsigned char* find(const Place& place, int64_t bytes, int* error);

private:
    struct Mapped {
        int64_t file;
        SharedPages pages;
    };

    SharedFile other_{0, -1, 0};
    std::vector<Mapped> mapped_;
};

}  // namespace ct::gang
