// simt_test.cpp: the runtime does what CUDA does: every function of gpu.h against plain loops, under several orders.
#include "simt/simt_test.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace simt_test {
namespace {

using testing::Random;

// ---- identity ------------------------------------------------------------------------------------------------------

struct IdentityArgs {
    int32_t* counts;  // [blocks][threads]
};

__global__ void identity_kernel(IdentityArgs p) {
    int64_t block = (int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    gpu::atomic_add(p.counts + block * blockDim.x + threadIdx.x, 1 + gpu::lane() + 32 * gpu::warp());
}

void every_thread_of_every_block_runs_once() {
    for_seeds([](uint64_t) {
        for (int32_t threads : {1, 31, 33, 256, 1024}) {
            gpu::LaunchShape grid = shape(3, threads);
            grid.blocks_y = 2;
            grid.blocks_z = 4;
            std::vector<int32_t> counts(24 * static_cast<size_t>(threads));
            CHECK_CLEAN(RUN(grid, identity_kernel, {counts.data()}));
            bool once = true;
            for (size_t i = 0; i < counts.size(); ++i) once = once && counts[i] == 1 + static_cast<int>(i) % threads;
            CHECK(once);
        }
    });
}

// ---- warp exchange -------------------------------------------------------------------------------------------------

struct ExchangeArgs {
    const float* x;  // [64]
    double* up;      // [64], as the others
    uint64_t* bits;
    float* sums;
    float* maxima;
    int32_t* integers;
    uint32_t* ballots;
    int32_t* elected;
};

__global__ void exchange_kernel(ExchangeArgs p) {
    int t = static_cast<int>(threadIdx.x);
    float x = p.x[t];
    p.up[t] = gpu::shuffle_up(static_cast<double>(x), 3) + 2 * gpu::shuffle_down(static_cast<double>(x), 5);
    uint64_t wide = uint64_t{gpu::float_bits(x)} << 32 | static_cast<uint32_t>(t);
    p.bits[t] = gpu::shuffle_xor(wide, 9) ^ gpu::shuffle(wide, 17);
    p.sums[t] = gpu::warp_sum(x);
    p.maxima[t] = gpu::warp_max(x);
    p.integers[t] = gpu::warp_sum(t * t);
    p.ballots[t] = gpu::ballot(x > 0) + gpu::any(t % 32 == 31) + 2 * gpu::all(t % 32 < 31);
    p.elected[t] = gpu::elect() ? 1 : 0;
}

void lanes_exchange_as_in_plain_loops() {
    Random random(1);
    std::vector<float> x(64);
    for (float& value : x) value = random.normal();
    for_seeds([&](uint64_t) {
        std::vector<double> up(64);
        std::vector<uint64_t> bits(64);
        std::vector<float> sums(64), maxima(64);
        std::vector<int32_t> integers(64), elected(64);
        std::vector<uint32_t> ballots(64);
        CHECK_CLEAN(RUN(shape(1, 64), exchange_kernel,
                        {x.data(), up.data(), bits.data(), sums.data(), maxima.data(), integers.data(), ballots.data(),
                         elected.data()}));
        for (size_t w = 0; w < 64; w += 32) {
            auto wide = [&](size_t lane) { return uint64_t{gpu::float_bits(x[w + lane])} << 32 | (w + lane); };
            float tree[32];
            uint32_t ballot = 0;
            int32_t squares = 0;
            int32_t leaders = 0;
            for (size_t i = 0; i < 32; ++i) {
                tree[i] = x[w + i];
                ballot |= static_cast<uint32_t>(x[w + i] > 0) << i;
                squares += static_cast<int32_t>((w + i) * (w + i));
                leaders += elected[w + i];
            }
            for (size_t distance = 16; distance > 0; distance /= 2) {
                for (size_t i = 0; i < distance; ++i) tree[i] += tree[i + distance];
            }
            CHECK(leaders == 1);
            for (size_t i = 0; i < 32; ++i) {
                CHECK(up[w + i] == double{x[w + (i >= 3 ? i - 3 : i)]} + 2 * double{x[w + (i + 5 < 32 ? i + 5 : i)]});
                CHECK(bits[w + i] == (wide(i ^ 9) ^ wide(17)));
                CHECK(sums[w + i] == tree[0]);
                CHECK(maxima[w + i] == *std::max_element(x.begin() + w, x.begin() + w + 32));
                CHECK(integers[w + i] == squares);
                CHECK(ballots[w + i] == ballot + 1);
            }
        }
    });
}

// ---- barriers ------------------------------------------------------------------------------------------------------

struct RoundsArgs {
    int32_t* wrong;
    int32_t rounds;
};
struct RoundsShared {
    int32_t values[2][256];
    int32_t pairs[256];
};

// Each round reads what another warp wrote in it; the named barriers join warps 0 and 1, 2 and 3, ...; the masks of
// sync_warp join halves of a warp.
__global__ void rounds_kernel(RoundsArgs p) {
    RoundsShared& s = gpu::shared<RoundsShared>();
    int t = static_cast<int>(threadIdx.x);
    for (int round = 0; round < p.rounds; ++round) {
        s.values[round % 2][t] = round * 1000 + t;
        __syncthreads();
        int other = (t + 32 * (round + 1)) % 256;
        if (s.values[round % 2][other] != round * 1000 + other) gpu::atomic_add(p.wrong, 1);

        s.pairs[t] = round + t;
        gpu::barrier(1 + gpu::warp() / 2, 64);
        if (s.pairs[t ^ 32] != round + (t ^ 32)) gpu::atomic_add(p.wrong, 1);
        gpu::barrier(1 + gpu::warp() / 2, 64);

        s.pairs[t] = -t;
        gpu::sync_warp(gpu::lane() < 16 ? 0xffffu : 0xffff0000u);
        if (s.pairs[t ^ 8] != -(t ^ 8)) gpu::atomic_add(p.wrong, 1);
        gpu::sync_warp();
    }
}

void barriers_join_threads() {
    for_seeds([](uint64_t) {
        int32_t wrong = 0;
        CHECK_CLEAN(RUN(shape(4, 256, sizeof(RoundsShared)), rounds_kernel, {&wrong, 6}));
        CHECK(wrong == 0);
    });
}

// ---- atomics -------------------------------------------------------------------------------------------------------

struct AtomicArgs {
    uint32_t* sum;
    int32_t* least;
    uint64_t* most;
    uint32_t* lock;
    uint32_t* guarded;  // not atomic
    uint32_t* done;
    uint32_t* last_sum;
};
struct AtomicShared {
    uint32_t count;
};

__global__ void atomic_kernel(AtomicArgs p) {
    AtomicShared& s = gpu::shared<AtomicShared>();
    if (threadIdx.x == 0) gpu::atomic_exchange(&s.count, 0u);
    __syncthreads();
    gpu::atomic_add(&s.count, 1u);
    gpu::atomic_add(p.sum, threadIdx.x);
    gpu::atomic_min(p.least, -static_cast<int32_t>(threadIdx.x));
    gpu::atomic_max(p.most, uint64_t{blockIdx.x} << 40);
    __syncthreads();
    if (threadIdx.x == 0) {
        while (gpu::atomic_cas(p.lock, 0u, 1u) != 0u) {
        }
        gpu::fence();
        *p.guarded += s.count;
        gpu::fence();
        gpu::atomic_exchange(p.lock, 0u);
        // The last block reads what all have written.
        if (gpu::atomic_add_acq_rel(p.done, 1u) == gridDim.x - 1) *p.last_sum = gpu::load_relaxed(p.sum) + *p.guarded;
    }
}

void atomics_are_atomic() {
    for_seeds([](uint64_t) {
        uint32_t sum = 0, lock = 0, guarded = 0, done = 0, last_sum = 0;
        int32_t least = 5;
        uint64_t most = 7;
        constexpr uint32_t kBlocks = 16, kThreads = 64;
        CHECK_CLEAN(RUN(shape(kBlocks, kThreads, sizeof(AtomicShared)), atomic_kernel,
                        {&sum, &least, &most, &lock, &guarded, &done, &last_sum}));
        CHECK(sum == kBlocks * kThreads * (kThreads - 1) / 2);
        CHECK(least == -63);
        CHECK(most == uint64_t{kBlocks - 1} << 40);
        CHECK(guarded == kBlocks * kThreads);
        CHECK(last_sum == sum + guarded);
    });
}

// ---- co-resident blocks --------------------------------------------------------------------------------------------

struct RingArgs {
    uint32_t* tickets;  // [blocks]
    uint32_t* arrived;
    uint32_t* values;  // [2][blocks], not atomic
    uint32_t* wrong;
    uint32_t rounds;
};

// Blocks wait for their left neighbour, then all for all.
__global__ void ring_kernel(RingArgs p) {
    for (uint32_t round = 0; round < p.rounds; ++round) {
        if (threadIdx.x == 0) {
            uint32_t left = (blockIdx.x + gridDim.x - 1) % gridDim.x;
            if (blockIdx.x != 0) {
                while (gpu::load_acquire(p.tickets + left) <= round) {
                }
            }
            uint32_t* values = p.values + round % 2 * gridDim.x;
            values[blockIdx.x] = blockIdx.x == 0 ? round : values[left] + 1;
            gpu::store_release(p.tickets + blockIdx.x, round + 1);
            gpu::atomic_add_acq_rel(p.arrived, 1u);
            while (gpu::load_acquire(p.arrived) < (round + 1) * gridDim.x) {
            }
            if (values[gridDim.x - 1] != round + gridDim.x - 1) gpu::atomic_add(p.wrong, 1u);
        }
        __syncthreads();
    }
}

void co_resident_blocks_wait_for_each_other() {
    for_seeds([](uint64_t) {
        constexpr uint32_t kBlocks = 12;
        std::vector<uint32_t> tickets(kBlocks), values(2 * kBlocks);
        uint32_t arrived = 0, wrong = 0;
        gpu::LaunchShape grid = shape(kBlocks, 64);
        grid.co_resident = true;
        CHECK_CLEAN(RUN(grid, ring_kernel, {tickets.data(), &arrived, values.data(), &wrong, 5}));
        CHECK(wrong == 0 && arrived == 5 * kBlocks);
    });
}

// ---- seeds ---------------------------------------------------------------------------------------------------------

struct OrderArgs {
    uint32_t* next;
    uint32_t* order;  // [2][threads]
};

__global__ void order_kernel(OrderArgs p) {
    p.order[gpu::atomic_add(p.next, 1u)] = threadIdx.x;
    __syncthreads();
    p.order[gpu::atomic_add(p.next, 1u)] = threadIdx.x;
}

std::vector<uint32_t> order_of(uint64_t seed) {
    simt::set_seed(seed);
    uint32_t next = 0;
    std::vector<uint32_t> order(512);
    CHECK_CLEAN(RUN(shape(1, 256), order_kernel, {&next, order.data()}));
    simt::set_seed(0);
    return order;
}

void a_seed_is_an_order() {
    std::vector<uint32_t> first = order_of(0);
    CHECK(std::is_sorted(first.begin(), first.begin() + 256));
    for (uint64_t seed : {1, 2, 7}) {
        CHECK(order_of(seed) == order_of(seed));
        CHECK(order_of(seed) != first);
        CHECK(order_of(seed) != order_of(seed + 1));
    }
}

// ---- the way through a device's stream -----------------------------------------------------------------------------

__global__ void fail_kernel(OrderArgs) {
    if (threadIdx.x < 7) __syncthreads();
}

void launches_go_through_a_stream() {
    static const ct::BackendHost host{
        ct::kBackendBytes,
        [](int32_t status, const char* text) { return ct::fail(status, "%s", text); },
        [](ct_stream* stream, const ct::Operation& operation) { return ct::enqueue_operation(stream, operation); },
        [](ct_device* device, const char* text) { ct::lose_device(device, text); },
    };
    simt::set_host(&host);
    ct_device* device = nullptr;
    ct_stream* stream = nullptr;
    CHECK_OK(ct_device_open(&device, "simt:0", nullptr));
    if (!device) return;
    CHECK_OK(ct_stream_create(&stream, device));
    ct::LaunchContext context{stream, &simt::kLimits};
    std::vector<int32_t> counts(64);
    IdentityArgs arguments{counts.data()};
    CHECK_OK(GPU_LAUNCH(context, shape(2, 32), identity_kernel, arguments));
    CHECK_OK(GPU_LAUNCH(context, shape(0, 32), identity_kernel, arguments));
    CHECK_OK(ct_stream_synchronize(stream));
    CHECK(counts[63] == 32);
    CHECK_STATUS(GPU_LAUNCH(context, shape(1, 32, 101377), identity_kernel, arguments), CT_INVALID);
    CHECK(std::string(ct_last_error()) == "identity_kernel: shared_bytes=101377 must be in [0, 101376]");
    CHECK_STATUS(GPU_LAUNCH(context, shape(1, 1025), identity_kernel, arguments), CT_INVALID);
    CHECK(std::string(ct_last_error()) == "identity_kernel: threads=1025 must be in [1, 1024]");
    gpu::LaunchShape crowd = shape(25, 256);
    crowd.co_resident = true;
    CHECK_STATUS(GPU_LAUNCH(context, crowd, identity_kernel, arguments), CT_INVALID);

    CHECK_OK(GPU_LAUNCH(context, shape(1, 32), fail_kernel, OrderArgs{}));
    CHECK_OK(GPU_LAUNCH(context, shape(2, 32), identity_kernel, arguments));  // behind it, so it does not run
    CHECK_STATUS(ct_stream_synchronize(stream), CT_DEVICE_LOST);
    CHECK(std::strstr(ct_last_error(), "divergent barrier") != nullptr);
    CHECK(counts[63] == 32);
    ct_stream_destroy(stream);
    CHECK_OK(ct_device_close(device));
}

// ---- what a switch costs; printed, not checked ---------------------------------------------------------------------

struct SwitchArgs {
    float* y;
    int32_t rounds;
};

__global__ void switch_kernel(SwitchArgs p) {
    float value = static_cast<float>(threadIdx.x);
    for (int i = 0; i < p.rounds; ++i) value = gpu::shuffle_xor(value, 1);
    if (threadIdx.x == 0) *p.y = value;
}

void print_cost_of_a_switch() {
    constexpr int kRounds = 1000, kThreads = 256;
    float y;
    auto begin = std::chrono::steady_clock::now();
    CHECK_CLEAN(RUN(shape(1, kThreads), switch_kernel, {&y, kRounds}));
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("simt: %.1f ns for a lane's part of a collective\n", seconds * 1e9 / (kRounds * kThreads));
}

}  // namespace
}  // namespace simt_test

int main(int argc, char** argv) {
    using namespace simt_test;
    if (argc == 3 && std::strcmp(argv[1], "--planted") == 0) return run_planted_bug(argv[2]);
    every_thread_of_every_block_runs_once();
    lanes_exchange_as_in_plain_loops();
    barriers_join_threads();
    atomics_are_atomic();
    matrices_are_right();
    copies_arrive();
    co_resident_blocks_wait_for_each_other();
    a_seed_is_an_order();
    launches_go_through_a_stream();
    print_cost_of_a_switch();
    planted_bugs_are_found(argv[0]);
    return testing::finish("simt");
}
