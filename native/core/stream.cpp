// stream.cpp: streams, events and graphs. One runner thread a device executes the operations of its streams, each
// stream's in order, as thread 0 of the team.
#include "core/stream.h"

#include <chrono>

namespace ct {

namespace {

// Round robin over the streams, so that none starves.
ct_stream* next_stream(ct_device::Queue& queue) {
    std::lock_guard lock(queue.streams_mutex);
    size_t count = queue.streams.size();
    for (size_t i = 0; i < count; ++i) {
        queue.turn = queue.turn + 1 < count ? queue.turn + 1 : 0;
        ct_stream* stream = queue.streams[queue.turn];
        if (stream->head.load(std::memory_order_relaxed) != stream->tail.load(std::memory_order_acquire)) return stream;
    }
    return nullptr;
}

void run_operations(ct_device* device) {
    ct_device::Queue& queue = *device->queue;
    for (;;) {
        queue.work.wait([&] {
            return queue.pending.load(std::memory_order_acquire) > 0 || queue.stop.load(std::memory_order_acquire);
        });
        ct_stream* stream = next_stream(queue);
        if (!stream) {
            if (queue.stop.load(std::memory_order_acquire)) return;
            continue;
        }
        queue.pending.fetch_sub(1, std::memory_order_relaxed);
        uint64_t head = stream->head.load(std::memory_order_relaxed);
        const Operation& operation = stream->ring[head % kRingOperations];
        {
            TeamLock lock(device);
            operation.run(operation.self, *device->team);
        }
        stream->head.store(head + 1, std::memory_order_release);
        // From here on the stream may be gone: its owner was only waiting for head.
        queue.done.notify();
    }
}

}  // namespace

void start_queue(ct_device* device) {
    device->queue = new ct_device::Queue;
    try {
        device->queue->runner = std::thread([device] { run_operations(device); });
    } catch (...) {
        delete device->queue;
        device->queue = nullptr;
        throw;
    }
}

void stop_queue(ct_device* device) {
    device->queue->stop.store(true, std::memory_order_release);
    device->queue->work.notify();
    device->queue->runner.join();
    delete device->queue;
    device->queue = nullptr;
}

TeamLock::TeamLock(ct_device* device) : device_(device) { device_->queue->team_mutex.lock(); }
TeamLock::~TeamLock() { device_->queue->team_mutex.unlock(); }

FreeTeam::FreeTeam(ct_device* device)
    : device_(device->queue && device->queue->team_mutex.try_lock() ? device : nullptr) {}
FreeTeam::~FreeTeam() {
    if (device_) device_->queue->team_mutex.unlock();
}
Team* FreeTeam::team() const { return device_ ? device_->team : nullptr; }

TeamPause::TeamPause(ct_device* device) : device_(device) { device_->queue->team_mutex.unlock(); }
TeamPause::~TeamPause() { device_->queue->team_mutex.lock(); }

ct_device* device_of(const ct_stream* stream) { return stream->device; }

const DeviceRuntime* runtime_of(const ct_device* device) {
    return device->backend ? device->backend->runtime : nullptr;
}

int32_t enqueue_operation(ct_stream* stream, const Operation& operation) {
    if (!stream) return fail(CT_INVALID, "enqueue: stream is null");
    CT_TRY(check_device("enqueue", stream->device));
    return enqueue_checked(stream, operation);
}

int32_t enqueue_checked(ct_stream* stream, const Operation& operation) {
    std::lock_guard lock(stream->mutex);
    if (stream->capture) {
        try {
            stream->capture->operations.push_back(operation);
        } catch (const std::bad_alloc&) {
            return fail(CT_OUT_OF_MEMORY, "capture: host memory is exhausted after %zu operations",
                        stream->capture->operations.size());
        }
        return ok();
    }
    ct_device::Queue& queue = *stream->device->queue;
    if (!stream->ring) {
        TeamLock team(stream->device);
        operation.run(operation.self, *stream->device->team);
        return ok();
    }
    uint64_t tail = stream->tail.load(std::memory_order_relaxed);
    queue.done.wait([&] { return tail - stream->head.load(std::memory_order_acquire) < kRingOperations; });
    stream->ring[tail % kRingOperations] = operation;
    stream->tail.store(tail + 1, std::memory_order_release);
    queue.pending.fetch_add(1, std::memory_order_release);
    queue.work.notify();
    return ok();
}

namespace {

// Waits until the stream has run what was enqueued before the call.
void drain(ct_stream* stream) {
    uint64_t target = stream->tail.load(std::memory_order_acquire);
    stream->device->queue->done.wait([&] { return stream->head.load(std::memory_order_acquire) >= target; });
}

bool is_capturing(ct_stream* stream) {
    std::lock_guard lock(stream->mutex);
    return stream->capture != nullptr;
}

// Never backwards: two streams may reach two recordings of one event in any order.
void reach(ct_event* event, uint64_t generation) {
    ct_device::Queue& queue = *event->device->queue;
    std::atomic<uint64_t>& reached = event->reached;
    uint64_t seen = reached.load(std::memory_order_relaxed);
    while (seen < generation && !reached.compare_exchange_weak(seen, generation, std::memory_order_release)) {
    }
    queue.reached.notify();  // the event may be gone
}

int32_t refuse_native(const char* function, const ct_device* device) {
    return fail(CT_UNSUPPORTED, "%s: %s has no runtime of its own", function, device->name);
}

// A runtime's status: a lost device stays lost.
int32_t settle(ct_device* device, int32_t status) {
    if (status == CT_OK) return ok();
    if (status == CT_DEVICE_LOST) lose_device(device, ct_last_error());
    return status;
}

}  // namespace
}  // namespace ct

namespace ct {
namespace {

int32_t create_stream(const char* function, ct_stream** stream, ct_device* device, bool is_immediate) {
    if (!stream) return fail(CT_INVALID, "%s: stream is null", function);
    if (!device) return fail(CT_INVALID, "%s: device is null", function);
    CT_TRY(check_device(function, device));
    auto created = std::make_unique<ct_stream>(device, is_immediate);
    if (const auto* runtime = runtime_of(device)) {
        CT_TRY(settle(device, runtime->stream_create(device->context, &created->native)));
    } else if (created->ring) {
        std::lock_guard lock(device->queue->streams_mutex);
        device->queue->streams.push_back(created.get());
    }
    device->children.fetch_add(1);
    *stream = created.release();
    return ok();
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_stream_create(ct_stream** stream, ct_device* device) {
    CT_GUARD({ return ct::create_stream(__func__, stream, device, false); })
}

extern "C" int32_t ct_stream_create_immediate(ct_stream** stream, ct_device* device) {
    CT_GUARD({ return ct::create_stream(__func__, stream, device, true); })
}

extern "C" int32_t ct_stream_destroy(ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    ct_device* device = stream->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        // A lost device cannot tell whether it has ended; its handles go all the same.
        runtime->stream_destroy(device->context, stream->native);
    } else {
        ct::drain(stream);
        std::lock_guard lock(device->queue->streams_mutex);
        std::erase(device->queue->streams, stream);
    }
    delete stream;
    device->children.fetch_sub(1);
    return ct::ok();
}

extern "C" int32_t ct_stream_synchronize(ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    ct_device* device = stream->device;
    const int32_t health = ct::check_device(__func__, device);
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(health);
        return ct::settle(device, runtime->stream_synchronize(device->context, stream->native));
    }
    ct::drain(stream);                             // a lost device too: what was enqueued before still writes
    CT_TRY(ct::check_not_lost(__func__, device));  // an operation may have lost it
    return ct::ok();
}

extern "C" int32_t ct_event_create(ct_event** event, ct_device* device) {
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(device, "device is null");
    CT_TRY(ct::check_device(__func__, device));
    CT_GUARD({
        auto created = std::make_unique<ct_event>(device);
        if (const auto* runtime = ct::runtime_of(device)) {
            CT_TRY(ct::settle(device, runtime->event_create(device->context, &created->native)));
        }
        device->children.fetch_add(1);
        *event = created.release();
        return ct::ok();
    })
}

extern "C" int32_t ct_event_destroy(ct_event* event) {
    CT_REQUIRE(event, "event is null");
    ct_device* device = event->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        runtime->event_destroy(device->context, event->native);
    } else {
        // A recording on its way would write into freed memory.
        device->queue->reached.wait([&] { return event->reached.load() >= event->recorded.load(); });
    }
    device->children.fetch_sub(1);
    delete event;
    return ct::ok();
}

extern "C" int32_t ct_event_record(ct_event* event, ct_stream* stream) {
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(event->device == stream->device, "event lives on another device than the stream");
    CT_REQUIRE(!ct::is_capturing(stream), "the stream is capturing, and events cannot be captured");
    ct_device* device = event->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(ct::check_device(__func__, device));
        event->recorded.fetch_add(1);
        return ct::settle(device, runtime->event_record(device->context, event->native, stream->native));
    }
    uint64_t generation = event->recorded.fetch_add(1) + 1;
    int32_t status = ct::enqueue(stream, [=](ct::Team&) { ct::reach(event, generation); });
    if (status != CT_OK) ct::reach(event, generation);  // nothing will, and destroying would wait for it
    return status;
}

extern "C" int32_t ct_event_wait(ct_event* event, int64_t timeout_ms) {
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(timeout_ms >= 0, "timeout_ms=%lld must be >= 0", static_cast<long long>(timeout_ms));
    ct_device* device = event->device;
    CT_TRY(ct::check_device(__func__, device));
    uint64_t generation = event->recorded.load();
    if (const auto* runtime = ct::runtime_of(device)) {
        if (generation == 0) return ct::ok();
        return ct::settle(device, runtime->event_wait(device->context, event->native, timeout_ms));
    }
    auto reached = [&] { return event->reached.load(std::memory_order_acquire) >= generation; };
    bool done = reached();
    if (!done && timeout_ms > 0) {
        constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1000;  // beyond it the clock's arithmetic could overflow
        auto timeout = std::chrono::milliseconds(timeout_ms < kYear ? timeout_ms : kYear);
        done = device->queue->reached.wait_until(ct::Signal::Clock::now() + timeout, reached);
    }
    if (!done) {
        return ct::fail(CT_TIMEOUT, "%s: not reached within timeout_ms=%lld", __func__,
                        static_cast<long long>(timeout_ms));
    }
    CT_TRY(ct::check_not_lost(__func__, device));  // an operation before the event may have lost it
    return ct::ok();
}

namespace ct {
namespace {

// A recording of an event that somebody waits for.
struct Recording {
    ct_event* event;
    uint64_t generation;

    // Ends as well where the event's device has failed: its own calls tell so.
    void await() const {
        const ct_device* device = event->device;
        if (const auto* runtime = runtime_of(device)) {
            runtime->event_wait(device->context, event->native, INT64_MAX);
        } else {
            device->queue->reached.wait([&] { return event->reached.load(std::memory_order_acquire) >= generation; });
        }
    }
};

// In a runtime's queue: an event of a device that has none.
int32_t call_await(const DeviceRuntime& runtime, ct_stream* stream, const Recording& recording) {
    auto waiter = std::make_unique<Recording>(recording);
    const auto wait = [](void* argument) { std::unique_ptr<Recording>(static_cast<Recording*>(argument))->await(); };
    const int32_t status = runtime.host_call(stream->device->context, stream->native, wait, waiter.get());
    [[maybe_unused]] const Recording* of_queue = status == CT_OK ? waiter.release() : nullptr;
    return settle(stream->device, status);
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_stream_wait_event(ct_stream* stream, ct_event* event) {
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(!ct::is_capturing(stream), "the stream is capturing");
    ct_device* device = stream->device;
    const auto* runtime = ct::runtime_of(device);
    CT_REQUIRE(runtime || event->device != device, "the event belongs to %s as the stream does, which waits for others",
               device->name);
    CT_TRY(ct::check_device(__func__, device));
    const ct::Recording recording{event, event->recorded.load()};
    if (recording.generation == 0) return ct::ok();
    CT_GUARD({
        if (!runtime) return ct::enqueue(stream, [recording](ct::Team&) { recording.await(); });
        if (!ct::runtime_of(event->device)) return ct::call_await(*runtime, stream, recording);
        return ct::settle(device, runtime->stream_wait(device->context, stream->native, event->native));
    })
}

extern "C" int32_t ct_stream_call(ct_stream* stream, ct_host_function function, void* argument) {
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(function, "function is null");
    CT_REQUIRE(!ct::is_capturing(stream), "the stream is capturing");
    ct_device* device = stream->device;
    CT_TRY(ct::check_device(__func__, device));
    CT_GUARD({
        if (const auto* runtime = ct::runtime_of(device)) {
            return ct::settle(device, runtime->host_call(device->context, stream->native, function, argument));
        }
        return ct::enqueue(stream, [=](ct::Team&) {
            const ct::TeamPause pause(device);
            function(argument);
        });
    })
}

extern "C" int32_t ct_stream_begin_capture(ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    ct_device* device = stream->device;
    CT_TRY(ct::check_device(__func__, device));
    CT_GUARD({
        std::lock_guard lock(stream->mutex);
        CT_REQUIRE(!stream->capture, "the stream is capturing already");
        auto capture = std::make_unique<ct_graph>(device);
        if (const auto* runtime = ct::runtime_of(device)) {
            CT_TRY(ct::settle(device, runtime->begin_capture(device->context, stream->native)));
        }
        stream->capture = std::move(capture);
        return ct::ok();
    })
}

extern "C" int32_t ct_stream_end_capture(ct_graph** graph, ct_stream* stream) {
    CT_REQUIRE(graph, "graph is null");
    CT_REQUIRE(stream, "stream is null");
    std::lock_guard lock(stream->mutex);
    CT_REQUIRE(stream->capture, "the stream is not capturing");
    ct_device* device = stream->device;
    std::unique_ptr<ct_graph> ended = std::move(stream->capture);  // also when what follows fails
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(ct::settle(device, runtime->end_capture(device->context, &ended->native, stream->native)));
    }
    if (const int32_t health = ct::check_device(__func__, device); health != CT_OK) {
        if (const auto* runtime = ct::runtime_of(device)) runtime->graph_destroy(device->context, ended->native);
        return health;
    }
    device->children.fetch_add(1);
    *graph = ended.release();
    return ct::ok();
}

extern "C" int32_t ct_graph_launch(ct_graph* graph, ct_stream* stream) {
    CT_REQUIRE(graph, "graph is null");
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(graph->device == stream->device, "graph lives on another device than the stream");
    CT_REQUIRE(!ct::is_capturing(stream), "the stream is capturing, and a launch cannot be captured");
    ct_device* device = graph->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(ct::check_device(__func__, device));
        return ct::settle(device, runtime->graph_launch(device->context, graph->native, stream->native));
    }
    graph->launched.fetch_add(1);
    int32_t status = ct::enqueue(stream, [=](ct::Team& team) {
        for (const ct::Operation& operation : graph->operations) operation.run(operation.self, team);
        graph->finished.fetch_add(1);
    });
    if (status != CT_OK) graph->finished.fetch_add(1);
    return status;
}

extern "C" int32_t ct_graph_destroy(ct_graph* graph) {
    CT_REQUIRE(graph, "graph is null");
    ct_device* device = graph->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        runtime->graph_destroy(device->context, graph->native);
    } else {
        device->queue->done.wait([&] { return graph->finished.load() >= graph->launched.load(); });
    }
    device->children.fetch_sub(1);
    delete graph;
    return ct::ok();
}

extern "C" int32_t ct_stream_native(void** native, const ct_stream* stream) {
    CT_REQUIRE(native, "native is null");
    CT_REQUIRE(stream, "stream is null");
    if (!ct::runtime_of(stream->device)) return ct::refuse_native(__func__, stream->device);
    *native = stream->native;
    return ct::ok();
}

extern "C" int32_t ct_buffer_device_address(void** address, const ct_buffer* buffer) {
    CT_REQUIRE(address, "address is null");
    CT_REQUIRE(buffer, "buffer is null");
    if (!buffer->device->backend) return ct::refuse_native(__func__, buffer->device);
    *address = buffer->data;
    return ct::ok();
}

extern "C" int32_t ct_weights_device_address(void** address, int64_t* stride, const ct_weights* weights) {
    CT_REQUIRE(address, "address is null");
    CT_REQUIRE(stride, "stride is null");
    CT_REQUIRE(weights, "weights is null");
    if (!ct::runtime_of(weights->device)) return ct::refuse_native(__func__, weights->device);
    CT_REQUIRE(weights->use != CT_WEIGHTS_EXPERT, "weights are for CT_WEIGHTS_EXPERT");
    *address = weights->data;
    *stride = weights->stride;
    return ct::ok();
}
