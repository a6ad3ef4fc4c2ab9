// signal.h: waiting for a condition that another thread makes true: bounded spin, then futex.
#pragma once

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace ct {

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// A waiter spins for about kSpin before it sleeps: longer than the gap between two operations of a step, shorter than a
// scheduler's time slice.
class Signal {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::microseconds kSpin{50};

    // To be called after the change that the condition looks at. Touches only this object, never the changed one.
    void notify() {
        word_.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_seq_cst) > 0) {
            syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
        }
    }

    template <typename Condition>
    void wait(const Condition& condition) {
        wait_until(Clock::time_point::max(), condition);
    }

    // False if the deadline passed first.
    template <typename Condition>
    bool wait_until(Clock::time_point deadline, const Condition& condition) {
        if (condition()) return true;
        Clock::time_point start = Clock::now();
        Clock::time_point end = deadline - start < kSpin ? deadline : start + kSpin;
        do {
            for (int i = 0; i < 32; ++i) {
                if (condition()) return true;
                pause();
            }
            // Where all cores compute, the thread that has work (the engine's loop) must not wait for this spin to end.
            sched_yield();
        } while (Clock::now() < end);
        return sleep_until(deadline, condition);
    }

private:
    // The sleeper announces itself before it looks at the condition, the notifier looks for sleepers after its change:
    // one of the two sees the other.
    template <typename Condition>
    bool sleep_until(Clock::time_point deadline, const Condition& condition) {
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        bool reached = false;
        for (;;) {
            uint32_t seen = word_.load(std::memory_order_seq_cst);
            if ((reached = condition())) break;
            timespec left{};
            if (deadline != Clock::time_point::max()) {
                auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Clock::now()).count();
                if (nanos <= 0) break;
                left.tv_sec = nanos / 1'000'000'000;
                left.tv_nsec = nanos % 1'000'000'000;
            }
            syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, seen, deadline == Clock::time_point::max() ? nullptr : &left,
                    nullptr, 0);
        }
        sleepers_.fetch_sub(1, std::memory_order_seq_cst);
        return reached;
    }

    alignas(64) std::atomic<uint32_t> word_{0};
    std::atomic<int32_t> sleepers_{0};
};

}  // namespace ct
