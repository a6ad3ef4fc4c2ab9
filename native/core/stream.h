// stream.h: what is behind the stream, event and graph handles.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/backend.h"
#include "core/signal.h"

namespace ct {

// Operations that a stream holds before enqueueing blocks: a few decode steps of a large model.
inline constexpr uint64_t kRingOperations = 1024;

// The device's runtime, or null where its streams are the library's queues.
const DeviceRuntime* runtime_of(const ct_device* device);

void start_queue(ct_device* device);
void stop_queue(ct_device* device);

}  // namespace ct

struct ct_device::Health {
    std::atomic<bool> lost{false};
    std::atomic<int64_t> calls_to_fault{0};  // 0: no fault is injected
    std::mutex mutex;
    std::string text;  // why it is lost; not changed after lost is set
};

struct ct_device::Queue {
    std::mutex team_mutex;     // held while an operation, or a call such as ct_weights_create, uses the team
    std::mutex streams_mutex;  // guards streams
    std::vector<ct_stream*> streams;
    size_t turn = 0;                  // runner only: the stream that ran last
    std::atomic<int64_t> pending{0};  // operations in all rings
    std::atomic<bool> stop{false};
    ct::Signal work;     // an operation came, or stop
    ct::Signal done;     // an operation of a ring ended
    ct::Signal reached;  // an event was: who waits for one is not woken by each operation before it
    std::thread runner;
};

struct ct_graph {
    ct_device* device;
    std::vector<ct::Operation> operations;
    std::atomic<int64_t> launched{0};
    std::atomic<int64_t> finished{0};
    void* native = nullptr;  // where the device has a runtime of its own
    explicit ct_graph(ct_device* owner) : device(owner) {}
};

struct ct_event {
    ct_device* device;
    std::atomic<uint64_t> recorded{0};  // number of recordings asked for
    std::atomic<uint64_t> reached{0};   // the latest one that a stream has passed
    void* native = nullptr;             // where the device has a runtime of its own
    explicit ct_event(ct_device* owner) : device(owner) {}
};

struct ct_stream {
    ct_device* device;
    void* native = nullptr;  // the runtime's stream, where the device has a runtime of its own
    std::mutex mutex;        // producers; guards capture
    std::unique_ptr<ct_graph> capture;
    std::unique_ptr<ct::Operation[]> ring;      // null: operations run where they are enqueued
    alignas(64) std::atomic<uint64_t> head{0};  // operations run
    alignas(64) std::atomic<uint64_t> tail{0};  // operations enqueued
    ct_stream(ct_device* owner, bool is_immediate) : device(owner) {
        if (owner->queue && !is_immediate) ring = std::make_unique_for_overwrite<ct::Operation[]>(ct::kRingOperations);
    }
};
