// block.cpp: which fiber runs next, barriers, and the errors that stop a grid.
#include "simt/block.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <string>

#include "simt/grid.h"
#include "simt/runtime.h"

namespace simt {

thread_local Fiber* current = nullptr;

// ---- choosing ------------------------------------------------------------------------------------------------------

Fiber* Block::take_lane(Warp& warp, uint32_t start) {
    uint32_t lane =
        (static_cast<uint32_t>(std::countr_zero(std::rotr(warp.ready, static_cast<int>(start)))) + start) & 31;
    warp.ready &= ~(1u << lane);
    if (warp.ready == 0) ready_warps &= ~(1u << warp.number);
    last_warp = static_cast<int32_t>(warp.number);
    return warp.fibers[lane];
}

Fiber* Block::take_ready(Warp* warp) {
    uint32_t start = shuffled ? static_cast<uint32_t>(random.next()) : 0;
    if (warp && warp->ready != 0) return take_lane(*warp, start & 31);
    if (ready_warps == 0) return nullptr;
    uint32_t first = shuffled ? (start >> 5) & 31 : 0;
    uint32_t chosen =
        (static_cast<uint32_t>(std::countr_zero(std::rotr(ready_warps, static_cast<int>(first)))) + first) & 31;
    return take_lane(warps[chosen], start & 31);
}

Fiber* Block::take_turn() {
    if (ready_warps == 0) return nullptr;
    auto next = static_cast<uint32_t>(last_warp + 1) & 31;
    uint32_t chosen =
        (static_cast<uint32_t>(std::countr_zero(std::rotr(ready_warps, static_cast<int>(next)))) + next) & 31;
    Warp& warp = warps[chosen];
    // Each warp's lanes in turn as well.
    uint32_t start = (warp.turn + 1) & 31;
    Fiber* fiber = take_lane(warp, start);
    warp.turn = static_cast<uint32_t>(fiber->lane);
    return fiber;
}

Fiber* Runner::take_ready(Block* block, Warp* warp) {
    if (Fiber* fiber = block->take_ready(warp)) return fiber;
    for (size_t i = 0; i < blocks.size(); ++i) {
        turn = turn + 1 < blocks.size() ? turn + 1 : 0;
        if (Fiber* fiber = blocks[turn]->take_ready(nullptr)) return fiber;
    }
    return nullptr;
}

namespace {

void resume(Fiber& self, Fiber& next, bool ends) {
    if (&self == &next) return;
    current = &next;
    switch_context(self, next, ends);
}

[[noreturn]] void leave_grid(Fiber& self) {
    current = nullptr;
    switch_context(self, self.block->runner->thread, true);
    __builtin_unreachable();
}

// Text without memory of the heap: the frames below a raise are abandoned, and so would be what they own.
struct Text {
    char characters[640] = "";
    size_t size = 0;

    [[gnu::format(printf, 2, 3)]] Text& add(const char* format, ...) {
        va_list arguments;
        va_start(arguments, format);
        int added = std::vsnprintf(characters + size, sizeof characters - size, format, arguments);
        va_end(arguments);
        size = std::min(size + static_cast<size_t>(added), sizeof characters - 1);
        return *this;
    }

    Text& add_lanes(uint32_t lanes) {
        const char* between = "";
        for (int lane = 0; lane < kLanes; ++lane) {
            if (!(lanes >> lane & 1)) continue;
            int first = lane;
            while (lane + 1 < kLanes && (lanes >> (lane + 1) & 1)) ++lane;
            add("%s%d", between, first);
            if (first != lane) add("-%d", lane);
            between = ",";
        }
        return *this;
    }

    Text& add_place(Site site) { return add("%s:%u", file_of(site), site.line()); }

    Text& add_wait(const Fiber& fiber) {
        switch (fiber.wait) {
            case Wait::kNothing:
                add("running, last");
                break;
            case Wait::kBarrier:
                add("at barrier %d,", fiber.barrier);
                break;
            case Wait::kCollective:
                add("at a warp collective,");
                break;
            case Wait::kSyncWarp:
                add("at sync_warp,");
                break;
            case Wait::kMbarrier:
                add("at an mbarrier,");
                break;
        }
        return add(" ").add_place(fiber.site);
    }
};

Text lane_list(uint32_t lanes) { return Text().add_lanes(lanes); }

Text place(Site site) { return Text().add_place(site); }

// Which threads wait where, for the text of a deadlock.
Text who_waits(const Block& block) {
    Text text;
    for (int w = 0; w < block.num_warps; ++w) {
        const Warp& warp = block.warps[w];
        uint32_t left = warp.lanes & ~warp.exited;
        while (left != 0) {
            const Fiber& first = *warp.fibers[std::countr_zero(left)];
            uint32_t same = 0;
            for (uint32_t rest = left; rest != 0; rest &= rest - 1) {
                const Fiber& other = *warp.fibers[std::countr_zero(rest)];
                if (other.wait == first.wait && same_site(other.site, first.site)) same |= 1u << other.lane;
            }
            left &= ~same;
            text.add("; warp %d lanes ", w).add_lanes(same).add(" ").add_wait(first);
        }
        if (warp.exited != 0) text.add("; warp %d lanes ", w).add_lanes(warp.exited).add(" exited");
    }
    return text;
}

[[noreturn]] void raise_deadlock(const Fiber& self) {
    const Block* block = self.block;
    // The current block may be done while another one of a co-resident grid hangs.
    for (const Block* other : block->runner->blocks) {
        if (block->running == 0) block = other;
    }
    raise(self.site, "deadlock: every thread left of block (%u,%u,%u) waits%s", block->index.x, block->index.y,
          block->index.z, who_waits(*block).characters);
}

}  // namespace

const char* file_of(Site site) {
    const char* slash = std::strrchr(site.file_name(), '/');
    return slash ? slash + 1 : site.file_name();
}

bool same_site(Site a, Site b) {
    return std::memcmp(&a, &b, sizeof a) == 0 ||
           (a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0);
}

namespace {

// Returns before the fiber is abandoned, so that its strings go.
void report(const Fiber& self, Site site, const char* what) {
    Grid& grid = *self.block->runner->grid;
    grid.fail(*self.block,
              ", thread " + std::to_string(self.thread_index.x) + " at " + place(site).characters + ": " + what);
}

}  // namespace

void raise(Site site, const char* format, ...) {
    char what[900];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    report(*current, site, what);
    leave_grid(*current);
}

void run_others(bool ends) {
    Fiber& self = *current;
    Runner& runner = *self.block->runner;
    for (;;) {
        if (Fiber* next = runner.take_ready(self.block, self.warp)) return resume(self, *next, ends);
        if (ends && runner.running == 0) leave_grid(self);
        bool landed = false;
        for (Block* block : runner.blocks) landed = landed || land_bulk_copy(*block);
        if (!landed) raise_deadlock(self);
    }
}

void exit_fiber() {
    Fiber& self = *current;
    Block& block = *self.block;
    Warp& warp = *self.warp;
    uint32_t bit = 1u << self.lane;
    if (warp.arrived != 0) {
        raise(warp.site, "this thread exited while lanes %s of its warp wait for it at a warp collective",
              lane_list(warp.arrived).characters);
    }
    for (uint32_t rest = warp.partial; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        if (warp.partial_masks[lane] & bit) {
            raise(warp.fibers[lane]->site, "this thread exited while lane %d waits for it at sync_warp(0x%08x)", lane,
                  warp.partial_masks[lane]);
        }
    }
    const Barrier& all = block.barriers[0];
    if (all.arrived > 0) {
        raise(all.site, "divergent barrier: this thread exited while %d of %d threads wait at __syncthreads",
              all.arrived, block.num_threads);
    }
    warp.exited |= bit;
    self.wait = Wait::kNothing;
    --block.running;
    --block.runner->running;
    block.runner->idle_polls = 0;
    release(&block.runner->grid->end_token);
    run_others(true);
    __builtin_unreachable();
}

// ---- barriers ------------------------------------------------------------------------------------------------------

namespace {

void check_barrier_site(const Barrier& barrier, const Fiber& self, int id, Site site) {
    // Warps may meet at a named barrier from different lines, lanes of a warp may not.
    if (id == 0) {
        if (!same_site(barrier.site, site)) {
            raise(site, "divergent barrier: other threads wait at __syncthreads at %s", place(barrier.site).characters);
        }
        return;
    }
    uint32_t waiting = barrier.waiting[self.warp_number];
    if (waiting == 0) return;
    const Fiber& other = *self.warp->fibers[std::countr_zero(waiting)];
    if (!same_site(other.site, site)) {
        raise(site, "divergent barrier: lane %d of this warp waits at barrier %d at %s", other.lane, id,
              place(other.site).characters);
    }
}

void open_barrier(Block& block, Barrier& barrier, int id, Site site) {
    uint32_t self_bit = 1u << current->lane;
    for (int w = 0; w < block.num_warps; ++w) {
        Warp& warp = block.warps[w];
        uint32_t lanes = barrier.waiting[w];
        if (w == current->warp_number) lanes |= self_bit;
        if (lanes == 0) continue;
        if (lanes != warp.lanes) {
            raise(site, "divergent barrier: of warp %d only lanes %s are at barrier %d of %d threads", w,
                  lane_list(lanes).characters, id, barrier.expected);
        }
        barrier.waiting[w] = 0;
        block.make_ready(warp, w == current->warp_number ? lanes & ~self_bit : lanes);
    }
    barrier.arrived = 0;
    ++barrier.phase;
    block.runner->idle_polls = 0;
}

}  // namespace

void wait_at_barrier(int id, int threads, Site site) {
    Fiber& self = *current;
    Block& block = *self.block;
    if (id < 0 || id >= kBarriers) raise(site, "barrier id=%d must be in [1, 15]", id);
    if (id == 0) threads = block.num_threads;
    if (id != 0 && (threads <= 0 || threads % kLanes != 0 || threads > block.num_threads)) {
        raise(site, "barrier %d: threads=%d must be a multiple of 32, at most the block's %d", id, threads,
              block.num_threads);
    }
    if (id == 0 && block.running != block.num_threads) {
        raise(site, "divergent barrier: %d of %d threads have exited", block.num_threads - block.running,
              block.num_threads);
    }
    Barrier& barrier = block.barriers[id];
    if (barrier.arrived == 0) {
        barrier.expected = threads;
        barrier.site = site;
    } else {
        if (barrier.expected != threads) {
            raise(site, "barrier %d: threads=%d, but others wait there for %d", id, threads, barrier.expected);
        }
        check_barrier_site(barrier, self, id, site);
    }
    land_some_copies();
    const char* token = &barrier.tokens[barrier.phase & 1];
    release(token);
    self.site = site;
    if (++barrier.arrived == barrier.expected) {
        open_barrier(block, barrier, id, site);
    } else {
        barrier.waiting[self.warp_number] |= 1u << self.lane;
        self.wait = Wait::kBarrier;
        self.barrier = id;
        run_others();
        self.wait = Wait::kNothing;
    }
    acquire(token);
}

// ---- polling -------------------------------------------------------------------------------------------------------

void poll(Site site) {
    constexpr int32_t kPollsInTurn = 16;
    Fiber& self = *current;
    if (++self.polls < kPollsInTurn) return;
    self.polls = 0;
    self.site = site;
    Runner& runner = *self.block->runner;
    // So many that a table read by atomic loads is no endless loop.
    constexpr int64_t kMaxIdlePolls = 250000;
    if (++runner.idle_polls > kMaxIdlePolls + 200 * runner.running) {
        raise(site,
              "no progress: the threads that can run only poll (blocks that wait for each other need a co-resident "
              "launch)%s",
              who_waits(*self.block).characters);
    }
    land_some_copies();
    if (runner.idle_polls > runner.running) land_bulk_copy(*self.block);  // perhaps what they poll for comes after it
    self.block->make_ready(self);
    for (size_t i = 0; i < runner.blocks.size(); ++i) {
        runner.turn = runner.turn + 1 < runner.blocks.size() ? runner.turn + 1 : 0;
        if (Fiber* next = runner.blocks[runner.turn]->take_turn()) return resume(self, *next, false);
    }
}

void note_progress() { current->block->runner->idle_polls = 0; }

// ---- shared memory -------------------------------------------------------------------------------------------------

namespace {

constexpr size_t kTailBytes = 1024;  // watched behind the arena
constexpr unsigned char kTailPattern = 0xa5;
constexpr size_t kPage = 4096;

// Not memset: the sanitizers' own would take it for an access of the kernel.
void fill_bytes(unsigned char* to, unsigned char value, size_t count) {
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

}  // namespace

Arena::~Arena() { unmap(); }

void Arena::unmap() {
    if (!memory_) return;
    unpoison(memory_, mapped_);
    munmap(memory_, mapped_ + kPage);
    memory_ = nullptr;
}

bool Arena::prepare(size_t bytes) {
    size_t mapped = (bytes + kTailBytes + kPage - 1) / kPage * kPage;
    // ThreadSanitizer knows nothing of an order between blocks, so each needs memory that no one has used.
    if (SIMT_TSAN || mapped > mapped_) {
        unmap();
        void* memory = mmap(nullptr, mapped + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return false;
        memory_ = static_cast<unsigned char*>(memory);
        mapped_ = mapped;
        mprotect(memory_ + mapped_, kPage, PROT_NONE);
    }
    bytes_ = bytes;
    unpoison(memory_, mapped_);
    fill_bytes(memory_, 0xff, bytes_);
    fill_bytes(memory_ + bytes_, kTailPattern, kTailBytes);
    poison(memory_ + bytes_, mapped_ - bytes_);
    return true;
}

SIMT_NO_ASAN bool Arena::tail_is_intact() const {
    for (size_t i = 0; i < kTailBytes; ++i) {
        if (memory_[bytes_ + i] != kTailPattern) return false;
    }
    return true;
}

}  // namespace simt
