// sanitizer.h: what the runtime tells AddressSanitizer and ThreadSanitizer about fibers and memory. In a plain build
// every function here is empty.
//
// The runtime's own files are compiled without ThreadSanitizer, so that what the scheduler does is no access of the
// fiber it runs in; simt/CMakeLists.txt sets SIMT_RUNTIME_UNDER_TSAN for them.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define SIMT_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || defined(SIMT_RUNTIME_UNDER_TSAN)
#define SIMT_TSAN 1
#include <sanitizer/tsan_interface.h>
extern "C" {
void __tsan_read16(void* address);
void __tsan_write16(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#else
#define SIMT_TSAN 0
#endif

// For functions that touch memory which is poisoned for kernels.
#define SIMT_NO_ASAN __attribute__((no_sanitize_address))

namespace simt {

inline void poison([[maybe_unused]] const void* begin, [[maybe_unused]] size_t bytes) {
#if SIMT_ASAN
    __asan_poison_memory_region(begin, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* begin, [[maybe_unused]] size_t bytes) {
#if SIMT_ASAN
    __asan_unpoison_memory_region(begin, bytes);
#endif
}

// What this fiber did so far happens before what another one does after its acquire of the same token.
inline void release([[maybe_unused]] const void* token) {
#if SIMT_TSAN
    __tsan_release(const_cast<void*>(token));
#endif
}

inline void acquire([[maybe_unused]] const void* token) {
#if SIMT_TSAN
    __tsan_acquire(const_cast<void*>(token));
#endif
}

// While one lives, memory that the runtime allocates, moves and frees (ThreadSanitizer intercepts that) is no access of
// the fiber that it happens in.
struct Untracked {
#if SIMT_TSAN
    Untracked() {
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~Untracked() {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    }
#else
    Untracked() {}
    ~Untracked() {}
#endif
    Untracked(const Untracked&) = delete;
    Untracked& operator=(const Untracked&) = delete;
};

// An access of 16 bytes by the calling fiber at the caller's line, for what the runtime does on a kernel's behalf.
// Always inlined: the sanitizers report the frame that the call is in.
__attribute__((always_inline)) inline void note_read([[maybe_unused]] const void* address) {
#if SIMT_TSAN
    __tsan_read16(const_cast<void*>(address));
#elif SIMT_ASAN
    (void)*static_cast<const volatile uint64_t*>(address);
    (void)*(static_cast<const volatile uint64_t*>(address) + 1);
#endif
}

__attribute__((always_inline)) inline void note_write([[maybe_unused]] void* address) {
#if SIMT_TSAN
    __tsan_write16(address);
#endif
}

}  // namespace simt
