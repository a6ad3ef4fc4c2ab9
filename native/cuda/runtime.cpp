// runtime.cpp: DeviceRuntime over CUDA's runtime library. Not yet run on a GPU.
#include "cuda/runtime.h"

#include <sys/prctl.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "cuda/error.h"

namespace ct::cuda {

namespace {

using Clock = std::chrono::steady_clock;

Device& device_of(void* context) { return *static_cast<Device*>(context); }
cudaStream_t stream_of(void* queue) { return static_cast<cudaStream_t>(queue); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }
cudaGraphExec_t graph_of(void* graph) { return static_cast<cudaGraphExec_t>(graph); }
long long number(int64_t value) { return static_cast<long long>(value); }

// ---- the device ----------------------------------------------------------------------------------------------------

int32_t no_driver(cudaError_t error) {
    int version = 0;
    cudaDriverGetVersion(&version);
    cudaGetLastError();
    if (version == 0) {
        return fail(CT_UNAVAILABLE,
                    "no NVIDIA driver on this machine (libcuda.so.1 is missing or its module is not loaded)");
    }
    if (error == cudaErrorInsufficientDriver) {
        return fail(CT_UNAVAILABLE, "the NVIDIA driver serves CUDA %d.%d; CUDA %d.%d needs driver 580 or later",
                    version / 1000, version % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    }
    return fail(CT_UNAVAILABLE, "the NVIDIA driver offers no GPU: %s: %s", cudaGetErrorName(error),
                cudaGetErrorString(error));
}

int32_t attribute(int* value, cudaDeviceAttr name, int ordinal) {
    CT_CUDA(cudaDeviceGetAttribute(value, name, ordinal), "attribute %d of device %d", static_cast<int>(name), ordinal);
    return CT_OK;
}

int32_t read_limits(Device& device) {
    int major = 0;
    int minor = 0;
    int l2 = 0;
    int unified = 0;
    CT_TRY(attribute(&major, cudaDevAttrComputeCapabilityMajor, device.ordinal));
    CT_TRY(attribute(&minor, cudaDevAttrComputeCapabilityMinor, device.ordinal));
    CT_TRY(attribute(&device.limits.num_sms, cudaDevAttrMultiProcessorCount, device.ordinal));
    CT_TRY(attribute(&device.limits.max_shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device.ordinal));
    CT_TRY(attribute(&l2, cudaDevAttrL2CacheSize, device.ordinal));
    CT_TRY(attribute(&unified, cudaDevAttrUnifiedAddressing, device.ordinal));
    device.limits.compute_capability = 10 * major + minor;
    device.l2_bytes = l2;
    if (device.limits.compute_capability < 80) {
        return fail(CT_UNAVAILABLE, "device %d has compute capability %d.%d; the kernels need 8.0 or later",
                    device.ordinal, major, minor);
    }
    if (!unified) return fail(CT_UNAVAILABLE, "device %d has no unified addresses", device.ordinal);
    return CT_OK;
}

int32_t open(void** context, DeviceLimits* limits, char (&processor)[128], int32_t ordinal) {
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) return no_driver(error);
    if (ordinal < 0 || ordinal >= count) {
        return fail(CT_UNAVAILABLE, "the NVIDIA driver offers %d GPUs, from cuda:0 on", count);
    }
    std::unique_ptr<Device> device(new (std::nothrow) Device{ordinal, {}, 0});
    if (!device) return fail(CT_OUT_OF_MEMORY, "host memory is exhausted");
    CT_TRY(read_limits(*device));
    CT_ON_DEVICE(ordinal);
    CT_CUDA(cudaFree(nullptr), "the primary context of device %d", static_cast<int>(ordinal));
    cudaDeviceProp properties;
    CT_CUDA(cudaGetDeviceProperties(&properties, ordinal), "properties of device %d", static_cast<int>(ordinal));
    std::snprintf(processor, sizeof processor, "%.127s", properties.name);
    *limits = device->limits;
    *context = device.release();
    return CT_OK;
}

// The primary context stays: others in this process may use it. After an error that lost the device CUDA gives the
// process no other one, and open says so.
int32_t close(void* context) {
    delete &device_of(context);
    return CT_OK;
}

int32_t memory(void* context, int64_t* total_bytes, int64_t* free_bytes) {
    CT_ON_DEVICE(device_of(context).ordinal);
    size_t total = 0;
    size_t free = 0;
    CT_CUDA(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    *total_bytes = static_cast<int64_t>(total);
    *free_bytes = static_cast<int64_t>(free);
    return CT_OK;
}

// ---- memory --------------------------------------------------------------------------------------------------------

int32_t allocate(void* context, void** address, int64_t bytes, bool host) {
    CT_ON_DEVICE(device_of(context).ordinal);
    void* memory = nullptr;
    const auto size = static_cast<size_t>(bytes);
    if (host) {
        CT_CUDA(cudaHostAlloc(&memory, size, cudaHostAllocMapped | cudaHostAllocPortable),
                "%lld bytes of pinned host memory", number(bytes));
        std::memset(memory, 0, size);
    } else {
        CT_CUDA(cudaMalloc(&memory, size), "%lld bytes of device memory", number(bytes));
        // Streams here do not wait for the default stream, so the zeros must have arrived before anyone can use them.
        cudaError_t error = cudaMemset(memory, 0, size);
        if (error == cudaSuccess) error = cudaStreamSynchronize(cudaStreamLegacy);
        if (error != cudaSuccess) {
            cudaFree(memory);
            return fail_with(error, "zeros into new device memory");
        }
    }
    *address = memory;
    return CT_OK;
}

int32_t release(void* context, void* address, bool host) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(host ? cudaFreeHost(address) : cudaFree(address), "%s", host ? "cudaFreeHost" : "cudaFree");
    return CT_OK;
}

// A copy from pageable memory may return before the device has it all: the stream's end is waited for.
int32_t upload(void* context, void* to, const void* from, int64_t bytes) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault), "upload of %lld bytes", number(bytes));
    CT_CUDA(cudaStreamSynchronize(cudaStreamLegacy), "upload of %lld bytes", number(bytes));
    return CT_OK;
}

int32_t copy(void* context, void* queue, void* to, const void* from, int64_t bytes) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_of(queue)),
            "copy of %lld bytes", number(bytes));
    return CT_OK;
}

int32_t fill(void* context, void* queue, void* to, int32_t value, int64_t bytes) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaMemsetAsync(to, value, static_cast<size_t>(bytes), stream_of(queue)), "fill of %lld bytes",
            number(bytes));
    return CT_OK;
}

// ---- streams and events --------------------------------------------------------------------------------------------

int32_t stream_create(void* context, void** queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    cudaStream_t stream = nullptr;
    CT_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    *queue = stream;
    return CT_OK;
}

int32_t stream_destroy(void* context, void* queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    const cudaError_t last = cudaStreamSynchronize(stream_of(queue));
    CT_CUDA(cudaStreamDestroy(stream_of(queue)), "cudaStreamDestroy");
    CT_CUDA(last, "what the stream had still to run");
    return CT_OK;
}

int32_t stream_synchronize(void* context, void* queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaStreamSynchronize(stream_of(queue)), "cudaStreamSynchronize");
    return CT_OK;
}

int32_t event_create(void* context, void** event) {
    CT_ON_DEVICE(device_of(context).ordinal);
    cudaEvent_t created = nullptr;
    CT_CUDA(cudaEventCreateWithFlags(&created, cudaEventDisableTiming), "cudaEventCreate");
    *event = created;
    return CT_OK;
}

int32_t event_destroy(void* context, void* event) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaEventDestroy(event_of(event)), "cudaEventDestroy");
    return CT_OK;
}

int32_t event_record(void* context, void* event, void* queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaEventRecord(event_of(event), stream_of(queue)), "cudaEventRecord");
    return CT_OK;
}

int32_t stream_wait(void* context, void* queue, void* event) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaStreamWaitEvent(stream_of(queue), event_of(event), 0), "cudaStreamWaitEvent");
    return CT_OK;
}

int32_t host_call(void* context, void* queue, void (*function)(void*), void* argument) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaLaunchHostFunc(stream_of(queue), function, argument), "cudaLaunchHostFunc");
    return CT_OK;
}

// Linux lengthens a thread's sleeps by up to its timer slack, 50 us unless it is told: as much as a decode step may lose.
void make_sleeps_sharp() {
    constexpr unsigned long kSlackNs = 1000;
    [[maybe_unused]] thread_local const int told = prctl(PR_SET_TIMERSLACK, kSlackNs, 0UL, 0UL, 0UL);
}

// CUDA has no wait with a timeout: asks again and again, without sleep for as long as a short step may take, then with
// sleeps that cost a long one next to nothing.
int32_t event_wait(void* context, void* event, int64_t timeout_ms) {
    CT_ON_DEVICE(device_of(context).ordinal);
    make_sleeps_sharp();
    constexpr auto kSpin = std::chrono::microseconds(200);
    constexpr auto kShortWait = std::chrono::milliseconds(10);
    constexpr auto kShortSleep = std::chrono::microseconds(20);
    constexpr auto kLongSleep = std::chrono::microseconds(100);
    constexpr int64_t kForeverMs = int64_t{1000} * 60 * 60 * 24 * 365;  // far below the clock's overflow
    const auto start = Clock::now();
    const auto timeout = std::chrono::milliseconds(timeout_ms < kForeverMs ? timeout_ms : kForeverMs);
    for (;;) {
        const cudaError_t state = cudaEventQuery(event_of(event));
        if (state == cudaSuccess) return CT_OK;
        if (state != cudaErrorNotReady) return fail_with(state, "cudaEventQuery");
        const auto waited = Clock::now() - start;
        if (waited >= timeout) {
            cudaGetLastError();
            return fail(CT_TIMEOUT, "the event was not reached within %lld ms", number(timeout_ms));
        }
        if (waited > kSpin) std::this_thread::sleep_for(waited > kShortWait ? kLongSleep : kShortSleep);
    }
}

// ---- graphs --------------------------------------------------------------------------------------------------------

// Relaxed: other threads go on allocating, and the first launch of a kernel may load it.
int32_t begin_capture(void* context, void* queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaStreamBeginCapture(stream_of(queue), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    return CT_OK;
}

int32_t end_capture(void* context, void** graph, void* queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    cudaGraph_t recorded = nullptr;
    CT_CUDA(cudaStreamEndCapture(stream_of(queue), &recorded), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&executable, recorded, 0);
    cudaGraphDestroy(recorded);
    CT_CUDA(error, "cudaGraphInstantiate");
    *graph = executable;
    return CT_OK;
}

int32_t graph_launch(void* context, void* graph, void* queue) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaGraphLaunch(graph_of(graph), stream_of(queue)), "cudaGraphLaunch");
    return CT_OK;
}

int32_t graph_destroy(void* context, void* graph) {
    CT_ON_DEVICE(device_of(context).ordinal);
    CT_CUDA(cudaGraphExecDestroy(graph_of(graph)), "cudaGraphExecDestroy");
    return CT_OK;
}

}  // namespace

const DeviceRuntime kRuntime{
    .open = open,
    .close = close,
    .memory = memory,
    .probe = probe,
    .allocate = allocate,
    .release = release,
    .upload = upload,
    .copy = copy,
    .fill = fill,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .stream_synchronize = stream_synchronize,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_record = event_record,
    .event_wait = event_wait,
    .stream_wait = stream_wait,
    .host_call = host_call,
    .begin_capture = begin_capture,
    .end_capture = end_capture,
    .graph_launch = graph_launch,
    .graph_destroy = graph_destroy,
};

}  // namespace ct::cuda
