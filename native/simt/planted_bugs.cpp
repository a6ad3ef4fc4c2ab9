// planted_bugs.cpp: kernels with one mistake each, and the build that finds it. What the runtime reports by itself holds
// in every build. What only a sanitizer sees is run in a child process, whose output must name this file's line.
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "simt/simt_test.h"

namespace simt_test {
namespace {

struct Args {
    const float* x;  // [256]
    float* y;        // [256]
};
struct Shared {
    alignas(16) float values[256];
};

// ---- the kernels ---------------------------------------------------------------------------------------------------

__global__ void missing_barrier(Args p) {
    Shared& s = gpu::shared<Shared>();
    s.values[threadIdx.x] = p.x[threadIdx.x];
    p.y[threadIdx.x] = s.values[blockDim.x - 1 - threadIdx.x];  // needs __syncthreads()
}

// The shuffle between write and read orders nothing.
__global__ void missing_sync_warp(Args p) {
    Shared& s = gpu::shared<Shared>();
    s.values[threadIdx.x] = p.x[threadIdx.x];
    float other = gpu::shuffle_xor(1.0f, 1);
    p.y[threadIdx.x] = s.values[threadIdx.x ^ 1] * other;  // needs sync_warp()
}

__global__ void missing_barrier_between_rounds(Args p) {
    Shared& s = gpu::shared<Shared>();
    for (int round = 0; round < 2; ++round) {
        s.values[threadIdx.x] = p.x[threadIdx.x] + round;  // needs __syncthreads() before it
        __syncthreads();
        p.y[threadIdx.x + 64 * round] = s.values[blockDim.x - 1 - threadIdx.x];
    }
}

__global__ void blocks_share_memory(Args p) {
    if (threadIdx.x == blockIdx.x) p.y[0] = p.x[0];  // both blocks
}

__global__ void early_copy_read(Args p) {
    Shared& s = gpu::shared<Shared>();
    gpu::copy_async16(&s.values[threadIdx.x * 4], p.x + threadIdx.x * 4);
    gpu::copy_async_commit();
    p.y[threadIdx.x] = s.values[threadIdx.x * 4];  // needs copy_async_wait<0>()
    gpu::copy_async_wait<0>();
}

__global__ void copy_read_without_barrier(Args p) {
    Shared& s = gpu::shared<Shared>();
    gpu::copy_async16(&s.values[threadIdx.x * 4], p.x + threadIdx.x * 4);
    gpu::copy_async_commit();
    gpu::copy_async_wait<0>();
    p.y[threadIdx.x] = s.values[(threadIdx.x ^ 32) * 4];  // needs __syncthreads()
}

__global__ void early_bulk_read(Args p) {
    struct BulkShared {
        alignas(16) float values[64];
        uint64_t full;
    };
    BulkShared& s = gpu::shared<BulkShared>();
    if (threadIdx.x == 0) {
        gpu::mbarrier_init(&s.full, 1);
        gpu::mbarrier_arrive_expect(&s.full, 256);
        gpu::copy_bulk(s.values, p.x, 256, &s.full);
        p.y[0] = s.values[3];  // needs mbarrier_wait(&s.full, 0)
        gpu::mbarrier_wait(&s.full, 0);
    }
}

__global__ void outside_shared(Args p) {
    Shared& s = gpu::shared<Shared>();
    p.y[0] = s.values[256 + threadIdx.x];
}

__global__ void outside_global(Args p) { p.y[threadIdx.x] = p.x[256 + threadIdx.x]; }

__global__ void outside_copy(Args p) {
    Shared& s = gpu::shared<Shared>();
    gpu::copy_async16(s.values, p.x + 256);
    gpu::copy_async_wait<0>();
}

__global__ void shared_overflow(Args p) {
    Shared& s = gpu::shared<Shared>();
    s.values[threadIdx.x + 224] = p.x[threadIdx.x];  // the last threads write behind it
}

__global__ void wrong_mask(Args) { gpu::sync_warp(0x0000ffffu); }

__global__ void mask_of_exited_lanes(Args p) {
    if (gpu::lane() >= 16) return;
    p.y[0] = gpu::warp_sum(1.0f);
}

__global__ void half_a_warp_shuffles(Args p) {
    float value = p.x[0];
    if (gpu::lane() < 16) value = gpu::shuffle(value, 3);
    __syncthreads();
    p.y[threadIdx.x] = value;
}

__global__ void shuffles_in_two_places(Args p) {
    float value = p.x[0];
    if (gpu::lane() < 16) {
        value = gpu::shuffle(value, 3);
    } else {
        value = gpu::shuffle(value, 4);
    }
    p.y[threadIdx.x] = value;
}

__global__ void mismatched_masks(Args) {
    if (gpu::lane() < 8) {
        gpu::sync_warp(0xffffu);
    } else {
        gpu::sync_warp(0xff00u | 1u << gpu::lane());
    }
}

__global__ void threads_exit_before_barrier(Args) {
    if (threadIdx.x >= 7) return;
    __syncthreads();
}

__global__ void barriers_in_two_places(Args) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

__global__ void half_a_warp_at_a_named_barrier(Args) {
    if (threadIdx.x % 64 < 16 || threadIdx.x % 64 >= 48) gpu::barrier(1, 32);
}

__global__ void two_named_barriers(Args) { gpu::barrier(1 + gpu::warp(), 64); }

__global__ void barrier_of_another_count(Args) { gpu::barrier(1, gpu::warp() == 0 ? 64 : 32); }

__global__ void endless_poll(Args p) {
    const uint32_t* flag = reinterpret_cast<const uint32_t*>(p.y);
    while (gpu::load_acquire(flag) != 0x12345678u) {
    }
}

// Each block waits for the next one before it lets the one before it go.
__global__ void blocks_wait_in_a_circle(Args p) {
    uint32_t* tickets = reinterpret_cast<uint32_t*>(p.y);
    if (threadIdx.x == 0) {
        while (gpu::load_acquire(tickets + (blockIdx.x + 1) % gridDim.x) == 0) {
        }
        gpu::store_release(tickets + blockIdx.x, 1u);
    }
    __syncthreads();
}

__global__ void phase_that_never_ends(Args) {
    struct OneBarrier {
        uint64_t full;
    };
    OneBarrier& s = gpu::shared<OneBarrier>();
    if (threadIdx.x == 0) gpu::mbarrier_init(&s.full, 2);
    __syncthreads();
    if (threadIdx.x == 0) gpu::mbarrier_arrive(&s.full);
    gpu::mbarrier_wait(&s.full, 0);
}

__global__ void mbarrier_without_init(Args) {
    struct OneBarrier {
        uint64_t full;
    };
    gpu::mbarrier_arrive(&gpu::shared<OneBarrier>().full);
}

__global__ void misaligned_load(Args p) { p.y[0] = gpu::bits_float(gpu::load16(p.x + 1).x); }

__global__ void misaligned_store(Args p) { gpu::store16(p.y + 2, gpu::Vec16{}); }

__global__ void misaligned_copy(Args p) {
    Shared& s = gpu::shared<Shared>();
    gpu::copy_async16(s.values + 1, p.x);
}

__global__ void misaligned_matrix(Args) {
    Shared& s = gpu::shared<Shared>();
    uint32_t d[4];
    gpu::load_matrix_x4(d, s.values + 4 * gpu::lane() + (gpu::lane() == 5 ? 2 : 0));
}

__global__ void copy_to_global(Args p) { gpu::copy_async16(p.y, p.x); }

__global__ void larger_structure(Args) {
    struct Large {
        float values[300];
    };
    gpu::shared<Large>().values[0] = 1;
}

__global__ void no_wait_for_previous(Args p) { p.y[threadIdx.x] = p.x[threadIdx.x]; }

// ---- running them --------------------------------------------------------------------------------------------------

struct Bug {
    const char* name;
    void (*kernel)(Args);
    int32_t threads = 64;
    int32_t blocks = 1;
    bool co_resident = false;
};

constexpr Bug kBugs[] = {
    {"missing_barrier", missing_barrier},
    {"missing_sync_warp", missing_sync_warp},
    {"missing_barrier_between_rounds", missing_barrier_between_rounds},
    {"blocks_share_memory", blocks_share_memory, 64, 2},
    {"early_copy_read", early_copy_read},
    {"copy_read_without_barrier", copy_read_without_barrier},
    {"early_bulk_read", early_bulk_read},
    {"outside_shared", outside_shared},
    {"outside_global", outside_global},
    {"outside_copy", outside_copy},
    {"shared_overflow", shared_overflow},
    {"wrong_mask", wrong_mask},
    {"mask_of_exited_lanes", mask_of_exited_lanes},
    {"half_a_warp_shuffles", half_a_warp_shuffles},
    {"shuffles_in_two_places", shuffles_in_two_places},
    {"mismatched_masks", mismatched_masks},
    {"threads_exit_before_barrier", threads_exit_before_barrier},
    {"barriers_in_two_places", barriers_in_two_places},
    {"half_a_warp_at_a_named_barrier", half_a_warp_at_a_named_barrier},
    {"two_named_barriers", two_named_barriers},
    {"barrier_of_another_count", barrier_of_another_count},
    {"endless_poll", endless_poll},
    {"blocks_wait_in_a_circle", blocks_wait_in_a_circle, 64, 4, true},
    {"phase_that_never_ends", phase_that_never_ends},
    {"mbarrier_without_init", mbarrier_without_init},
    {"misaligned_load", misaligned_load},
    {"misaligned_store", misaligned_store},
    {"misaligned_copy", misaligned_copy},
    {"misaligned_matrix", misaligned_matrix},
    {"copy_to_global", copy_to_global},
    {"larger_structure", larger_structure},
    {"no_wait_for_previous", no_wait_for_previous},
};

const Bug* find_bug(const char* name) {
    for (const Bug& bug : kBugs) {
        if (std::strcmp(bug.name, name) == 0) return &bug;
    }
    return nullptr;
}

std::string run_bug(const Bug& bug, std::vector<float>& y) {
    std::vector<float> x(256);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    gpu::LaunchShape grid = shape(bug.blocks, bug.threads, sizeof(Shared));
    grid.overlap = bug.kernel == no_wait_for_previous;
    grid.co_resident = bug.co_resident;
    y.assign(256, 0.0f);
    return run((std::string(bug.name) + ", p").c_str(), grid, bug.kernel, {x.data(), y.data()});
}

// The report names the kernel, this file's line and the mistake, under every seed.
void expect_report(const char* name, const char* words, const char* place = "planted_bugs.cpp:") {
    testing::context = name;
    std::vector<float> y;
    for_seeds([&](uint64_t) {
        std::string report = run_bug(*find_bug(name), y);
        bool found = report.find(words) != std::string::npos && report.find(place) != std::string::npos &&
                     report.find(std::string("kernel ") + name) != std::string::npos;
        CHECK(found);
        if (!found) std::printf("%s: %s\n", name, report.c_str());
    });
}

// Some seed shows NaN, or another wrong value, among y[i] = expected(i).
template <typename Expected>
void expect_wrong_values(const char* name, const Expected& expected) {
    testing::context = name;
    int wrong_seeds = 0;
    for (uint64_t seed : kSeeds) {
        simt::set_seed(seed);
        std::vector<float> y;
        CHECK_CLEAN(run_bug(*find_bug(name), y));
        bool wrong = false;
        for (size_t i = 0; i < 64; ++i) wrong = wrong || !(y[i] == expected(i));
        wrong_seeds += wrong;
    }
    simt::set_seed(0);
    CHECK(wrong_seeds > 0);
}

// The sanitizer's report in a child process names the error, the kernel and this file.
[[maybe_unused]] void expect_sanitizer(const char* program, const char* name, const char* words) {
    testing::context = name;
    std::string command = std::string(program) + " --planted " + name + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    CHECK(pipe != nullptr);
    if (!pipe) return;
    std::string output;
    std::array<char, 4096> chunk;
    while (size_t count = std::fread(chunk.data(), 1, chunk.size(), pipe)) output.append(chunk.data(), count);
    int status = pclose(pipe);
    // The kernel's frame: its name and, on the same line, this file.
    size_t frame = output.find(std::string("simt_test::(anonymous namespace)::") + name);
    if (frame == std::string::npos) frame = output.find(std::string(" ") + name);
    std::string line = frame == std::string::npos ? "" : output.substr(frame, output.find('\n', frame) - frame);
    bool found =
        status != 0 && output.find(words) != std::string::npos && line.find("planted_bugs.cpp:") != std::string::npos;
    CHECK(found);
    if (!found) std::printf("%s: status %d\n%s\n", name, status, output.c_str());
}

void not_checked(const char* what) { std::printf("simt: not checked in this build: %s\n", what); }

void reports_hold_in_every_build() {
    expect_report("wrong_mask", "wrong mask: sync_warp(0x0000ffff) by lane");
    expect_report("mask_of_exited_lanes", "exited");
    expect_report("half_a_warp_shuffles", "deadlock");
    expect_report("shuffles_in_two_places", "divergent collective: shuffle");
    expect_report("mismatched_masks", "wrong mask");
    expect_report("threads_exit_before_barrier", "divergent barrier");
    expect_report("barriers_in_two_places", "divergent barrier");
    expect_report("half_a_warp_at_a_named_barrier", "divergent barrier");
    expect_report("two_named_barriers", "deadlock");
    expect_report("barrier_of_another_count", "others wait there for");
    expect_report("endless_poll", "no progress");
    expect_report("blocks_wait_in_a_circle", "no progress");
    expect_report("phase_that_never_ends", "at an mbarrier");
    expect_report("mbarrier_without_init", "before mbarrier_init");
    expect_report("misaligned_load", "load16: address");
    expect_report("misaligned_store", "store16: address");
    expect_report("misaligned_copy", "copy_async16: address");
    expect_report("misaligned_matrix", "load_matrix: address");
    expect_report("copy_to_global", "not in the block's shared memory");
    expect_report("larger_structure", "the kernel's structure has 1200 bytes, the launch gave 1024");
    expect_report("no_wait_for_previous", "wait_for_previous", "");
}

#if SIMT_ASAN

void the_build_finds_its_own(const char* program) {
    expect_sanitizer(program, "early_copy_read", "use-after-poison");
    expect_sanitizer(program, "early_bulk_read", "use-after-poison");
    expect_sanitizer(program, "outside_shared", "use-after-poison");
    expect_sanitizer(program, "shared_overflow", "use-after-poison");
    expect_sanitizer(program, "outside_global", "heap-buffer-overflow");
    expect_sanitizer(program, "outside_copy", "heap-buffer-overflow");
    expect_wrong_values("missing_barrier", [](size_t i) { return static_cast<float>(63 - i); });
    not_checked("data races (preset tsan)");
}

#elif SIMT_TSAN

void the_build_finds_its_own(const char* program) {
    expect_sanitizer(program, "missing_barrier", "data race");
    expect_sanitizer(program, "missing_sync_warp", "data race");
    expect_sanitizer(program, "missing_barrier_between_rounds", "data race");
    expect_sanitizer(program, "blocks_share_memory", "data race");
    expect_sanitizer(program, "copy_read_without_barrier", "data race");
    not_checked("reads outside buffers, use before arrival as an error (preset sanitize)");
}

#else

void the_build_finds_its_own(const char*) {
    expect_wrong_values("missing_barrier", [](size_t i) { return static_cast<float>(63 - i); });
    expect_wrong_values("missing_barrier_between_rounds", [](size_t i) { return static_cast<float>(63 - i); });
    expect_wrong_values("early_copy_read", [](size_t i) { return static_cast<float>(i * 4); });
    expect_wrong_values("copy_read_without_barrier", [](size_t i) { return static_cast<float>((i ^ 32) * 4); });
    expect_wrong_values("early_bulk_read", [](size_t i) { return i == 0 ? 3.0f : 0.0f; });
    expect_report("shared_overflow", "wrote past the bytes", "");
    not_checked(
        "reads outside shared and global memory (preset sanitize), data races that a shuffle or the order hides "
        "(preset tsan)");
}

#endif

}  // namespace

int run_planted_bug(const char* name) {
    const Bug* bug = find_bug(name);
    if (!bug) return 2;
    std::vector<float> y;
    std::string report = run_bug(*bug, y);
    std::printf("%s\n", report.c_str());
    return 0;
}

void planted_bugs_are_found(const char* program) {
    reports_hold_in_every_build();
    the_build_finds_its_own(program);
    testing::context.clear();
}

}  // namespace simt_test
