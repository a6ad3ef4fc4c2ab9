// gpu.h: the one dialect of CUDA C++ that kernels are written in. A kernel's .cu file includes this header and is
// compiled twice: by nvcc into libcortado_cuda.so (gpu/gpu_cuda.h gives the bodies) and by the host compiler into
// libcortado_simt.so (simt/gpu_simt.h: every CUDA thread a fiber).
//
// Rules of the dialect
//   - No asm, no <<<>>>, no __shared__, no cooperative_groups, no cuda_*.h: what is missing is added here, with two
//     bodies. threadIdx, blockIdx, blockDim, gridDim (x, y, z), __global__, __device__, __forceinline__, __restrict__,
//     __launch_bounds__, __syncthreads() and the functions below are all there is. Atomics are integer only.
//   - All shared memory is one structure per kernel: `Shared& s = gpu::shared<Shared>();`, its size given at
//     the launch. Under simt it is filled with NaN before each block and what follows it is poisoned.
//   - A kernel takes one trivially copyable argument of at most gpu::kMaxArgumentBytes.
//   - Memory that an asynchronous copy writes may be read only after the wait that covers it AND the barrier that makes
//     other threads' copies visible; simt keeps it poisoned until then and delivers at a moment its seed chooses.
//   - Warp operations take the full mask unless the name says otherwise; all 32 lanes must be there.
//   - Indices into tensors are int64_t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/backend.h"

namespace gpu {

using ct::bf16;
using ct::e4m3;
using ct::f16;
using ct::LaunchContext;

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullMask = 0xffffffffu;
inline constexpr size_t kMaxArgumentBytes = 384;

struct alignas(16) Vec16 {
    uint32_t x, y, z, w;
};

struct LaunchShape {
    int64_t blocks_x = 1;
    int32_t blocks_y = 1;
    int32_t blocks_z = 1;
    int32_t threads = 128;     // of a block, one-dimensional
    int64_t shared_bytes = 0;  // sizeof(Shared), or more where its last member is an array of run-time length
    bool co_resident = false;  // blocks wait for each other: all must run at once (cooperative launch)
    bool overlap = true;       // programmatic dependent launch; the kernel calls gpu::wait_for_previous() first
};

// Defined by both bodies. In a .cu file's host part:
//   return GPU_LAUNCH(context, shape, kernel<Template>, arguments);      // gives a ct_status
// An empty grid (blocks 0) launches nothing and is CT_OK.

}  // namespace gpu

#if defined(__CUDACC__)
#include "gpu/gpu_cuda.h"
#else
#include "simt/gpu_simt.h"
#endif

// The functions of both bodies, all in namespace gpu and __device__:
//
// Shared memory, order and identity
//   template <typename S> S& shared();               the block's shared memory, 1024-byte aligned
//   int lane();                                      threadIdx.x % 32
//   int warp();                                      threadIdx.x / 32
//   void wait_for_previous();                        griddepcontrol.wait: before the first read of what earlier
//                                                    kernels wrote, and before the first write
//   void launch_next();                              griddepcontrol.launch_dependents
//   void barrier(int id, int threads);               named barrier, id 1..15, threads a multiple of 32
//   void sync_warp(unsigned mask = kFullMask);
//   bool elect();                                    true in one lane of the (converged) warp
//   void fence();                                    __threadfence
//
// Warp exchange (T of 4 or 8 bytes)
//   T shuffle(T v, int source_lane);  T shuffle_xor(T v, int mask);  T shuffle_up(T, int); T shuffle_down(T, int);
//   unsigned ballot(bool);  bool any(bool);  bool all(bool);
//   float warp_sum(float); float warp_max(float); int warp_sum(int); xor butterfly 16, 8, 4, 2, 1: every lane the same
//
// Memory
//   Vec16 load16(const void*);  Vec16 load16_once(const void*) (streamed, not kept in L1);  void store16(void*, Vec16);
//   T load_relaxed/acquire(const T*), store_release(T*, T)             T: uint32_t, int32_t, uint64_t
//   uint32_t/int32_t/uint64_t atomic_add(T*, T), atomic_max, atomic_min, atomic_exchange, atomic_cas(T*, T expected,
//   T desired): relaxed, device scope, global or shared memory; uint32_t atomic_add_acq_rel(uint32_t*, uint32_t)
//
// Asynchronous copies to shared memory (both sides 16-byte aligned)
//   void copy_async16(void* shared, const void* global);               cp.async.cg 16
//   void copy_async16_or_zero(void* shared, const void* global, bool valid);   zeros where not valid; global not read
//   void copy_async_commit();  template <int Pending> void copy_async_wait();
//
// mbarrier (uint64_t in shared memory) and bulk copies, for sm_90 siblings; simt runs them, older GPUs must not
//   void mbarrier_init(uint64_t*, uint32_t count);  void mbarrier_arrive(uint64_t*);
//   void mbarrier_arrive_expect(uint64_t*, uint32_t bytes);  void mbarrier_wait(uint64_t*, uint32_t phase_parity);
//   void copy_bulk(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier);   cp.async.bulk: multiples
//                                                    of 16 bytes
//
// Tensor cores. Fragments as PTX ISA defines them for mma.m16n8k16 / m16n8k32 (A row-major, B column-major).
//   void load_matrix_x4(uint32_t (&d)[4], const void* row);   ldmatrix: lane i gives the address of row i % 8 of matrix
//   void load_matrix_x2(uint32_t (&d)[2], const void* row);     i / 8, 16 bytes each, 16-byte aligned, shared memory
//   void load_matrix_x4_transposed / _x2_transposed           ldmatrix.trans
//   void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);   d += a b, m16n8k16
//   void mma_f16 (float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
//   void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);   m16n8k32, sm_89 and later
//   void mma_s8  (int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]); m16n8k32
//
// Numbers
//   float to_float(bf16 | f16 | e4m3 | float);  T from_float<T>(float): nearest even; NaN stays NaN, e4m3 saturates
//   uint32_t pack_bf16(float low, float high);  uint32_t pack_f16(float low, float high);  and their inverses
//   void unpack_bf16(uint32_t, float& low, float& high);  void unpack_f16(uint32_t, float& low, float& high);
//   uint32_t fma_bf16x2(uint32_t a, uint32_t b, uint32_t c);  a b + c of both, rounded once (simt: twice, by float32)
//   uint32_t e4m3x2_to_bf16x2(uint16_t);  uint32_t e4m3x2_to_f16x2(uint16_t);   exact
//   float exp2(float) (ex2.approx.ftz on the GPU), exp, log (of double too), rsqrt, sqrt, tanh, fma, max, min (the other
//   operand where one is NaN), abs, floor, is_nan, infinity(), nan(), float_bits, bits_float; int ceil_div(int64_t,
//   int64_t) forms
//   uint32_t multiply_high(uint32_t, uint32_t)
