// launch.cu: the one way in which kernels are launched. Not yet run on a GPU.
//
// Predicted for a decode step of one row of a model like Qwen3-0.6B on an H200: 28 layers of 9 kernels and some ten more,
// 1.19 GB of weights, 277 us at copy bandwidth. Kernels of a graph follow each other in about 1 us where the next may
// begin early (wait_for_previous), so the step takes about 550 us. The host launches one graph, some 10 us, while the step
// before runs (StepSlot): below 2% where it is not hidden. It waits for nothing but the tokens that come back.
#include <atomic>
#include <cstdio>
#include <string_view>

#include "cuda/error.h"
#include "gpu/gpu.h"

namespace gpu {

namespace {

constexpr int64_t kMaxBlocksX = 0x7fffffff;
constexpr int32_t kMaxBlocksYZ = 65535;
constexpr int32_t kMaxThreads = 1024;
constexpr int64_t kSharedWithoutAsking = 48 * 1024;

// Which kernels may use how much shared memory on which device, so that CUDA is asked once: an open hash table of
// (kernel, device), never locked, never emptied. A full table only asks again.
class SharedGrants {
public:
    bool covers(const void* kernel, int device, int64_t bytes) const {
        const Entry* entry = find(key(kernel, device));
        return entry && entry->bytes.load(std::memory_order_acquire) >= bytes;
    }

    void add(const void* kernel, int device, int64_t bytes) {
        const uint64_t wanted = key(kernel, device);
        for (uint64_t i = 0; i < kEntries; ++i) {
            Entry& entry = entries_[(hash(wanted) + i) % kEntries];
            uint64_t held = 0;
            if (entry.key.compare_exchange_strong(held, wanted) || held == wanted) {
                int64_t before = entry.bytes.load();
                while (before < bytes && !entry.bytes.compare_exchange_weak(before, bytes)) {
                }
                return;
            }
        }
    }

private:
    static constexpr uint64_t kEntries = 4096;
    struct Entry {
        std::atomic<uint64_t> key;
        std::atomic<int64_t> bytes;
    };

    // Addresses have 57 bits at most.
    static uint64_t key(const void* kernel, int device) {
        return reinterpret_cast<uint64_t>(kernel) ^ (static_cast<uint64_t>(device) << 57);
    }
    static uint64_t hash(uint64_t key) { return (key * 0x9e3779b97f4a7c15u) >> 32; }

    const Entry* find(uint64_t wanted) const {
        for (uint64_t i = 0; i < kEntries; ++i) {
            const Entry& entry = entries_[(hash(wanted) + i) % kEntries];
            const uint64_t held = entry.key.load(std::memory_order_acquire);
            if (held == wanted) return &entry;
            if (held == 0) return nullptr;
        }
        return nullptr;
    }

    Entry entries_[kEntries];
};

constinit SharedGrants grants;

// "kernel<A, B>, arguments" without its last part.
int name_length(const char* what) {
    const std::string_view text(what);
    const size_t comma = text.rfind(',');
    return static_cast<int>(comma == std::string_view::npos ? text.size() : comma);
}

struct Launch {
    const LaunchContext& context;
    const LaunchShape& shape;
    const char* what;
    const void* kernel;

    // Every number that CUDA may object to.
    int32_t fail(cudaError_t error, const char* step) const {
        char text[384];
        std::snprintf(text, sizeof text, "%.*s: %s (grid %lld x %d x %d, %d threads, %lld bytes of shared memory)",
                      name_length(what), what, step, static_cast<long long>(shape.blocks_x), shape.blocks_y,
                      shape.blocks_z, shape.threads, static_cast<long long>(shape.shared_bytes));
        return ct::cuda::fail_with(error, text);
    }

    int32_t check() const {
        const auto refuse = [&](const char* name, int64_t value, int64_t least, int64_t most) {
            return value >= least && value <= most
                       ? static_cast<int32_t>(CT_OK)
                       : ct::fail(CT_UNSUPPORTED, "%.*s: %s=%lld must be in [%lld, %lld]", name_length(what), what,
                                  name, static_cast<long long>(value), static_cast<long long>(least),
                                  static_cast<long long>(most));
        };
        CT_TRY(refuse("blocks_x", shape.blocks_x, 0, kMaxBlocksX));
        CT_TRY(refuse("blocks_y", shape.blocks_y, 0, kMaxBlocksYZ));
        CT_TRY(refuse("blocks_z", shape.blocks_z, 0, kMaxBlocksYZ));
        CT_TRY(refuse("threads", shape.threads, 1, kMaxThreads));
        return refuse("shared_bytes", shape.shared_bytes, 0, context.limits->max_shared_bytes);
    }

    int32_t allow_shared(int device) const {
        if (shape.shared_bytes <= kSharedWithoutAsking || grants.covers(kernel, device, shape.shared_bytes)) {
            return CT_OK;
        }
        const int bytes = static_cast<int>(shape.shared_bytes);
        const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
        if (error != cudaSuccess) return fail(error, "cudaFuncSetAttribute");
        grants.add(kernel, device, shape.shared_bytes);
        return CT_OK;
    }

    int32_t run(const void* argument) const {
        cudaLaunchAttribute attributes[2];
        unsigned count = 0;
        if (shape.overlap && context.limits->compute_capability >= 90) {
            attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
            attributes[count++].val.programmaticStreamSerializationAllowed = 1;
        }
        if (shape.co_resident) {
            attributes[count].id = cudaLaunchAttributeCooperative;
            attributes[count++].val.cooperative = 1;
        }
        cudaLaunchConfig_t config{};
        config.gridDim = dim3(static_cast<unsigned>(shape.blocks_x), static_cast<unsigned>(shape.blocks_y),
                              static_cast<unsigned>(shape.blocks_z));
        config.blockDim = dim3(static_cast<unsigned>(shape.threads));
        config.dynamicSmemBytes = static_cast<size_t>(shape.shared_bytes);
        config.stream = static_cast<cudaStream_t>(context.queue);
        config.attrs = attributes;
        config.numAttrs = count;
        void* arguments[] = {const_cast<void*>(argument)};
        const cudaError_t error = cudaLaunchKernelExC(&config, kernel, arguments);
        return error == cudaSuccess ? static_cast<int32_t>(CT_OK) : fail(error, "cudaLaunchKernelExC");
    }
};

}  // namespace

int32_t launch_kernel(const LaunchContext& context, const LaunchShape& shape, const char* what, const void* kernel,
                      const void* argument) {
    const Launch launch{context, shape, what, kernel};
    CT_TRY(launch.check());
    if (shape.blocks_x == 0 || shape.blocks_y == 0 || shape.blocks_z == 0) return CT_OK;
    int device = 0;
    if (const cudaError_t error = cudaStreamGetDevice(static_cast<cudaStream_t>(context.queue), &device);
        error != cudaSuccess) {
        return launch.fail(error, "cudaStreamGetDevice");
    }
    if (const cudaError_t error = ct::cuda::use_device(device); error != cudaSuccess) {
        return launch.fail(error, "cudaSetDevice");
    }
    CT_TRY(launch.allow_shared(device));
    return launch.run(argument);
}

}  // namespace gpu
