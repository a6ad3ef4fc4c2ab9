// gpu_simt.h: the host bodies of gpu.h: a CUDA thread is a fiber of the runtime. Included by gpu.h only.
//
// Whatever can wait or go wrong takes the caller's place as its last, defaulted argument. Accesses of memory that the
// kernel makes through these functions are inlined into it, so that a sanitizer names the kernel's line.
#pragma once

#include <bit>

#include "simt/grid.h"
#include "simt/numbers.h"
#include "simt/runtime.h"

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#define threadIdx (static_cast<const ::simt::Index3&>(::simt::current->thread_index))
#define blockIdx (static_cast<const ::simt::Index3&>(::simt::current->block->index))
#define blockDim (static_cast<const ::simt::Index3&>(::simt::current->block->dim))
#define gridDim (static_cast<const ::simt::Index3&>(::simt::current->block->grid_dim))

#define GPU_LAUNCH(context, shape, ...) \
    ::simt::launch((context), (shape), #__VA_ARGS__, ::simt::Site::current(), __VA_ARGS__)

inline void __syncthreads(simt::Site site = simt::Site::current()) { simt::wait_at_barrier(0, 0, site); }

namespace simt {

template <typename Argument>
Launch make_launch(const char* expression, Site site, void (*kernel)(Argument),
                   const std::type_identity_t<std::remove_cvref_t<Argument>>& argument) {
    using Value = std::remove_cvref_t<Argument>;
    static_assert(std::is_trivially_copyable_v<Value>, "a kernel's argument is copied as bytes");
    static_assert(sizeof(Value) <= gpu::kMaxArgumentBytes, "a kernel's argument has at most kMaxArgumentBytes");
    static_assert(alignof(Value) <= 16, "a kernel's argument is aligned to at most 16 bytes");
    Launch launch;
    launch.kernel = reinterpret_cast<void (*)()>(kernel);
    launch.invoke = [](const Launch& self) {
        reinterpret_cast<void (*)(Argument)>(self.kernel)(*reinterpret_cast<const Value*>(self.argument));
    };
    launch.expression = expression;
    launch.site = site;
    launch.stream = nullptr;
    std::memcpy(launch.argument, &argument, sizeof argument);
    return launch;
}

template <typename Argument>
int32_t launch(const ct::LaunchContext& context, const gpu::LaunchShape& shape, const char* expression, Site site,
               void (*kernel)(Argument), const std::type_identity_t<std::remove_cvref_t<Argument>>& argument) {
    Launch made = make_launch(expression, site, kernel, argument);
    return enqueue_launch(made, shape, context);
}

// Sixteen bytes of anything.
using AnyVector = uint32_t __attribute__((vector_size(16), may_alias));

}  // namespace simt

namespace gpu {

using simt::Site;
static_assert(kMaxArgumentBytes == simt::kMaxArgumentBytes);

// ---- shared memory, order and identity -----------------------------------------------------------------------------

template <typename S>
inline S& shared(Site site = Site::current()) {
    static_assert(alignof(S) <= 1024, "shared memory is aligned to 1024 bytes");
    return *static_cast<S*>(simt::shared_memory(sizeof(S), site));
}

inline int lane() { return simt::current->lane; }
inline int warp() { return simt::current->warp_number; }

// Kernels of a stream run one after the other here; the runtime checks that one launched with overlap calls it.
inline void wait_for_previous() { simt::wait_for_previous(); }
inline void launch_next() {}

inline void barrier(int id, int threads, Site site = Site::current()) {
    if (id < 1) simt::raise(site, "barrier id=%d must be in [1, 15]", id);
    simt::wait_at_barrier(id, threads, site);
}
inline void sync_warp(unsigned mask = kFullMask, Site site = Site::current()) { simt::sync_warp(mask, site); }
inline bool elect(Site site = Site::current()) { return simt::elect(site); }
inline void fence() { simt::fence(); }

// ---- warp exchange -------------------------------------------------------------------------------------------------

template <typename T>
inline T shuffle(T value, int source_lane, Site site = Site::current()) {
    static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "T has 4 or 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = simt::shuffle(bits, static_cast<uint32_t>(source_lane), site);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
template <typename T>
inline T shuffle_xor(T value, int mask, Site site = Site::current()) {
    return gpu::shuffle(value, lane() ^ mask, site);
}
// A lane without a source keeps its own value.
template <typename T>
inline T shuffle_up(T value, int distance, Site site = Site::current()) {
    return gpu::shuffle(value, lane() - distance >= 0 ? lane() - distance : lane(), site);
}
template <typename T>
inline T shuffle_down(T value, int distance, Site site = Site::current()) {
    return gpu::shuffle(value, lane() + distance < kWarp ? lane() + distance : lane(), site);
}

inline unsigned ballot(bool vote, Site site = Site::current()) { return simt::ballot(vote, site); }
inline bool any(bool vote, Site site = Site::current()) { return simt::ballot(vote, site) != 0; }
inline bool all(bool vote, Site site = Site::current()) { return simt::ballot(vote, site) == kFullMask; }
inline float warp_sum(float value, Site site = Site::current()) { return simt::warp_sum(value, site); }
inline float warp_max(float value, Site site = Site::current()) { return simt::warp_max(value, site); }
inline int warp_sum(int value, Site site = Site::current()) { return simt::warp_sum(value, site); }

// ---- memory --------------------------------------------------------------------------------------------------------

__forceinline__ Vec16 load16(const void* from, Site site = Site::current()) {
    simt::check_aligned(from, "load16", site);
    return std::bit_cast<Vec16>(*static_cast<const simt::AnyVector*>(from));
}
__forceinline__ Vec16 load16_once(const void* from, Site site = Site::current()) {
    simt::check_aligned(from, "load16_once", site);
    return std::bit_cast<Vec16>(*static_cast<const simt::AnyVector*>(from));
}
__forceinline__ void store16(void* to, Vec16 value, Site site = Site::current()) {
    simt::check_aligned(to, "store16", site);
    *static_cast<simt::AnyVector*>(to) = std::bit_cast<simt::AnyVector>(value);
}

template <typename T>
inline constexpr bool kAtomicType =
    std::is_same_v<T, uint32_t> || std::is_same_v<T, int32_t> || std::is_same_v<T, uint64_t>;

template <typename T>
__forceinline__ T load_relaxed(const T* from, Site site = Site::current()) {
    static_assert(kAtomicType<T>);
    simt::poll(site);
    T value = __atomic_load_n(from, __ATOMIC_RELAXED);
    simt::note_relaxed_atomic(from);
    return value;
}
template <typename T>
__forceinline__ T load_acquire(const T* from, Site site = Site::current()) {
    static_assert(kAtomicType<T>);
    simt::poll(site);
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}
template <typename T>
__forceinline__ void store_release(T* to, std::type_identity_t<T> value) {
    static_assert(kAtomicType<T>);
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
    simt::note_progress();  // whoever polls for it gets further
}

// Body is one atomic operation that gives the old value; it is progress where the new one differs.
template <typename T, typename Body>
__forceinline__ T atomic_operation(const T* at, Site site, const Body& body) {
    static_assert(kAtomicType<T>);
    simt::poll(site);
    simt::note_relaxed_atomic(at);
    T old = body();
    if (__atomic_load_n(at, __ATOMIC_RELAXED) != old) simt::note_progress();
    return old;
}

template <typename T>
__forceinline__ T atomic_add(T* to, std::type_identity_t<T> value, Site site = Site::current()) {
    return atomic_operation(to, site, [&] { return __atomic_fetch_add(to, value, __ATOMIC_RELAXED); });
}
template <typename T>
__forceinline__ T atomic_exchange(T* to, std::type_identity_t<T> value, Site site = Site::current()) {
    return atomic_operation(to, site, [&] { return __atomic_exchange_n(to, value, __ATOMIC_RELAXED); });
}
template <typename T>
__forceinline__ T atomic_cas(T* to, std::type_identity_t<T> expected, std::type_identity_t<T> desired,
                             Site site = Site::current()) {
    return atomic_operation(to, site, [&] {
        __atomic_compare_exchange_n(to, &expected, desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        return expected;
    });
}
template <typename T>
__forceinline__ T atomic_max(T* to, std::type_identity_t<T> value, Site site = Site::current()) {
    return atomic_operation(to, site, [&] {
        T old = __atomic_load_n(to, __ATOMIC_RELAXED);
        while (old < value && !__atomic_compare_exchange_n(to, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        }
        return old;
    });
}
template <typename T>
__forceinline__ T atomic_min(T* to, std::type_identity_t<T> value, Site site = Site::current()) {
    return atomic_operation(to, site, [&] {
        T old = __atomic_load_n(to, __ATOMIC_RELAXED);
        while (old > value && !__atomic_compare_exchange_n(to, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        }
        return old;
    });
}
__forceinline__ uint32_t atomic_add_acq_rel(uint32_t* to, uint32_t value, Site site = Site::current()) {
    simt::poll(site);
    if (value != 0) simt::note_progress();
    return __atomic_fetch_add(to, value, __ATOMIC_ACQ_REL);
}

// ---- asynchronous copies -------------------------------------------------------------------------------------------

__forceinline__ void copy_async16_or_zero(void* shared, const void* global, bool valid, Site site = Site::current()) {
    simt::check_shared(shared, 16, "copy_async16", site);
    if (valid) {
        simt::check_aligned(global, "copy_async16", site);
        simt::note_read(global);
    }
    simt::note_write(shared);
    simt::issue_copy(shared, valid ? global : nullptr);
}
__forceinline__ void copy_async16(void* shared, const void* global, Site site = Site::current()) {
    copy_async16_or_zero(shared, global, true, site);
}
inline void copy_async_commit() { simt::commit_copies(); }

// The data belong to this thread from here on: a thread that did not synchronise with it since races with the write.
template <int Pending>
__forceinline__ void copy_async_wait() {
    static_assert(Pending >= 0);
    while (void* landed = simt::land_next_copy(Pending)) simt::note_write(landed);
}

inline void mbarrier_init(uint64_t* mbarrier, uint32_t count, Site site = Site::current()) {
    simt::mbarrier_init(mbarrier, count, site);
}
inline void mbarrier_arrive(uint64_t* mbarrier, Site site = Site::current()) {
    simt::mbarrier_arrive(mbarrier, 0, site);
}
inline void mbarrier_arrive_expect(uint64_t* mbarrier, uint32_t bytes, Site site = Site::current()) {
    simt::mbarrier_arrive(mbarrier, bytes, site);
}
inline void mbarrier_wait(uint64_t* mbarrier, uint32_t phase_parity, Site site = Site::current()) {
    simt::mbarrier_wait(mbarrier, phase_parity, site);
}
__forceinline__ void copy_bulk(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier,
                               Site site = Site::current()) {
    if (bytes % 16 != 0) simt::raise(site, "copy_bulk: bytes=%u must be a multiple of 16", bytes);
    simt::check_shared(shared, bytes, "copy_bulk", site);
    simt::check_aligned(global, "copy_bulk", site);
    for (uint32_t at = 0; at < bytes; at += 16) {
        simt::note_read(static_cast<const char*>(global) + at);
        simt::note_write(static_cast<char*>(shared) + at);
    }
    simt::issue_bulk_copy(shared, global, bytes, mbarrier, site);
}

// ---- tensor cores --------------------------------------------------------------------------------------------------

// A lane reads the row that it gives the address of when it arrives, so that the access is its own.
template <bool Transposed, int Count>
__forceinline__ void load_matrix(uint32_t (&d)[Count], const void* row, Site site) {
    simt::Vector16 values{};
    if (lane() < Count * 8) {
        simt::check_shared(row, 16, "load_matrix", site);
        values = std::bit_cast<simt::Vector16>(*static_cast<const simt::AnyVector*>(row));
    }
    simt::distribute_rows(d, Count, Transposed, values, site);
}
__forceinline__ void load_matrix_x4(uint32_t (&d)[4], const void* row, Site site = Site::current()) {
    load_matrix<false>(d, row, site);
}
__forceinline__ void load_matrix_x2(uint32_t (&d)[2], const void* row, Site site = Site::current()) {
    load_matrix<false>(d, row, site);
}
__forceinline__ void load_matrix_x4_transposed(uint32_t (&d)[4], const void* row, Site site = Site::current()) {
    load_matrix<true>(d, row, site);
}
__forceinline__ void load_matrix_x2_transposed(uint32_t (&d)[2], const void* row, Site site = Site::current()) {
    load_matrix<true>(d, row, site);
}

inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site = Site::current()) {
    simt::mma(simt::MmaType::kBf16, d, a, b, site);
}
inline void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site = Site::current()) {
    simt::mma(simt::MmaType::kF16, d, a, b, site);
}
inline void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site = Site::current()) {
    simt::mma(simt::MmaType::kE4m3, d, a, b, site);
}
inline void mma_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site = Site::current()) {
    simt::mma(simt::MmaType::kS8, d, a, b, site);
}

}  // namespace gpu
