// fiber.h: a stack and the place where it stopped. Switching costs a few nanoseconds: six registers and a jump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/sanitizer.h"

namespace simt {

// Where a fiber, or the thread that runs fibers, goes on.
struct Context {
    void* stack_pointer = nullptr;
    const void* stack_bottom = nullptr;
    size_t stack_bytes = 0;
    void* fake_stack = nullptr;  // AddressSanitizer's
    void* tsan_fiber = nullptr;
};

// Leaves `from`, which goes on when something switches to it. ends: it never will.
void switch_context(Context& from, Context& to, bool ends = false);

// The first thing that a fiber does; `thread` learns where the OS thread's own stack lies.
void enter_fiber(Context& thread);

// Prepares a context to call entry(), which must not return.
void start_context(Context& context, void (*entry)());

// Stacks with a guard page below each, kept for the next block.
class StackPool {
public:
    StackPool() = default;
    ~StackPool() { clear(); }
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;

    // The stack (and ThreadSanitizer's fiber) of number `index`; false where the machine gives no more memory.
    bool take(Context& context, size_t index);

    // Unmaps all: after a failure, frames of abandoned kernels lie on the stacks.
    void clear();

private:
    bool grow();
    struct Stack {
        unsigned char* bottom;
        void* tsan_fiber;
    };
    std::vector<unsigned char*> chunks_;
    std::vector<Stack> stacks_;
};

}  // namespace simt
