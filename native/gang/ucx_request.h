// ucx_request.h: tags, parameters and clocks of UCX's requests. Included only where UCX's headers are (CORTADO_UCX).
#pragma once

#include <time.h>

#include <cstdint>
#include <string>

#include "gang/ucx_library.h"

namespace ct::gang {

// A tag: the exchange from bit 16, its kind from bit 48, below them the sender's rank. Above them what a message is:
constexpr int kKindShift = 48;
constexpr uint64_t kMailsBit = uint64_t{1} << 56;   // the sender's later parts come into the receiver's mailbox
constexpr uint64_t kNoticeBit = uint64_t{1} << 63;  // of a failure, or of leaving
constexpr uint64_t kAnyPart = ~(uint64_t{0xff} << kKindShift | kMailsBit);

constexpr int64_t kMillisecond = 1'000'000;

inline uint64_t tag_of(uint64_t exchange, int32_t kind, int32_t rank) {
    return static_cast<uint64_t>(kind) << kKindShift | (exchange & 0xffffffff) << 16 | static_cast<uint64_t>(rank);
}

inline int32_t rank_of(ucp_tag_t tag) { return static_cast<int32_t>(tag & 0xffff); }
inline int32_t kind_of(ucp_tag_t tag) { return static_cast<int32_t>(tag >> kKindShift & 0xff); }

// Parameters of a request; flags: of ucp_op_attr_t.
inline ucp_request_param_t request_param(uint32_t flags = 0) {
    ucp_request_param_t param{};
    param.op_attr_mask = flags;
    return param;
}

inline int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

inline int64_t after(int64_t ns) {
    int64_t at = 0;
    return __builtin_add_overflow(now_ns(), ns, &at) ? INT64_MAX : at;
}

inline std::string number(int64_t value) { return std::to_string(value); }

}  // namespace ct::gang
