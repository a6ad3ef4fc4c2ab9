// grid.h: launches. A launch is a plain structure that a stream's queue copies as bytes.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "core/backend.h"
#include "simt/block.h"

namespace gpu {
struct LaunchShape;
}

namespace simt {

inline constexpr size_t kMaxArgumentBytes = 384;

struct Launch {
    void (*kernel)();               // of the type that invoke knows
    void (*invoke)(const Launch&);  // calls it in a fiber
    const char* expression;         // "kernel<Template>, arguments" as the source has it
    Site site;
    ct_stream* stream;  // null in a test of the runtime
    int32_t blocks[3];
    int32_t threads;
    int32_t shared_bytes;
    bool co_resident;
    bool overlap;
    alignas(16) unsigned char argument[kMaxArgumentBytes];
};
static_assert(sizeof(Launch) <= ct::kMaxOperationBytes, "a launch is an operation of a stream");

// What the blocks of a running grid share.
struct Grid {
    const Launch& launch;
    uint64_t seed = 0;  // of this grid; 0: in order
    std::atomic<bool> failed{false};
    std::atomic<bool> waited_for_previous{false};  // some thread called it
    char start_token = 0;                          // for ThreadSanitizer: before every block
    char end_token = 0;                            // and after

    explicit Grid(const Launch& of) : launch(of) {}
    // Keeps the first text, behind the kernel's name (and the block's index).
    void fail(const std::string& text);
    void fail(const Block& block, const std::string& text);
    std::string report();

private:
    std::mutex mutex_;
    std::string report_;
};

// The order of fibers, blocks and asynchronous copies of the grids that follow; 0: in order. Set at load from
// CORTADO_SIMT_SEED.
void set_seed(uint64_t seed);

// Runs a grid on the team; "" or what went wrong, with kernel, block, thread and line.
std::string run_grid(const Launch& launch, ct::Team& team);

// The library's functions: set when it loads the backend (and by the runtime's test).
void set_host(const ct::BackendHost* host);

// Checks the shape against the limits and enters it into the launch; "" or what is wrong.
std::string set_shape(Launch& launch, const gpu::LaunchShape& shape, const ct::DeviceLimits& limits);

// Sets the shape and puts the launch into the context's stream.
int32_t enqueue_launch(Launch& launch, const gpu::LaunchShape& shape, const ct::LaunchContext& context);

// An Ada of four multiprocessors: the smallest shared memory of the GPUs that kernels are built for.
inline constexpr ct::DeviceLimits kLimits = {4, 101376, 89};

}  // namespace simt
