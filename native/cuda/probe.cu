// probe.cu: the loops whose speed is the GPU's limit: the floors that benchmarks are held against. Not yet run on a
// GPU. Predicted on H200: 4.2 TB/s of copy, 60 to 65% of the 989 TFLOP/s that only wgmma reaches, 60 TFLOP/s of
// float32.
#include <cstdio>

#include "cuda/error.h"
#include "cuda/runtime.h"
#include "gpu/gpu.h"

namespace ct::cuda {

namespace {

// ---- kernels -------------------------------------------------------------------------------------------------------

constexpr int kThreads = 256;
constexpr int kVectors = 4;  // loads in flight of a thread

struct CopyArgument {
    unsigned char* to;
    const unsigned char* from;
};

// Each block copies kThreads * kVectors * 16 bytes.
__global__ void __launch_bounds__(kThreads) copy_kernel(CopyArgument a) {
    gpu::wait_for_previous();
    const int64_t first = (static_cast<int64_t>(blockIdx.x) * kThreads * kVectors + threadIdx.x) * 16;
    gpu::Vec16 v[kVectors];
#pragma unroll
    for (int i = 0; i < kVectors; ++i) v[i] = gpu::load16_once(a.from + first + int64_t{i} * kThreads * 16);
#pragma unroll
    for (int i = 0; i < kVectors; ++i) gpu::store16(a.to + first + int64_t{i} * kThreads * 16, v[i]);
}

struct FlopsArgument {
    float* sink;
    int64_t iterations;
    float value;
};

constexpr int kChains = 8;  // independent sums: hide the latency of one operation
constexpr double kBf16FlopsOfAWarp = kChains * 2.0 * 16 * 8 * 16;
constexpr double kF32FlopsOfAThread = kChains * 2.0;

__global__ void __launch_bounds__(kThreads) bf16_kernel(FlopsArgument x) {
    gpu::wait_for_previous();
    const uint32_t pair = gpu::pack_bf16(x.value, x.value);
    const uint32_t a[4] = {pair, pair, pair, pair};
    const uint32_t b[2] = {pair, pair};
    float sums[kChains][4] = {};
    for (int64_t i = 0; i < x.iterations; ++i) {
#pragma unroll
        for (float (&sum)[4] : sums) gpu::mma_bf16(sum, a, b);
    }
    float all = 0;
#pragma unroll
    for (const float (&sum)[4] : sums) all += sum[0] + sum[1] + sum[2] + sum[3];
    if (all == -1.0f) *x.sink = all;  // never: the sums are positive
}

__global__ void __launch_bounds__(kThreads) f32_kernel(FlopsArgument x) {
    gpu::wait_for_previous();
    float sums[kChains];
#pragma unroll
    for (int j = 0; j < kChains; ++j) sums[j] = static_cast<float>(j);
    for (int64_t i = 0; i < x.iterations; ++i) {
#pragma unroll
        for (float& sum : sums) sum = gpu::fma(sum, x.value, x.value);
    }
    float all = 0;
#pragma unroll
    for (float sum : sums) all += sum;
    if (all == -1.0f) *x.sink = all;
}

// ---- measuring -----------------------------------------------------------------------------------------------------

constexpr int kRuns = 5;
constexpr int kLaunchesOfARun = 8;
constexpr int64_t kIterations = 1 << 14;
constexpr int64_t kBlockBytes = int64_t{kThreads} * kVectors * 16;

// A stream, two events and memory for one measurement.
class Bench {
public:
    Bench() = default;
    ~Bench() {
        cudaFree(memory);
        if (start) cudaEventDestroy(start);
        if (end) cudaEventDestroy(end);
        if (stream) cudaStreamDestroy(stream);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    int32_t prepare(int64_t bytes) {
        CT_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
        CT_CUDA(cudaEventCreate(&start), "cudaEventCreate");
        CT_CUDA(cudaEventCreate(&end), "cudaEventCreate");
        CT_CUDA(cudaMalloc(&memory, static_cast<size_t>(bytes)), "%lld bytes to measure with",
                static_cast<long long>(bytes));
        CT_CUDA(cudaMemsetAsync(memory, 1, static_cast<size_t>(bytes), stream), "cudaMemset");
        return CT_OK;
    }

    // Seconds of the best of some runs of launch(i), i < kLaunchesOfARun.
    template <typename Launch>
    int32_t best_seconds(double* seconds, const Launch& launch) {
        *seconds = 1e30;
        for (int run = 0; run <= kRuns; ++run) {
            CT_CUDA(cudaEventRecord(start, stream), "cudaEventRecord");
            for (int i = 0; i < kLaunchesOfARun; ++i) CT_TRY(launch(i));
            CT_CUDA(cudaEventRecord(end, stream), "cudaEventRecord");
            CT_CUDA(cudaEventSynchronize(end), "the probe");
            float ms = 0;
            CT_CUDA(cudaEventElapsedTime(&ms, start, end), "cudaEventElapsedTime");
            const double took = static_cast<double>(ms) / 1e3;
            if (run > 0 && took < *seconds) *seconds = took;  // the first warms up
        }
        return CT_OK;
    }

    cudaStream_t stream = nullptr;
    cudaEvent_t start = nullptr;
    cudaEvent_t end = nullptr;
    void* memory = nullptr;
};

// Bytes read and written by a copy through a ring of buffers, each pair larger than the L2 cache.
int32_t bandwidth(const Device& device, double* per_second) {
    const int64_t least = device.l2_bytes > (int64_t{128} << 20) ? device.l2_bytes : int64_t{128} << 20;
    const int64_t bytes = gpu::ceil_div(2 * least, kBlockBytes) * kBlockBytes;
    constexpr int kBuffers = 4;
    Bench bench;
    CT_TRY(bench.prepare(kBuffers * bytes));
    const LaunchContext context{bench.stream, &device.limits};
    auto* memory = static_cast<unsigned char*>(bench.memory);
    gpu::LaunchShape shape;
    shape.blocks_x = bytes / kBlockBytes;
    shape.threads = kThreads;
    double seconds = 0;
    CT_TRY(bench.best_seconds(&seconds, [&](int i) {
        const CopyArgument argument{memory + (i + 1) % kBuffers * bytes, memory + i % kBuffers * bytes};
        return GPU_LAUNCH(context, shape, copy_kernel, argument);
    }));
    *per_second = 2.0 * static_cast<double>(bytes) * kLaunchesOfARun / seconds;
    return CT_OK;
}

int32_t flops(const Device& device, double* per_second, void (*kernel)(FlopsArgument), double flops_of_a_block) {
    Bench bench;
    CT_TRY(bench.prepare(64));
    const LaunchContext context{bench.stream, &device.limits};
    gpu::LaunchShape shape;
    shape.blocks_x = int64_t{8} * device.limits.num_sms;
    shape.threads = kThreads;
    const FlopsArgument argument{static_cast<float*>(bench.memory), kIterations, 0.5f};
    double seconds = 0;
    CT_TRY(bench.best_seconds(&seconds, [&](int) { return GPU_LAUNCH(context, shape, kernel, argument); }));
    const double iterations = static_cast<double>(shape.blocks_x) * kIterations * kLaunchesOfARun;
    *per_second = flops_of_a_block * iterations / seconds;
    return CT_OK;
}

}  // namespace

int32_t probe(void* context, double* per_second, int32_t probe) {
    const Device& device = *static_cast<const Device*>(context);
    CT_ON_DEVICE(device.ordinal);
    switch (probe) {
        case CT_PROBE_READ_BANDWIDTH:
            return bandwidth(device, per_second);
        case CT_PROBE_BF16_FLOPS:
            return flops(device, per_second, bf16_kernel, kBf16FlopsOfAWarp * kThreads / gpu::kWarp);
        default:
            return flops(device, per_second, f32_kernel, kF32FlopsOfAThread * kThreads);
    }
}

}  // namespace ct::cuda
