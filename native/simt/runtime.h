// runtime.h: what gpu_simt.h asks of the runtime. Called from fibers only; every Site is the kernel's line.
#pragma once

#include "simt/block.h"

namespace simt {

// ---- barriers and order --------------------------------------------------------------------------------------------

void wait_at_barrier(int id, int threads, Site site);  // id 0: __syncthreads
void sync_warp(uint32_t mask, Site site);
void fence();
void wait_for_previous();  // here, because kernels' accesses are watched and a fiber serves one thread after another

// Before an atomic operation that may be one of many in a loop that waits: lets others run now and then.
void poll(Site site);
// After one that changed memory: whoever polls may have got what it waits for.
void note_progress();
// Around a relaxed atomic operation: with fences it orders, which ThreadSanitizer does not see by itself.
void note_relaxed_atomic(const void* address);

// ---- warp collectives ----------------------------------------------------------------------------------------------

uint64_t shuffle(uint64_t value, uint32_t source_lane, Site site);
uint32_t ballot(bool vote, Site site);
float warp_sum(float value, Site site);
float warp_max(float value, Site site);
int32_t warp_sum(int32_t value, Site site);
bool elect(Site site);

// Each lane's 16 bytes are a row of an 8x8 matrix of 16-bit elements; d gets the fragments of `count` matrices.
void distribute_rows(uint32_t* d, int count, bool transposed, Vector16 row, Site site);

enum class MmaType : uint8_t { kBf16, kF16, kE4m3, kS8 };
void mma(MmaType type, void* d, const uint32_t* a, const uint32_t* b, Site site);

// ---- memory --------------------------------------------------------------------------------------------------------

void* shared_memory(size_t bytes, Site site);

[[noreturn, gnu::cold]] void raise_misaligned(const void* address, const char* what, Site site);
inline void check_aligned(const void* address, const char* what, Site site) {
    if ((reinterpret_cast<uintptr_t>(address) & 15) != 0) [[unlikely]]
        raise_misaligned(address, what, site);
}
// [address, address + bytes) lies in the block's shared memory and is aligned to 16 bytes.
void check_shared(const void* address, size_t bytes, const char* what, Site site);

// cp.async. The destination is NaN (and poisoned) until the data land; from is null for zeros.
void issue_copy(void* to, const void* from);
void commit_copies();
// Lands the next copy that a wait for all but `pending` groups covers and gives its destination; null: none is left.
void* land_next_copy(uint32_t pending);

void mbarrier_init(uint64_t* mbarrier, uint32_t count, Site site);
void mbarrier_arrive(uint64_t* mbarrier, uint32_t expect_bytes, Site site);
void mbarrier_wait(uint64_t* mbarrier, uint32_t parity, Site site);
void issue_bulk_copy(void* to, const void* from, uint32_t bytes, uint64_t* mbarrier, Site site);

}  // namespace simt
