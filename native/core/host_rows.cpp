// host_rows.cpp: ct_host_copy_rows.
#include <algorithm>
#include <cstring>

#include "core/core.h"

namespace {

constexpr int64_t kLeastShared = 64 << 10;  // bytes that are worth waking threads for
constexpr int64_t kPart = 32 << 10;         // bytes that one thread takes at a time

struct Rows {
    unsigned char* to;
    const unsigned char* from;
    const int64_t* moves;
    int64_t bytes;

    void copy(int64_t begin, int64_t end) const {
        for (int64_t i = begin; i < end; ++i) {
            std::memcpy(to + moves[2 * i], from + moves[2 * i + 1], static_cast<size_t>(bytes));
        }
    }
};

bool fits(int64_t offset, int64_t bytes, int64_t all) { return offset >= 0 && bytes <= all && offset <= all - bytes; }

}  // namespace

extern "C" int32_t ct_host_copy_rows(void* to, int64_t to_bytes, const void* from, int64_t from_bytes,
                                     const int64_t* moves, int64_t num_rows, int64_t row_bytes, ct_device* device) {
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(num_rows >= 0, "num_rows=%lld is negative", static_cast<long long>(num_rows));
    CT_REQUIRE(row_bytes >= 1, "row_bytes=%lld must be at least 1", static_cast<long long>(row_bytes));
    if (num_rows == 0) return ct::ok();
    CT_REQUIRE(to && from && moves, "to, from or moves is null");
    for (int64_t i = 0; i < num_rows; ++i) {
        CT_REQUIRE(fits(moves[2 * i], row_bytes, to_bytes) && fits(moves[2 * i + 1], row_bytes, from_bytes),
                   "row %lld, of row_bytes=%lld from %lld to %lld, is not inside from_bytes=%lld and to_bytes=%lld",
                   static_cast<long long>(i), static_cast<long long>(row_bytes),
                   static_cast<long long>(moves[2 * i + 1]), static_cast<long long>(moves[2 * i]),
                   static_cast<long long>(from_bytes), static_cast<long long>(to_bytes));
    }
    const Rows rows{static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), moves, row_bytes};
    const int64_t each = std::max(int64_t{1}, kPart / row_bytes);
    if (num_rows > each && num_rows >= kLeastShared / row_bytes) {
        const ct::FreeTeam free(device);
        if (ct::Team* team = free.team()) {
            team->run((num_rows + each - 1) / each,
                      [&](int64_t part, int) { rows.copy(part * each, std::min(num_rows, (part + 1) * each)); });
            return ct::ok();
        }
    }
    rows.copy(0, num_rows);
    return ct::ok();
}
