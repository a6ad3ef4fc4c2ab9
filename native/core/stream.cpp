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

ct_device* device_of(const ct_stream* stream) { return stream->device; }

int32_t enqueue_operation(ct_stream* stream, const Operation& operation) {
    if (!stream) return fail(CT_INVALID, "enqueue: stream is null");
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
void reach(std::atomic<uint64_t>& reached, uint64_t generation) {
    uint64_t seen = reached.load(std::memory_order_relaxed);
    while (seen < generation && !reached.compare_exchange_weak(seen, generation, std::memory_order_release)) {
    }
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_stream_create(ct_stream** stream, ct_device* device) {
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(device, "device is null");
    CT_GUARD({
        auto created = std::make_unique<ct_stream>(device);
        {
            std::lock_guard lock(device->queue->streams_mutex);
            device->queue->streams.push_back(created.get());
        }
        device->children.fetch_add(1);
        *stream = created.release();
        return ct::ok();
    })
}

extern "C" int32_t ct_stream_destroy(ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    ct::drain(stream);
    ct_device* device = stream->device;
    {
        std::lock_guard lock(device->queue->streams_mutex);
        std::erase(device->queue->streams, stream);
    }
    delete stream;
    device->children.fetch_sub(1);
    return ct::ok();
}

extern "C" int32_t ct_stream_synchronize(ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    ct::drain(stream);
    return ct::ok();
}

extern "C" int32_t ct_event_create(ct_event** event, ct_device* device) {
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(device, "device is null");
    CT_GUARD({
        *event = new ct_event(device);
        device->children.fetch_add(1);
        return ct::ok();
    })
}

extern "C" int32_t ct_event_destroy(ct_event* event) {
    CT_REQUIRE(event, "event is null");
    // A recording on its way would write into freed memory.
    event->device->queue->done.wait([&] { return event->reached.load() >= event->recorded.load(); });
    event->device->children.fetch_sub(1);
    delete event;
    return ct::ok();
}

extern "C" int32_t ct_event_record(ct_event* event, ct_stream* stream) {
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(event->device == stream->device, "event lives on another device than the stream");
    CT_REQUIRE(!ct::is_capturing(stream), "the stream is capturing, and events cannot be captured");
    uint64_t generation = event->recorded.fetch_add(1) + 1;
    return ct::enqueue(stream, [=](ct::Team&) { ct::reach(event->reached, generation); });
}

extern "C" int32_t ct_event_wait(ct_event* event, int64_t timeout_ms) {
    CT_REQUIRE(event, "event is null");
    CT_REQUIRE(timeout_ms >= 0, "timeout_ms=%lld must be >= 0", static_cast<long long>(timeout_ms));
    uint64_t generation = event->recorded.load();
    auto reached = [&] { return event->reached.load(std::memory_order_acquire) >= generation; };
    bool done = reached();
    if (!done && timeout_ms > 0) {
        constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1000;  // beyond it the clock's arithmetic could overflow
        auto timeout = std::chrono::milliseconds(timeout_ms < kYear ? timeout_ms : kYear);
        done = event->device->queue->done.wait_until(ct::Signal::Clock::now() + timeout, reached);
    }
    if (done) return ct::ok();
    return ct::fail(CT_TIMEOUT, "%s: not reached within timeout_ms=%lld", __func__, static_cast<long long>(timeout_ms));
}

extern "C" int32_t ct_stream_begin_capture(ct_stream* stream) {
    CT_REQUIRE(stream, "stream is null");
    CT_GUARD({
        std::lock_guard lock(stream->mutex);
        CT_REQUIRE(!stream->capture, "the stream is capturing already");
        stream->capture = std::make_unique<ct_graph>(stream->device);
        return ct::ok();
    })
}

extern "C" int32_t ct_stream_end_capture(ct_graph** graph, ct_stream* stream) {
    CT_REQUIRE(graph, "graph is null");
    CT_REQUIRE(stream, "stream is null");
    std::lock_guard lock(stream->mutex);
    CT_REQUIRE(stream->capture, "the stream is not capturing");
    stream->device->children.fetch_add(1);
    *graph = stream->capture.release();
    return ct::ok();
}

extern "C" int32_t ct_graph_launch(ct_graph* graph, ct_stream* stream) {
    CT_REQUIRE(graph, "graph is null");
    CT_REQUIRE(stream, "stream is null");
    CT_REQUIRE(graph->device == stream->device, "graph lives on another device than the stream");
    CT_REQUIRE(!ct::is_capturing(stream), "the stream is capturing, and a launch cannot be captured");
    graph->launched.fetch_add(1);
    return ct::enqueue(stream, [=](ct::Team& team) {
        for (const ct::Operation& operation : graph->operations) operation.run(operation.self, team);
        graph->finished.fetch_add(1);
    });
}

extern "C" int32_t ct_graph_destroy(ct_graph* graph) {
    CT_REQUIRE(graph, "graph is null");
    graph->device->queue->done.wait([&] { return graph->finished.load() >= graph->launched.load(); });
    graph->device->children.fetch_sub(1);
    delete graph;
    return ct::ok();
}
