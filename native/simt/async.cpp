// async.cpp: copies whose data land later. Until then the destination holds NaN, and under AddressSanitizer is
// poisoned until the wait that covers the copy. With seed 0 data land as late as they may; with another one at random
// moments between issue and wait.
#include <emmintrin.h>

#include "simt/runtime.h"

namespace simt {

namespace {

// These two write where kernels must not look yet.
SIMT_NO_ASAN void copy_bytes(void* to, const void* from, size_t bytes) {
    auto* target = static_cast<__m128i*>(to);
    const auto* source = static_cast<const __m128i*>(from);
    for (size_t i = 0; i < bytes / 16; ++i) {
        _mm_store_si128(target + i, source ? _mm_load_si128(source + i) : _mm_setzero_si128());
    }
}

SIMT_NO_ASAN void fill_nan(void* to, size_t bytes) {
    auto* target = static_cast<__m128i*>(to);
    for (size_t i = 0; i < bytes / 16; ++i) _mm_store_si128(target + i, _mm_set1_epi32(-1));
}

void land(Fiber& fiber, AsyncCopy& copy) {
    if (copy.landed) return;
    copy_bytes(copy.to, copy.from, 16);
    copy.landed = true;
    --fiber.copies_in_flight;
}

}  // namespace

void check_shared(const void* address, size_t bytes, const char* what, Site site) {
    check_aligned(address, what, site);
    const Arena& arena = current->block->arena;
    if (arena.holds(address, bytes)) return;
    raise(site, "%s: [%p, +%zu) is not in the block's shared memory, [%p, +%zu)", what, address, bytes,
          static_cast<void*>(arena.memory()), arena.bytes());
}

void raise_misaligned(const void* address, const char* what, Site site) {
    raise(site, "%s: address %p is not a multiple of 16", what, address);
}

void* shared_memory(size_t bytes, Site site) {
    Arena& arena = current->block->arena;
    if (bytes > arena.bytes()) {
        raise(site, "shared memory: the kernel's structure has %zu bytes, the launch gave %zu", bytes, arena.bytes());
    }
    return arena.memory();
}

// ---- cp.async ------------------------------------------------------------------------------------------------------

void issue_copy(void* to, const void* from) {
    Fiber& self = *current;
    fill_nan(to, 16);
    poison(to, 16);
    Untracked untracked;
    self.copies.push_back({to, from, self.copy_group, false});
    ++self.copies_in_flight;
    if (self.block->shuffled) land_some_copies();
}

void commit_copies() {
    ++current->copy_group;
    land_some_copies();
}

void* land_next_copy(uint32_t pending) {
    Untracked untracked;
    Fiber& self = *current;
    if (self.copies_done == self.copies.size()) {
        self.copies.clear();
        self.copies_done = 0;
        return nullptr;
    }
    AsyncCopy& copy = self.copies[self.copies_done];
    if (copy.group + pending >= self.copy_group) {
        self.copies.erase(self.copies.begin(), self.copies.begin() + static_cast<std::ptrdiff_t>(self.copies_done));
        self.copies_done = 0;
        return nullptr;
    }
    land(self, copy);
    unpoison(copy.to, 16);
    ++self.copies_done;
    return copy.to;
}

void land_some_copies() {
    Fiber& self = *current;
    Block& block = *self.block;
    if (!block.shuffled) return;
    if (self.copies_in_flight != 0) {
        for (AsyncCopy& copy : self.copies) {
            if (!copy.landed && block.random.one_in(4)) land(self, copy);
        }
    }
    if (!block.bulk_copies.empty() && block.random.one_in(4)) land_bulk_copy(block);
}

void drop_copies(Block& block) {
    for (int i = 0; i < block.num_threads; ++i) {
        Fiber& fiber = block.fibers[i];
        fiber.copies.clear();
        fiber.copies_done = 0;
        fiber.copies_in_flight = 0;
    }
    block.bulk_copies.clear();
    block.mbarrier_waiters.clear();
}

// ---- mbarrier ------------------------------------------------------------------------------------------------------

namespace {

// The object in shared memory, all of it: bits 0-19 arrivals still missing, 20-39 arrivals of a phase, 40-61 bytes
// still to come (signed), 62 the phase's parity; bit 63 is clear, so that NaN fill is no mbarrier.
struct State {
    uint32_t pending;
    uint32_t count;
    int32_t bytes;
    uint32_t parity;
};

constexpr uint32_t kMaxCount = (1u << 20) - 1;
constexpr int32_t kMaxBytes = (1 << 20) - 1;

State unpack(uint64_t word) {
    auto bytes = static_cast<int32_t>(word >> 40 & 0x3fffff);
    if (bytes >= 1 << 21) bytes -= 1 << 22;
    return {static_cast<uint32_t>(word & kMaxCount), static_cast<uint32_t>(word >> 20 & kMaxCount), bytes,
            static_cast<uint32_t>(word >> 62 & 1)};
}

uint64_t pack(const State& state) {
    return state.pending | uint64_t{state.count} << 20 |
           (static_cast<uint64_t>(static_cast<uint32_t>(state.bytes)) & 0x3fffff) << 40 | uint64_t{state.parity} << 62;
}

void check_mbarrier(const uint64_t* mbarrier, Site site) {
    if ((reinterpret_cast<uintptr_t>(mbarrier) & 7) == 0 && current->block->arena.holds(mbarrier, 8)) return;
    raise(site, "mbarrier: address %p is not a multiple of 8 in the block's shared memory",
          static_cast<const void*>(mbarrier));
}

State read(const uint64_t* mbarrier, Site site) {
    check_mbarrier(mbarrier, site);
    if (*mbarrier >> 63) raise(site, "mbarrier: it is used before mbarrier_init");
    return unpack(*mbarrier);
}

void store(uint64_t* mbarrier, State state, Block& block) {
    if (state.pending == 0 && state.bytes == 0) {
        state.parity ^= 1;
        state.pending = state.count;
        std::vector<Fiber*>& waiters = block.mbarrier_waiters;
        for (size_t i = 0; i < waiters.size();) {
            Fiber& fiber = *waiters[i];
            if (fiber.mbarrier != mbarrier || fiber.mbarrier_parity == state.parity) {
                ++i;
                continue;
            }
            block.make_ready(fiber);
            waiters[i] = waiters.back();
            waiters.pop_back();
        }
        block.runner->idle_polls = 0;
    }
    *mbarrier = pack(state);
}

}  // namespace

void mbarrier_init(uint64_t* mbarrier, uint32_t count, Site site) {
    check_mbarrier(mbarrier, site);
    if (count < 1 || count > kMaxCount) raise(site, "mbarrier: count=%u must be in [1, %u]", count, kMaxCount);
    *mbarrier = pack({count, count, 0, 0});
}

void mbarrier_arrive(uint64_t* mbarrier, uint32_t expect_bytes, Site site) {
    State state = read(mbarrier, site);
    if (state.pending == 0) raise(site, "mbarrier: more than %u arrivals in one phase", state.count);
    if (expect_bytes > static_cast<uint32_t>(kMaxBytes) ||
        state.bytes + static_cast<int32_t>(expect_bytes) > kMaxBytes) {
        raise(site, "mbarrier: %u bytes expected, beyond the limit of %d", expect_bytes, kMaxBytes);
    }
    release(mbarrier);
    state.bytes += static_cast<int32_t>(expect_bytes);
    --state.pending;
    store(mbarrier, state, *current->block);
    land_some_copies();
}

void mbarrier_wait(uint64_t* mbarrier, uint32_t parity, Site site) {
    Fiber& self = *current;
    land_some_copies();
    if (read(mbarrier, site).parity == (parity & 1)) {
        self.site = site;
        self.wait = Wait::kMbarrier;
        self.mbarrier = mbarrier;
        self.mbarrier_parity = parity & 1;
        {
            Untracked untracked;
            self.block->mbarrier_waiters.push_back(&self);
        }
        run_others();
        self.wait = Wait::kNothing;
    }
    acquire(mbarrier);
}

void issue_bulk_copy(void* to, const void* from, uint32_t bytes, uint64_t* mbarrier, Site site) {
    check_mbarrier(mbarrier, site);
    if (*mbarrier >> 63) raise(site, "mbarrier: it is used before mbarrier_init");
    release(mbarrier);
    fill_nan(to, bytes);
    poison(to, bytes);
    Untracked untracked;
    current->block->bulk_copies.push_back(
        {static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), bytes, mbarrier});
    land_some_copies();
}

bool land_bulk_copy(Block& block) {
    if (block.bulk_copies.empty()) return false;
    size_t chosen = block.shuffled ? block.random.next() % block.bulk_copies.size() : 0;
    BulkCopy copy = block.bulk_copies[chosen];
    Untracked untracked;
    block.bulk_copies.erase(block.bulk_copies.begin() + static_cast<std::ptrdiff_t>(chosen));
    unpoison(copy.to, copy.bytes);
    copy_bytes(copy.to, copy.from, copy.bytes);
    State state = unpack(*copy.mbarrier);
    state.bytes -= static_cast<int32_t>(copy.bytes);
    store(copy.mbarrier, state, block);
    return true;
}

}  // namespace simt
