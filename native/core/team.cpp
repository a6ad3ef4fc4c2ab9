// team.cpp: the threads that work on one operation together.
//
// A run is published as a ticket (epoch, next part) in one 64-bit word. A thread takes a part by compare-and-swap on
// the whole word, so a thread that wakes up late, after its run has ended, finds another epoch or no part left and
// touches nothing; the run does not wait for threads that are still asleep.
#include <cstdlib>
#include <thread>
#include <vector>

#include "core/core.h"
#include "core/signal.h"

namespace ct {

struct Team::State {
    struct Scratch {
        void* memory = nullptr;
        size_t bytes = 0;
    };

    alignas(64) std::atomic<uint64_t> ticket{0};  // epoch << 32 | next part
    std::atomic<uint32_t> num_parts{0};
    std::atomic<Erased> body{nullptr};
    std::atomic<const void*> context{nullptr};
    std::atomic<int64_t> base{0};  // part of ticket 0
    alignas(64) std::atomic<uint32_t> finished{0};
    std::atomic<bool> stop{false};
    Signal start;
    Signal end;
    std::vector<Scratch> scratch;
    std::vector<std::thread> threads;

    // Takes parts of the current run until none is left; returns the epoch that it saw.
    uint32_t work(int thread) {
        uint64_t seen = ticket.load(std::memory_order_acquire);
        for (;;) {
            uint32_t part = static_cast<uint32_t>(seen);
            uint32_t total = num_parts.load(std::memory_order_relaxed);
            Erased call = body.load(std::memory_order_relaxed);
            const void* closure = context.load(std::memory_order_relaxed);
            int64_t first = base.load(std::memory_order_relaxed);
            if (part >= total) return static_cast<uint32_t>(seen >> 32);
            // Success means that no run has begun since `seen`, so the four values above belong to it.
            if (ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
                call(closure, first + part, thread);
                if (finished.fetch_add(1, std::memory_order_acq_rel) + 1 == total) end.notify();
                seen = ticket.load(std::memory_order_acquire);
            }
        }
    }

    void loop(int thread) {
        uint32_t epoch = 0;
        for (;;) {
            start.wait([&] {
                return stop.load(std::memory_order_acquire) ||
                       static_cast<uint32_t>(ticket.load(std::memory_order_acquire) >> 32) != epoch;
            });
            if (stop.load(std::memory_order_acquire)) return;
            epoch = work(thread);
        }
    }

    void run(int64_t first, uint32_t total, Erased call, const void* closure) {
        uint32_t epoch = static_cast<uint32_t>(ticket.load(std::memory_order_relaxed) >> 32) + 1;
        // Closes the old epoch before its values change: no compare-and-swap on it can succeed any more.
        ticket.store(uint64_t{epoch} << 32 | UINT32_MAX, std::memory_order_seq_cst);
        finished.store(0, std::memory_order_relaxed);
        num_parts.store(total, std::memory_order_release);
        body.store(call, std::memory_order_release);
        context.store(closure, std::memory_order_release);
        base.store(first, std::memory_order_release);
        ticket.store(uint64_t{epoch + 1} << 32, std::memory_order_seq_cst);
        start.notify();
        work(0);
        end.wait([&] { return finished.load(std::memory_order_acquire) == total; });
    }
};

Team::Team(int num_threads) : state_(new State) {
    try {
        state_->scratch.resize(static_cast<size_t>(num_threads));
        for (int i = 1; i < num_threads; ++i) {
            state_->threads.emplace_back([state = state_, i] { state->loop(i); });
        }
    } catch (...) {
        this->~Team();
        throw;
    }
}

Team::~Team() {
    state_->stop.store(true, std::memory_order_release);
    state_->start.notify();
    for (std::thread& thread : state_->threads) thread.join();
    for (State::Scratch& scratch : state_->scratch) std::free(scratch.memory);
    delete state_;
}

int Team::size() const { return static_cast<int>(state_->scratch.size()); }

void Team::run_erased(int64_t num_parts, Erased body, const void* context) {
    if (size() == 1 || num_parts == 1) {
        for (int64_t part = 0; part < num_parts; ++part) body(context, part, 0);
        return;
    }
    constexpr int64_t kMost = int64_t{1} << 31;
    for (int64_t first = 0; first < num_parts; first += kMost) {
        int64_t total = num_parts - first < kMost ? num_parts - first : kMost;
        state_->run(first, static_cast<uint32_t>(total), body, context);
    }
}

void* Team::scratch(int thread, size_t bytes) {
    State::Scratch& scratch = state_->scratch[static_cast<size_t>(thread)];
    if (scratch.bytes < bytes) {
        size_t rounded = (bytes + 4095) / 4096 * 4096;
        std::free(scratch.memory);
        scratch.memory = nullptr;
        scratch.bytes = 0;
        // Linux grants address space freely and small sizes always; there is no way to report a failure from inside an
        // operation, so a machine without the last few kilobytes ends here.
        if (posix_memalign(&scratch.memory, 64, rounded) != 0) std::abort();
        scratch.bytes = rounded;
    }
    return scratch.memory;
}

}  // namespace ct
