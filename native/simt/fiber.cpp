// fiber.cpp: the context switch of x86-64 System V and the stacks.
#include "simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

// The return is a jump through a register: lanes of a warp mostly go on at the same place, which the processor's
// indirect predictor learns and its return stack cannot.
asm(R"(
.text
.p2align 4
.globl simt_switch_stack
.hidden simt_switch_stack
.type simt_switch_stack, @function
simt_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
.size simt_switch_stack, . - simt_switch_stack
)");

extern "C" void simt_switch_stack(void** save, void* to);

namespace simt {

namespace {

constexpr size_t kGuardBytes = 4096;
constexpr size_t kStackBytes = (SIMT_ASAN || SIMT_TSAN ? 256 : 64) * 1024;
constexpr size_t kSlotBytes = kGuardBytes + kStackBytes;
constexpr size_t kChunkStacks = 64;

}  // namespace

void switch_context(Context& from, Context& to, [[maybe_unused]] bool ends) {
#if SIMT_ASAN
    __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, to.stack_bottom, to.stack_bytes);
#endif
#if SIMT_TSAN
    __tsan_switch_to_fiber(to.tsan_fiber, __tsan_switch_to_fiber_no_sync);
#endif
    simt_switch_stack(&from.stack_pointer, to.stack_pointer);
#if SIMT_ASAN
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

void enter_fiber([[maybe_unused]] Context& thread) {
#if SIMT_ASAN
    const void* bottom = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
    // The first fiber of a thread is entered from the thread's own stack, later ones from other fibers as well.
    if (!thread.stack_bottom) {
        thread.stack_bottom = bottom;
        thread.stack_bytes = bytes;
    }
#endif
}

void start_context(Context& context, void (*entry)()) {
    char* top = static_cast<char*>(const_cast<void*>(context.stack_bottom)) + context.stack_bytes;  // 16-byte aligned
    // The last fiber here never returned from its outermost frames.
    constexpr size_t kOutermostBytes = 8192;
    unpoison(top - kOutermostBytes, kOutermostBytes);
    void** stack = reinterpret_cast<void**>(top);
    *--stack = nullptr;                              // where a return address would be: unwinders stop here
    *--stack = reinterpret_cast<void*>(entry);       // popped into rcx
    for (int i = 0; i < 6; ++i) *--stack = nullptr;  // the saved registers
    context.stack_pointer = static_cast<void*>(stack);
    context.fake_stack = nullptr;
}

bool StackPool::take(Context& context, size_t index) {
    while (index >= stacks_.size()) {
        if (!grow()) return false;
    }
    // Tops at one distance from a page's start would all fall into the same few sets of the first-level cache.
    constexpr size_t kColours = 16, kColourBytes = 256;
    context.stack_bottom = stacks_[index].bottom;
    context.stack_bytes = kStackBytes - index % kColours * kColourBytes;
    context.tsan_fiber = stacks_[index].tsan_fiber;
    return true;
}

bool StackPool::grow() {
    void* chunk = mmap(nullptr, kChunkStacks * kSlotBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (chunk == MAP_FAILED) return false;
    chunks_.push_back(static_cast<unsigned char*>(chunk));
    for (size_t i = 0; i < kChunkStacks; ++i) {
        unsigned char* slot = chunks_.back() + i * kSlotBytes;
        if (mprotect(slot, kGuardBytes, PROT_NONE) != 0) return false;
        Stack stack{slot + kGuardBytes, nullptr};
#if SIMT_TSAN
        stack.tsan_fiber = __tsan_create_fiber(0);
#endif
        stacks_.push_back(stack);
    }
    return true;
}

void StackPool::clear() {
#if SIMT_TSAN
    // What abandoned fibers did happens before what this thread does next: switches that synchronise say so.
    void* self = __tsan_get_current_fiber();
    for (Stack& stack : stacks_) {
        __tsan_switch_to_fiber(stack.tsan_fiber, 0);
        __tsan_switch_to_fiber(self, 0);
        __tsan_destroy_fiber(stack.tsan_fiber);
    }
#endif
    stacks_.clear();
    for (unsigned char* chunk : chunks_) {
        unpoison(chunk, kChunkStacks * kSlotBytes);
        munmap(chunk, kChunkStacks * kSlotBytes);
    }
    chunks_.clear();
}

}  // namespace simt
