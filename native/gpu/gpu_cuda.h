// gpu_cuda.h: the device bodies of gpu.h for nvcc, the only file with inline PTX. Operations that a GPU lacks do
// nothing where that is right (overlapped launches) and trap where it is not: a kernel's host part chooses by compute
// capability. Not yet run on a GPU.
#pragma once

#include <cuda_runtime.h>

namespace gpu {

// ---- launch (host) -------------------------------------------------------------------------------------------------

// cuda/launch.cu. `what` is the text of the launch, for errors.
int32_t launch_kernel(const LaunchContext& context, const LaunchShape& shape, const char* what, const void* kernel,
                      const void* argument);

template <typename Argument>
int32_t launch(const LaunchContext& context, const LaunchShape& shape, const char* what, void (*kernel)(Argument),
               const std::type_identity_t<Argument>& argument) {
    static_assert(std::is_trivially_copyable_v<Argument>, "a kernel's argument is copied as bytes");
    static_assert(sizeof(Argument) <= kMaxArgumentBytes, "a kernel's argument is at most kMaxArgumentBytes");
    return launch_kernel(context, shape, what, reinterpret_cast<const void*>(kernel), &argument);
}

// Variadic, so that the commas of kernel<A, B> do no harm.
#define GPU_LAUNCH(context, shape, ...) ::gpu::launch((context), (shape), #__VA_ARGS__, __VA_ARGS__)

// ---- shared memory, order and identity -----------------------------------------------------------------------------

template <typename S>
__device__ __forceinline__ S& shared() {
    static_assert(alignof(S) <= 1024, "shared memory starts at a multiple of 1024 bytes");
    extern __shared__ __align__(1024) unsigned char block_shared_memory[];
    return *reinterpret_cast<S*>(block_shared_memory);
}

__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x % 32u); }
__device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x / 32u); }

__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ void launch_next() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ void barrier(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

__device__ __forceinline__ void sync_warp(unsigned mask = kFullMask) { __syncwarp(mask); }

__device__ __forceinline__ bool elect() {
#if __CUDA_ARCH__ >= 900
    uint32_t chosen;
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "elect.sync _|p, 0xffffffff;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}"
        : "=r"(chosen));
    return chosen != 0;
#else
    return lane() == 0;
#endif
}

__device__ __forceinline__ void fence() { __threadfence(); }

// ---- warp exchange -------------------------------------------------------------------------------------------------

namespace detail {

// T as the integer that a shuffle takes.
template <typename T>
using Word = std::conditional_t<sizeof(T) == 4, unsigned, unsigned long long>;

template <typename T, typename Exchange>
__device__ __forceinline__ T exchange(T value, Exchange exchange_word) {
    static_assert((sizeof(T) == 4 || sizeof(T) == 8) && std::is_trivially_copyable_v<T>, "T of 4 or 8 bytes");
    Word<T> word;
    memcpy(&word, &value, sizeof word);
    word = exchange_word(word);
    memcpy(&value, &word, sizeof word);
    return value;
}

}  // namespace detail

template <typename T>
__device__ __forceinline__ T shuffle(T value, int source_lane) {
    return detail::exchange(value, [=](auto word) { return __shfl_sync(kFullMask, word, source_lane); });
}
template <typename T>
__device__ __forceinline__ T shuffle_xor(T value, int mask) {
    return detail::exchange(value, [=](auto word) { return __shfl_xor_sync(kFullMask, word, mask); });
}
template <typename T>
__device__ __forceinline__ T shuffle_up(T value, int distance) {
    return detail::exchange(value, [=](auto word) { return __shfl_up_sync(kFullMask, word, distance); });
}
template <typename T>
__device__ __forceinline__ T shuffle_down(T value, int distance) {
    return detail::exchange(value, [=](auto word) { return __shfl_down_sync(kFullMask, word, distance); });
}

__device__ __forceinline__ unsigned ballot(bool predicate) { return __ballot_sync(kFullMask, predicate); }
__device__ __forceinline__ bool any(bool predicate) { return __any_sync(kFullMask, predicate) != 0; }
__device__ __forceinline__ bool all(bool predicate) { return __all_sync(kFullMask, predicate) != 0; }

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
    for (int mask = kWarp / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
    return value;
}
__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
    for (int mask = kWarp / 2; mask > 0; mask /= 2) value = fmaxf(value, shuffle_xor(value, mask));
    return value;
}
__device__ __forceinline__ int warp_sum(int value) { return __reduce_add_sync(kFullMask, value); }

// ---- memory --------------------------------------------------------------------------------------------------------

__device__ __forceinline__ Vec16 load16(const void* at) {
    const uint4 v = *static_cast<const uint4*>(at);
    return {v.x, v.y, v.z, v.w};
}

// Global memory that no thread of this kernel writes.
__device__ __forceinline__ Vec16 load16_once(const void* at) {
    Vec16 v;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(__cvta_generic_to_global(at)));
    return v;
}

// One instruction in global memory whatever stands beside it: a plain store, where another branch stores single elements
// to the same place, is merged with those and becomes four of 4 bytes. Which memory it is is known when compiled.
__device__ __forceinline__ void store16(void* at, Vec16 v) {
    if (__isShared(at)) {
        *static_cast<uint4*>(at) = {v.x, v.y, v.z, v.w};
    } else {
        asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(at)), "r"(v.x), "r"(v.y),
                     "r"(v.z), "r"(v.w)
                     : "memory");
    }
}

namespace detail {

template <typename T>
inline constexpr bool kIsAtomic =
    std::is_same_v<T, uint32_t> || std::is_same_v<T, int32_t> || std::is_same_v<T, uint64_t>;

// CUDA's atomics know `unsigned long long`, which uint64_t is not on Linux.
template <typename T>
using AtomicWord = std::conditional_t<sizeof(T) == 8, unsigned long long, T>;

template <typename T>
__device__ __forceinline__ AtomicWord<T>* atomic_word(T* at) {
    static_assert(kIsAtomic<T>, "atomics are of uint32_t, int32_t and uint64_t");
    return reinterpret_cast<AtomicWord<T>*>(at);
}

}  // namespace detail

template <typename T>
__device__ __forceinline__ T load_relaxed(const T* at) {
    static_assert(detail::kIsAtomic<T>);
    T value;
    if constexpr (sizeof(T) == 8) {
        asm volatile("ld.relaxed.gpu.u64 %0, [%1];" : "=l"(value) : "l"(at) : "memory");
    } else {
        asm volatile("ld.relaxed.gpu.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    }
    return value;
}
template <typename T>
__device__ __forceinline__ T load_acquire(const T* at) {
    static_assert(detail::kIsAtomic<T>);
    T value;
    if constexpr (sizeof(T) == 8) {
        asm volatile("ld.acquire.gpu.u64 %0, [%1];" : "=l"(value) : "l"(at) : "memory");
    } else {
        asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    }
    return value;
}
template <typename T>
__device__ __forceinline__ void store_release(T* at, std::type_identity_t<T> value) {
    static_assert(detail::kIsAtomic<T>);
    if constexpr (sizeof(T) == 8) {
        asm volatile("st.release.gpu.u64 [%0], %1;" ::"l"(at), "l"(value) : "memory");
    } else {
        asm volatile("st.release.gpu.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
    }
}

template <typename T>
__device__ __forceinline__ T atomic_add(T* at, std::type_identity_t<T> value) {
    return atomicAdd(detail::atomic_word(at), value);
}
template <typename T>
__device__ __forceinline__ T atomic_max(T* at, std::type_identity_t<T> value) {
    return atomicMax(detail::atomic_word(at), value);
}
template <typename T>
__device__ __forceinline__ T atomic_min(T* at, std::type_identity_t<T> value) {
    return atomicMin(detail::atomic_word(at), value);
}
template <typename T>
__device__ __forceinline__ T atomic_exchange(T* at, std::type_identity_t<T> value) {
    return atomicExch(detail::atomic_word(at), value);
}
template <typename T>
__device__ __forceinline__ T atomic_cas(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
    return atomicCAS(detail::atomic_word(at), expected, desired);
}

__device__ __forceinline__ uint32_t atomic_add_acq_rel(uint32_t* at, uint32_t value) {
    uint32_t before;
    asm volatile("atom.acq_rel.gpu.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(at), "r"(value) : "memory");
    return before;
}

// ---- asynchronous copies to shared memory --------------------------------------------------------------------------

namespace detail {
__device__ __forceinline__ uint32_t shared_address(const void* at) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(at));
}
}  // namespace detail

__device__ __forceinline__ void copy_async16(void* to, const void* from) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(detail::shared_address(to)),
                 "l"(__cvta_generic_to_global(from))
                 : "memory");
}
__device__ __forceinline__ void copy_async16_or_zero(void* to, const void* from, bool valid) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(detail::shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(valid ? 16 : 0)
                 : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int Pending>
__device__ __forceinline__ void copy_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

// ---- mbarrier and bulk copies --------------------------------------------------------------------------------------

// Also makes the barrier known to the asynchronous copies; the block's other threads need a __syncthreads() after it.
__device__ __forceinline__ void mbarrier_init(uint64_t* mbarrier, uint32_t count) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(detail::shared_address(mbarrier)), "r"(count) : "memory");
#if __CUDA_ARCH__ >= 900
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

__device__ __forceinline__ void mbarrier_arrive(uint64_t* mbarrier) {
    [[maybe_unused]] uint64_t state;
    asm volatile("mbarrier.arrive.shared.b64 %0, [%1];"
                 : "=l"(state)
                 : "r"(detail::shared_address(mbarrier))
                 : "memory");
}

__device__ __forceinline__ void mbarrier_arrive_expect(uint64_t* mbarrier, uint32_t bytes) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(detail::shared_address(mbarrier)),
                 "r"(bytes)
                 : "memory");
#else
    __trap();
#endif
}

__device__ __forceinline__ void mbarrier_wait(uint64_t* mbarrier, uint32_t phase_parity) {
    const uint32_t address = detail::shared_address(mbarrier);
    uint32_t reached;
    do {
        asm volatile(
            "{\n"
            ".reg .pred p;\n"
#if __CUDA_ARCH__ >= 900
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
#else
            "mbarrier.test_wait.parity.shared.b64 p, [%1], %2;\n"
#endif
            "selp.u32 %0, 1, 0, p;\n"
            "}"
            : "=r"(reached)
            : "r"(address), "r"(phase_parity)
            : "memory");
    } while (reached == 0);
}

__device__ __forceinline__ void copy_bulk(void* to, const void* from, uint32_t bytes, uint64_t* mbarrier) {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     detail::shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(detail::shared_address(mbarrier))
                 : "memory");
#else
    __trap();
#endif
}

// ---- tensor cores --------------------------------------------------------------------------------------------------

// Volatile without "memory": they stay behind the barrier that made the rows visible, and ordinary loads stay free.

__device__ __forceinline__ void load_matrix_x4(uint32_t (&d)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(detail::shared_address(row)));
}
__device__ __forceinline__ void load_matrix_x2(uint32_t (&d)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(d[0]), "=r"(d[1])
                 : "r"(detail::shared_address(row)));
}
__device__ __forceinline__ void load_matrix_x4_transposed(uint32_t (&d)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(detail::shared_address(row)));
}
__device__ __forceinline__ void load_matrix_x2_transposed(uint32_t (&d)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(d[0]), "=r"(d[1])
                 : "r"(detail::shared_address(row)));
}

__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 890
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
}
__device__ __forceinline__ void mma_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// ---- numbers -------------------------------------------------------------------------------------------------------

// What core/numbers.h calls in device code. PTX has no 8-bit registers: e4m3 come in pairs.
namespace convert {

__device__ __forceinline__ uint16_t bf16_bits(float value) {
    uint16_t bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
__device__ __forceinline__ uint16_t f16_bits(float value) {
    uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
__device__ __forceinline__ float f16_value(uint16_t bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
__device__ __forceinline__ uint8_t e4m3_bits(float value) {
#if __CUDA_ARCH__ >= 890
    uint16_t pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(value));
    return static_cast<uint8_t>(pair & 0xffu);
#else
    __trap();
    return 0;
#endif
}

}  // namespace convert

using ct::bits_float;
using ct::float_bits;
using ct::from_float;
using ct::to_float;

__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
__device__ __forceinline__ uint32_t pack_f16(float low, float high) {
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
__device__ __forceinline__ void unpack_bf16(uint32_t pair, float& low, float& high) {
    low = bits_float(pair << 16);
    high = bits_float(pair & 0xffff0000u);
}
__device__ __forceinline__ void unpack_f16(uint32_t pair, float& low, float& high) {
    low = convert::f16_value(static_cast<uint16_t>(pair & 0xffffu));
    high = convert::f16_value(static_cast<uint16_t>(pair >> 16));
}

__device__ __forceinline__ uint32_t fma_bf16x2(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t d;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

namespace detail {

// The two bytes in the low halves of the two 16-bit words.
__device__ __forceinline__ uint32_t spread(uint16_t pair) {
    return (pair & 0xffu) | (static_cast<uint32_t>(pair & 0xff00u) << 8);
}
// 0x0080 in the words whose byte is NaN (0x7f, 0xff).
__device__ __forceinline__ uint32_t nan_words(uint32_t words) {
    return ((words & 0x007f007fu) + 0x00010001u) & 0x00800080u;
}

}  // namespace detail

// Exponent and fraction move to their place in the wider word, whose exponent then lacks the difference of the biases:
// an exact product by that power of two mends it, and makes subnormals normal.
__device__ __forceinline__ uint32_t e4m3x2_to_bf16x2(uint16_t pair) {
    const uint32_t words = detail::spread(pair);
    const uint32_t nan = detail::nan_words(words);
    const uint32_t moved = ((words & 0x00800080u) << 8) | ((words & 0x007f007fu) << 4);
    // moved * 2^120 - 0; sm_80 has the fma and not the product
    const uint32_t scaled = fma_bf16x2(moved, 0x7b807b80u, 0x80008000u);
    return scaled | (nan * 0xffu) | (nan >> 1);  // 0x7fc0
}

__device__ __forceinline__ uint32_t e4m3x2_to_f16x2(uint16_t pair) {
#if __CUDA_ARCH__ >= 890
    uint32_t words;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(words) : "h"(pair));
    return words;
#else
    const uint32_t words = detail::spread(pair);
    const uint32_t nan = detail::nan_words(words);
    const uint32_t moved = ((words & 0x00800080u) << 8) | ((words & 0x007f007fu) << 7);
    uint32_t scaled;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(scaled) : "r"(moved), "r"(0x5c005c00u));  // 2^8
    return scaled | (nan * 0xfcu);                                                  // 0x7e00
#endif
}

__device__ __forceinline__ float exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
__device__ __forceinline__ float exp(float x) { return expf(x); }
__device__ __forceinline__ float log(float x) { return logf(x); }
__device__ __forceinline__ double log(double x) { return ::log(x); }
__device__ __forceinline__ float rsqrt(float x) { return rsqrtf(x); }
__device__ __forceinline__ float sqrt(float x) { return sqrtf(x); }
__device__ __forceinline__ float tanh(float x) { return tanhf(x); }
__device__ __forceinline__ float fma(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ float max(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ float min(float a, float b) { return fminf(a, b); }
__device__ __forceinline__ float abs(float x) { return fabsf(x); }
__device__ __forceinline__ float floor(float x) { return floorf(x); }
__device__ __forceinline__ bool is_nan(float x) { return x != x; }
__device__ __forceinline__ float infinity() { return bits_float(0x7f800000u); }
__device__ __forceinline__ float nan() { return bits_float(0x7fc00000u); }
__device__ __forceinline__ uint32_t multiply_high(uint32_t a, uint32_t b) { return __umulhi(a, b); }

template <typename A, typename B>
__host__ __device__ constexpr std::common_type_t<A, B> ceil_div(A a, B b) {
    return (a + b - 1) / b;
}

}  // namespace gpu
