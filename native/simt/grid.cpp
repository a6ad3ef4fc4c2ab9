// grid.cpp: from a launch to running blocks.
#include "simt/grid.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "core/stream.h"
#include "gpu/gpu.h"

namespace simt {

namespace {

// Of "kernel<Template, 4>, arguments", what stands before the first comma outside brackets.
std::string kernel_name(const std::string& expression) {
    int depth = 0;
    for (size_t i = 0; i < expression.size(); ++i) {
        const char c = expression[i];
        if (c == '<' || c == '(' || c == '{') ++depth;
        if (c == '>' || c == ')' || c == '}') --depth;
        if (c == ',' && depth == 0) return expression.substr(0, i);
    }
    return expression;
}

std::atomic<uint64_t> launch_seed{0};
std::atomic<uint64_t> grids_run{0};
const ct::BackendHost* library = nullptr;

int64_t num_blocks(const Launch& launch) { return int64_t{launch.blocks[0]} * launch.blocks[1] * launch.blocks[2]; }

// An OS thread's runner and its blocks; those of the largest co-resident grid stay allocated.
struct Worker {
    Runner runner;
    std::vector<std::unique_ptr<Block>> blocks;

    Block& block(size_t i) {
        while (blocks.size() <= i) blocks.push_back(std::make_unique<Block>());
        return *blocks[i];
    }
};
thread_local Worker worker;

void fiber_entry() {
    Fiber& self = *current;
    Runner& runner = *self.block->runner;
    enter_fiber(runner.thread);
    acquire(&runner.grid->start_token);
    runner.grid->launch.invoke(runner.grid->launch);
    std::atomic<bool>& waited = runner.grid->waited_for_previous;
    if (self.waited_for_previous && !waited.load(std::memory_order_relaxed)) {
        waited.store(true, std::memory_order_relaxed);
    }
    exit_fiber();
}

void prepare_warps(Block& block) {
    block.num_warps = (block.num_threads + kLanes - 1) / kLanes;
    block.ready_warps = 0;
    block.last_warp = 0;
    for (int w = 0; w < block.num_warps; ++w) {
        Warp& warp = block.warps[w];
        int lanes = std::min(kLanes, block.num_threads - w * kLanes);
        warp.number = static_cast<uint32_t>(w);
        warp.lanes = lanes == kLanes ? kAllLanes : (1u << lanes) - 1;
        warp.exited = warp.arrived = warp.parity = warp.partial = warp.turn = 0;
        block.make_ready(warp, warp.lanes);
    }
    for (Barrier& barrier : block.barriers) {
        if (barrier.arrived == 0) continue;  // as every barrier is, but after a failure
        barrier = Barrier{};
    }
}

// Fiber t of block b uses stack (t + b) % threads: under ThreadSanitizer, so that thread t of two blocks is not one.
bool prepare_fibers(Block& block, StackPool& stacks, int64_t first_stack, int64_t turn) {
    for (int t = 0; t < block.num_threads; ++t) {
        Fiber& fiber = block.fibers[t];
        int64_t place = SIMT_TSAN ? (t + turn) % block.num_threads : t;
        if (!stacks.take(fiber, static_cast<size_t>(first_stack + place))) return false;
        start_context(fiber, fiber_entry);
        fiber.thread_index = {static_cast<uint32_t>(t), 0, 0};
        fiber.lane = t % kLanes;
        fiber.warp_number = t / kLanes;
        fiber.block = &block;
        fiber.warp = &block.warps[t / kLanes];
        fiber.warp->fibers[fiber.lane] = &fiber;
        fiber.wait = Wait::kNothing;
        fiber.polls = 0;
        fiber.copy_group = 0;
        fiber.waited_for_previous = false;
        fiber.fenced = false;
        fiber.num_recent_atomics = 0;
    }
    return true;
}

bool prepare_block(Grid& grid, Runner& runner, Block& block, int64_t number, int64_t first_stack) {
    const Launch& launch = grid.launch;
    auto x = static_cast<uint32_t>(launch.blocks[0]);
    auto y = static_cast<uint32_t>(launch.blocks[1]);
    block.runner = &runner;
    block.grid_dim = {x, y, static_cast<uint32_t>(launch.blocks[2])};
    block.dim = {static_cast<uint32_t>(launch.threads), 1, 1};
    block.index = {static_cast<uint32_t>(number % x), static_cast<uint32_t>(number / x % y),
                   static_cast<uint32_t>(number / x / y)};
    block.num_threads = block.running = launch.threads;
    block.shuffled = grid.seed != 0;
    block.random.state = grid.seed + static_cast<uint64_t>(number) * 0x632be59bd9b4e019u;
    block.elected = block.shuffled ? static_cast<uint32_t>(block.random.next() & 31) : 0;
    drop_copies(block);
    prepare_warps(block);
    return prepare_fibers(block, runner.stacks, first_stack, number) &&
           block.arena.prepare(static_cast<size_t>(launch.shared_bytes));
}

// Runs the runner's blocks until all their threads have exited or the grid has failed.
void run_blocks(Grid& grid, Runner& runner) {
    runner.grid = &grid;
    runner.turn = 0;
    runner.idle_polls = 0;
    runner.running = 0;
    for (const Block* block : runner.blocks) runner.running += block->num_threads;
#if SIMT_TSAN
    runner.thread.tsan_fiber = __tsan_get_current_fiber();
#endif
    current = runner.take_ready(runner.blocks.front(), nullptr);
    switch_context(runner.thread, *current);
    acquire(&grid.end_token);
    if (runner.running == 0) return;
    // The frames of abandoned fibers lie on the stacks.
    for (Block* block : runner.blocks) drop_copies(*block);
    runner.stacks.clear();
}

// These blocks, all at once.
void run_numbers(Grid& grid, const int64_t* numbers, int64_t count) {
    Runner& runner = worker.runner;
    Untracked untracked;  // of this thread; fibers are not it
    runner.blocks.clear();
    for (int64_t i = 0; i < count; ++i) {
        Block& block = worker.block(static_cast<size_t>(i));
        runner.blocks.push_back(&block);
        if (!prepare_block(grid, runner, block, numbers[i], i * grid.launch.threads)) {
            runner.stacks.clear();
            return grid.fail(block, ": the host has no memory for its stacks or shared memory");
        }
    }
    run_blocks(grid, runner);
    for (const Block* block : runner.blocks) {
        if (!block->arena.tail_is_intact()) {
            grid.fail(*block, ": shared memory: a thread wrote past the bytes that the launch gave");
        }
    }
}

// The order of blocks: all of them once, spread by a factor that shares no divisor with their number.
struct BlockOrder {
    int64_t count, factor = 1, offset = 0;
    BlockOrder(int64_t blocks, uint64_t seed) : count(blocks) {
        if (seed == 0) return;
        Random random{seed};
        offset = static_cast<int64_t>(random.next() % static_cast<uint64_t>(count));
        factor = static_cast<int64_t>(random.next() % static_cast<uint64_t>(count));
        while (std::gcd(factor, count) != 1) ++factor;
    }
    int64_t operator()(int64_t i) const {
        return static_cast<int64_t>((static_cast<__int128>(i) * factor + offset) % count);
    }
};

void run_operation(const void* self, ct::Team& team) {
    const Launch& launch = *static_cast<const Launch*>(self);
    // What a failed kernel left behind may send the next one anywhere.
    if (launch.stream->device->health->lost.load(std::memory_order_acquire)) return;
    std::string report = run_grid(launch, team);
    if (!report.empty()) library->lose(launch.stream->device, report.c_str());
}

}  // namespace

void Grid::fail(const std::string& text) {
    std::lock_guard lock(mutex_);
    if (report_.empty()) report_ = "kernel " + kernel_name(launch.expression) + text;
    failed.store(true, std::memory_order_relaxed);
}

void Grid::fail(const Block& block, const std::string& text) {
    const Index3& at = block.index;
    fail(", block (" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")" + text);
}

std::string Grid::report() {
    std::lock_guard lock(mutex_);
    return report_;
}

void set_seed(uint64_t seed) {
    launch_seed = seed;
    grids_run = 0;
}

std::string run_grid(const Launch& launch, ct::Team& team) {
    Grid grid(launch);
    uint64_t seed = launch_seed.load(std::memory_order_relaxed);
    uint64_t run = grids_run.fetch_add(1, std::memory_order_relaxed);
    grid.seed = seed == 0 ? 0 : Random{seed + (run << 20)}.next() | 1;
    release(&grid.start_token);
    int64_t count = num_blocks(launch);
    if (count == 0) return "";
    if (launch.co_resident) {
        std::vector<int64_t> numbers(static_cast<size_t>(count));
        std::iota(numbers.begin(), numbers.end(), 0);
        run_numbers(grid, numbers.data(), count);
    } else {
        BlockOrder order(count, grid.seed);
        team.run(count, [&](int64_t part, int) {
            int64_t number = order(part);
            if (!grid.failed.load(std::memory_order_relaxed)) run_numbers(grid, &number, 1);
        });
    }
    if (launch.overlap && !grid.failed && !grid.waited_for_previous) {
        grid.fail(": launched with overlap, but no thread calls gpu::wait_for_previous()");
    }
    return grid.report();
}

// ---- launching -----------------------------------------------------------------------------------------------------

void set_host(const ct::BackendHost* host) { library = host; }

namespace {

// Blocks that all run at once, as the Ada whose limits these are would hold them.
int64_t co_resident_blocks(const ct::DeviceLimits& limits, const Launch& launch) {
    constexpr int64_t kThreads = 1536, kBlocks = 24, kReservedBytes = 1024;
    int64_t by_threads = kThreads / launch.threads;
    int64_t by_shared = (limits.max_shared_bytes + kReservedBytes) / (launch.shared_bytes + kReservedBytes);
    return limits.num_sms * std::min({by_threads, by_shared, kBlocks});
}

}  // namespace

std::string set_shape(Launch& launch, const gpu::LaunchShape& shape, const ct::DeviceLimits& limits) {
    auto wrong = [](const char* name, int64_t value, int64_t least, int64_t most) {
        return std::string(name) + "=" + std::to_string(value) + " must be in [" + std::to_string(least) + ", " +
               std::to_string(most) + "]";
    };
    auto outside = [](int64_t value, int64_t least, int64_t most) { return value < least || value > most; };
    constexpr int64_t kMaxBlocksX = INT32_MAX, kMaxBlocksYz = 65535;
    if (outside(shape.blocks_x, 0, kMaxBlocksX)) return wrong("blocks_x", shape.blocks_x, 0, kMaxBlocksX);
    if (outside(shape.blocks_y, 0, kMaxBlocksYz)) return wrong("blocks_y", shape.blocks_y, 0, kMaxBlocksYz);
    if (outside(shape.blocks_z, 0, kMaxBlocksYz)) return wrong("blocks_z", shape.blocks_z, 0, kMaxBlocksYz);
    if (outside(shape.threads, 1, kMaxThreads)) return wrong("threads", shape.threads, 1, kMaxThreads);
    if (outside(shape.shared_bytes, 0, limits.max_shared_bytes)) {
        return wrong("shared_bytes", shape.shared_bytes, 0, limits.max_shared_bytes);
    }
    launch.blocks[0] = static_cast<int32_t>(shape.blocks_x);
    launch.blocks[1] = shape.blocks_y;
    launch.blocks[2] = shape.blocks_z;
    launch.threads = shape.threads;
    launch.shared_bytes = static_cast<int32_t>(shape.shared_bytes);
    launch.co_resident = shape.co_resident;
    launch.overlap = shape.overlap;
    if (shape.co_resident && num_blocks(launch) > co_resident_blocks(limits, launch)) {
        return wrong("blocks of a co-resident launch", num_blocks(launch), 0, co_resident_blocks(limits, launch));
    }
    return "";
}

int32_t enqueue_launch(Launch& launch, const gpu::LaunchShape& shape, const ct::LaunchContext& context) {
    std::string wrong = set_shape(launch, shape, *context.limits);
    if (!wrong.empty()) return library->fail(CT_INVALID, (kernel_name(launch.expression) + ": " + wrong).c_str());
    if (num_blocks(launch) == 0) return CT_OK;
    launch.stream = static_cast<ct_stream*>(context.queue);
    ct::Operation operation;
    operation.run = run_operation;
    std::memcpy(operation.self, &launch, sizeof launch);
    return library->enqueue(launch.stream, operation);
}

}  // namespace simt
