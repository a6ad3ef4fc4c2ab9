// block.h: a running CUDA block: its threads as fibers, its warps, barriers and shared memory.
//
// One OS thread runs a block, so nothing here is atomic. A fiber runs until it must wait; the fiber that makes others
// able to run goes on itself, and whoever must wait switches straight to the next one: at most one switch for a lane
// and a collective.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <source_location>
#include <vector>

#include "simt/fiber.h"

namespace simt {

using Site = std::source_location;

inline constexpr int kLanes = 32;
inline constexpr int kMaxThreads = 1024;
inline constexpr int kMaxWarps = kMaxThreads / kLanes;
inline constexpr int kBarriers = 16;
inline constexpr uint32_t kAllLanes = 0xffffffffu;

struct Index3 {
    uint32_t x = 0;
    uint32_t y = 0;
    uint32_t z = 0;
};

struct Block;
struct Warp;
struct Runner;

// The seed's random numbers (splitmix64).
struct Random {
    uint64_t state = 0;
    uint64_t next() {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // One in `count`, a power of two.
    bool one_in(uint64_t count) { return (next() & (count - 1)) == 0; }
};

enum class Wait : uint8_t { kNothing, kBarrier, kCollective, kSyncWarp, kMbarrier };

// A 16-byte cp.async on its way.
struct AsyncCopy {
    void* to;
    const void* from;  // null: zeros
    uint32_t group;
    bool landed;
};

struct Fiber : Context {
    Index3 thread_index;
    int32_t lane = 0;
    int32_t warp_number = 0;
    Block* block = nullptr;
    Warp* warp = nullptr;

    Wait wait = Wait::kNothing;
    int32_t barrier = 0;  // the one waited at
    Site site;            // of the last call that could wait
    int32_t polls = 0;    // atomic operations since it last let others run

    uint32_t copy_group = 0;        // the group that the next commit closes
    std::vector<AsyncCopy> copies;  // issued, not yet waited for
    uint32_t copies_in_flight = 0;  // of these, not yet landed
    size_t copies_done = 0;         // at their front, covered by the wait in progress

    uint64_t* mbarrier = nullptr;  // waited for, with this parity
    uint32_t mbarrier_parity = 0;
    bool waited_for_previous = false;

    // Under ThreadSanitizer: what it read and wrote with relaxed atomics since its last fence, and whether it fenced.
    static constexpr int kRecentAtomics = 8;
    const void* recent_atomics[kRecentAtomics] = {};
    uint32_t num_recent_atomics = 0;
    bool fenced = false;
};

struct Vector16 {
    uint32_t words[4];
};

// Registers that a lane brings to a matrix multiplication.
struct Operands {
    void* d;
    const uint32_t* a;
    const uint32_t* b;
};

// What the lanes of one collective hand to each other. Two of them: a lane that runs ahead fills the next one while
// others still read this one, and can be ahead by no more than that.
struct Exchange {
    union {
        uint64_t values[kLanes];
        Vector16 rows[kLanes];
        Operands operands[kLanes];
    };
    uint64_t result;  // the same for all lanes
    uint32_t votes;
};

enum class Collective : uint8_t {
    kShuffle,
    kBallot,
    kSum,
    kMax,
    kIntegerSum,
    kSyncWarp,
    kElect,
    kLoadMatrix,
    kMma,
};

struct Warp {
    uint32_t number = 0;
    uint32_t lanes = 0;  // that exist
    uint32_t ready = 0;  // can run and do not
    uint32_t exited = 0;
    uint32_t arrived = 0;  // at the collective being gathered
    uint32_t parity = 0;   // its exchange
    uint32_t turn = 0;     // the lane that take_turn() chose last
    Collective collective{};
    Site site;
    Exchange exchange[2];
    Fiber* fibers[kLanes];

    // sync_warp of some lanes only; several groups may gather at once.
    uint32_t partial = 0;  // lanes that wait
    uint32_t partial_masks[kLanes];
    char sync_tokens[2];  // for ThreadSanitizer
};

struct Barrier {
    int32_t expected = 0;
    int32_t arrived = 0;
    uint32_t phase = 0;
    Site site;
    uint32_t waiting[kMaxWarps] = {};  // lanes
    char tokens[2];                    // for ThreadSanitizer: of even and odd phases
};

// A bulk copy on its way.
struct BulkCopy {
    unsigned char* to;
    const unsigned char* from;
    uint32_t bytes;
    uint64_t* mbarrier;
};

// Shared memory of a block. What lies behind it shows a write past its end: a pattern, or AddressSanitizer's poison.
class Arena {
public:
    Arena() = default;
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // NaN everywhere; false where the machine gives no memory.
    bool prepare(size_t bytes);
    bool tail_is_intact() const;
    bool holds(const void* address, size_t bytes) const {
        auto offset = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(memory_);
        return offset <= bytes_ && bytes <= bytes_ - offset;
    }
    unsigned char* memory() const { return memory_; }
    size_t bytes() const { return bytes_; }

private:
    void unmap();
    unsigned char* memory_ = nullptr;
    size_t bytes_ = 0;
    size_t mapped_ = 0;
};

struct Block {
    Runner* runner = nullptr;
    Index3 index;
    Index3 dim;
    Index3 grid_dim;

    int32_t num_threads = 0;
    int32_t num_warps = 0;
    int32_t running = 0;  // threads that have not exited
    uint32_t ready_warps = 0;
    int32_t last_warp = 0;
    uint32_t elected = 0;  // the lane that elect() chooses
    bool shuffled = false;
    Random random;
    Arena arena;
    std::vector<BulkCopy> bulk_copies;
    std::vector<Fiber*> mbarrier_waiters;
    Barrier barriers[kBarriers];
    Warp warps[kMaxWarps];
    Fiber fibers[kMaxThreads];

    void make_ready(Warp& warp, uint32_t lanes) {
        if (lanes == 0) return;
        warp.ready |= lanes;
        ready_warps |= 1u << warp.number;
    }
    void make_ready(Fiber& fiber) { make_ready(*fiber.warp, 1u << fiber.lane); }

    // Takes a fiber that can run, from `warp` where it has one; null where none can.
    Fiber* take_ready(Warp* warp);
    // The same, but turns through the warps, so that a fiber that polls lets every other one run.
    Fiber* take_turn();

private:
    Fiber* take_lane(Warp& warp, uint32_t start);
};

// What an OS thread runs at a time: one block, or all blocks of a grid whose blocks wait for each other.
struct Runner {
    Context thread;
    StackPool stacks;
    std::vector<Block*> blocks;
    size_t turn = 0;         // the block that ran last
    int64_t running = 0;     // threads of all blocks that have not exited
    int64_t idle_polls = 0;  // times that a fiber let others run since one of them got further
    struct Grid* grid = nullptr;

    // A fiber that can run, preferably of this block.
    Fiber* take_ready(Block* block, Warp* warp);
};

// The fiber that runs on this OS thread.
extern thread_local Fiber* current [[gnu::tls_model("initial-exec")]];

// Ends the grid with this text, put behind the kernel's name, block, thread and line. The fiber is never resumed.
[[noreturn, gnu::format(printf, 2, 3), gnu::cold]] void raise(Site site, const char* format, ...);

// Puts the current fiber to sleep (or ends it) and runs another; an error where none can run.
void run_others(bool ends = false);

// Called by a fiber when its kernel has returned.
[[noreturn]] void exit_fiber();

// The data of some asynchronous copies may land now: called where the order of things is open.
void land_some_copies();
// Lands a bulk copy of this block, if there is one. For when nothing else can go on.
bool land_bulk_copy(Block& block);
// Forgets copies of a block that has ended.
void drop_copies(Block& block);

bool same_site(Site a, Site b);
// The file's name without its folder.
const char* file_of(Site site);

}  // namespace simt
