// core_test.cpp: devices, buffers, streams, events and graphs.
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/testing.h"

namespace {

using testing::Array;
using testing::Device;

void keepsOrderWithinAStream() {
    Device d;
    Array<int32_t> order(d, 5000);
    int32_t* at = order.at;
    static std::atomic<int32_t> next;
    next = 0;
    for (int i = 0; i < 5000; ++i) {
        CHECK_OK(ct::enqueue(d.stream, [=](ct::Team&) { at[i] = next++; }));
    }
    CHECK_OK(ct_stream_synchronize(d.stream));
    bool right = true;
    for (int i = 0; i < 5000; ++i) right = right && at[i] == i;
    CHECK(right);
}

void dealsEveryPartOnce() {
    for (int threads : {1, 2, 3, 8}) {
        Device d(threads);
        for (int64_t parts : {0, 1, 2, 7, 1000}) {
            Array<int32_t> counts(d, parts);
            int32_t* at = counts.at;
            for (int repeat = 0; repeat < 50; ++repeat) {
                CHECK_OK(ct::enqueue(d.stream, [=](ct::Team& team) {
                    team.run(parts, [=](int64_t part, int thread) {
                        if (thread >= 0 && thread < threads) std::atomic_ref(at[part]).fetch_add(1);
                    });
                }));
            }
            CHECK_OK(ct_stream_synchronize(d.stream));
            bool right = true;
            for (int64_t i = 0; i < parts; ++i) right = right && at[i] == 50;
            CHECK(right);
        }
    }
}

void blocksWhenTheQueueIsFull() {
    Device d;
    static std::atomic<bool> open;
    static std::atomic<int> enqueued;
    open = false;
    enqueued = 0;
    CHECK_OK(ct::enqueue(d.stream, [](ct::Team&) {
        while (!open) std::this_thread::yield();
    }));
    std::thread producer([&] {
        for (int i = 0; i < 3000; ++i) {
            ct::enqueue(d.stream, [](ct::Team&) {});
            ++enqueued;
        }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(enqueued < 3000);
    open = true;
    producer.join();
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(enqueued == 3000);
}

void servesManyThreadsAndStreams() {
    Device d(3);
    Array<int64_t> counts(d, 8);
    ct_stream* streams[2] = {d.stream, nullptr};
    CHECK_OK(ct_stream_create(&streams[1], d.device));
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            int64_t* at = counts.at + t;
            for (int i = 0; i < 500; ++i) ct::enqueue(streams[t % 2], [=](ct::Team&) { ++*at; });
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_OK(ct_stream_synchronize(streams[0]));
    CHECK_OK(ct_stream_synchronize(streams[1]));
    for (int t = 0; t < 8; ++t) CHECK(counts.at[t] == 500);
    CHECK_OK(ct_stream_destroy(streams[1]));
}

// On the caller's thread, before the call returns, and never beside an operation of another stream.
void runsAtOnceInAnImmediateStream() {
    Device d(2);
    ct_stream* stream = nullptr;
    CHECK_STATUS(ct_stream_create_immediate(nullptr, d.device), CT_INVALID);
    CHECK_STATUS(ct_stream_create_immediate(&stream, nullptr), CT_INVALID);
    CHECK_OK(ct_stream_create_immediate(&stream, d.device));
    static std::atomic<bool> runs;
    static std::atomic<int64_t> beside;
    runs = false;
    beside = 0;
    Array<int64_t> sums(d, 2);
    int64_t* at = sums.at;
    const auto add = [](ct::Team& team, int64_t* to) {
        if (runs.exchange(true)) ++beside;
        team.run(16, [=](int64_t part, int) { std::atomic_ref(*to).fetch_add(part); });
        runs = false;
    };
    const auto caller = std::this_thread::get_id();
    bool right = true;
    for (int64_t i = 1; i <= 500; ++i) {
        CHECK_OK(ct::enqueue(d.stream, [=](ct::Team& team) { add(team, at); }));
        bool here = false;
        bool* is_here = &here;
        CHECK_OK(ct::enqueue(stream, [=](ct::Team& team) {
            *is_here = std::this_thread::get_id() == caller;
            add(team, at + 1);
        }));
        right = right && here && at[1] == 120 * i;
    }
    CHECK(right);
    CHECK_OK(ct_stream_synchronize(stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(at[0] == 60'000 && beside == 0);
    ct_event* event = nullptr;
    CHECK_OK(ct_event_create(&event, d.device));
    CHECK_OK(ct_event_record(event, stream));
    CHECK_OK(ct_event_wait(event, 0));
    CHECK_OK(ct_stream_begin_capture(stream));
    CHECK_OK(ct::enqueue(stream, [=](ct::Team& team) { add(team, at + 1); }));
    ct_graph* graph = nullptr;
    CHECK_OK(ct_stream_end_capture(&graph, stream));
    CHECK(at[1] == 60'000);
    CHECK_OK(ct_graph_launch(graph, stream));
    CHECK(at[1] == 60'120);
    CHECK_OK(ct_graph_destroy(graph));
    CHECK_OK(ct_event_destroy(event));
    CHECK_OK(ct_stream_destroy(stream));
}

void waitsForEvents() {
    Device d;
    ct_event* event = nullptr;
    CHECK_OK(ct_event_create(&event, d.device));
    CHECK_OK(ct_event_wait(event, 0));  // never recorded
    static std::atomic<bool> open;
    open = false;
    CHECK_OK(ct::enqueue(d.stream, [](ct::Team&) {
        while (!open) std::this_thread::yield();
    }));
    CHECK_OK(ct_event_record(event, d.stream));
    CHECK_STATUS(ct_event_wait(event, 0), CT_TIMEOUT);
    CHECK_STATUS(ct_event_wait(event, 20), CT_TIMEOUT);
    CHECK(ct_last_error()[0] != '\0');
    CHECK_STATUS(ct_event_wait(event, -1), CT_INVALID);
    std::thread opener([] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        open = true;
    });
    CHECK_OK(ct_event_wait(event, INT64_MAX));
    CHECK(ct_last_error()[0] == '\0');
    opener.join();
    CHECK_OK(ct_event_record(event, d.stream));
    CHECK_OK(ct_event_destroy(event));
}

// Each of two devices adds to what the other wrote, in memory of the first.
void waitsForEventsOfAnotherDevice() {
    Device a;
    Device b;
    Array<int64_t> value(a, 1);
    ct_buffer* shared = nullptr;
    CHECK_OK(ct_buffer_share(&shared, b.device, value.buffer));
    void* address = nullptr;
    CHECK_OK(ct_buffer_host_address(&address, shared));
    CHECK(address == value.at);
    CHECK_STATUS(ct_buffer_destroy(value.buffer), CT_INVALID);
    CHECK_STATUS(ct_buffer_share(nullptr, b.device, value.buffer), CT_INVALID);
    CHECK_STATUS(ct_buffer_share(&shared, nullptr, value.buffer), CT_INVALID);
    CHECK_STATUS(ct_buffer_share(&shared, b.device, nullptr), CT_INVALID);
    ct_event* of_a = nullptr;
    ct_event* of_b = nullptr;
    CHECK_OK(ct_event_create(&of_a, a.device));
    CHECK_OK(ct_event_create(&of_b, b.device));
    CHECK_OK(ct_stream_wait_event(b.stream, of_a));  // never recorded
    CHECK_STATUS(ct_stream_wait_event(nullptr, of_a), CT_INVALID);
    CHECK_STATUS(ct_stream_wait_event(b.stream, nullptr), CT_INVALID);
    CHECK_STATUS(ct_stream_wait_event(a.stream, of_a), CT_INVALID);
    int64_t* at = value.at;
    for (int i = 0; i < 300; ++i) {
        CHECK_OK(ct::enqueue(a.stream, [=](ct::Team&) { *at = *at * 2 + 1; }));
        CHECK_OK(ct_event_record(of_a, a.stream));
        CHECK_OK(ct_stream_wait_event(b.stream, of_a));
        CHECK_OK(ct::enqueue(b.stream, [=](ct::Team&) { *at = *at / 2; }));
        CHECK_OK(ct_event_record(of_b, b.stream));
        CHECK_OK(ct_stream_wait_event(a.stream, of_b));
        CHECK_OK(ct::enqueue(a.stream, [=](ct::Team&) { *at += 3; }));
    }
    CHECK_OK(ct_stream_synchronize(a.stream));
    CHECK(value.at[0] == 900);
    CHECK_OK(ct_stream_begin_capture(a.stream));
    CHECK_STATUS(ct_stream_wait_event(a.stream, of_b), CT_INVALID);
    ct_graph* graph = nullptr;
    CHECK_OK(ct_stream_end_capture(&graph, a.stream));
    CHECK_OK(ct_graph_destroy(graph));
    CHECK_OK(ct_buffer_destroy(shared));
    CHECK_OK(ct_event_destroy(of_a));
    CHECK_OK(ct_event_destroy(of_b));
}

// A call has its place in the stream's order, and what it may block is that stream.
void callsTheHostInOrder() {
    Device d;
    Array<int64_t> value(d, 1);
    int64_t* at = value.at;
    const ct_host_function triple = [](void* argument) { *static_cast<int64_t*>(argument) *= 3; };
    CHECK_STATUS(ct_stream_call(nullptr, triple, at), CT_INVALID);
    CHECK_STATUS(ct_stream_call(d.stream, nullptr, at), CT_INVALID);
    *at = 1;
    for (int i = 0; i < 30; ++i) {
        CHECK_OK(ct_stream_call(d.stream, triple, at));
        CHECK_OK(ct::enqueue(d.stream, [=](ct::Team&) { *at = *at - 1; }));
    }
    CHECK_OK(ct_stream_synchronize(d.stream));
    int64_t expected = 1;
    for (int i = 0; i < 30; ++i) expected = expected * 3 - 1;
    CHECK(*at == expected);
    CHECK_OK(ct_stream_begin_capture(d.stream));
    CHECK_STATUS(ct_stream_call(d.stream, triple, at), CT_INVALID);
    ct_graph* graph = nullptr;
    CHECK_OK(ct_stream_end_capture(&graph, d.stream));
    CHECK_OK(ct_graph_destroy(graph));
}

// Within a call the team is free, for what the host runs at once.
void runsAtOnceWithinACall() {
    Device d(2);
    struct Within {
        ct_stream* stream;
        int64_t* at;
        int64_t refused;
    };
    Array<int64_t> sum(d, 1);
    Within within{nullptr, sum.at, 0};
    CHECK_OK(ct_stream_create_immediate(&within.stream, d.device));
    const ct_host_function add = [](void* argument) {
        Within& w = *static_cast<Within*>(argument);
        const int32_t status = ct::enqueue(w.stream, [at = w.at](ct::Team& team) {
            team.run(16, [=](int64_t part, int) { std::atomic_ref(*at).fetch_add(part); });
        });
        w.refused += status != CT_OK;
    };
    for (int i = 1; i <= 100; ++i) {
        CHECK_OK(ct_stream_call(d.stream, add, &within));
        CHECK_OK(ct::enqueue(d.stream, [at = sum.at](ct::Team& team) {
            team.run(16, [=](int64_t, int) { std::atomic_ref(*at).fetch_sub(1); });
        }));
    }
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(sum.at[0] == 100 * (120 - 16) && within.refused == 0);
    CHECK_OK(ct_stream_destroy(within.stream));
}

void replaysGraphs() {
    Device d;
    Array<int32_t> value(d, 1);
    int32_t* at = value.at;
    CHECK_OK(ct_stream_begin_capture(d.stream));
    CHECK_OK(ct::enqueue(d.stream, [=](ct::Team&) { *at = *at * 2; }));
    CHECK_OK(ct::enqueue(d.stream, [=](ct::Team&) { *at = *at + 1; }));
    ct_event* event = nullptr;
    CHECK_OK(ct_event_create(&event, d.device));
    CHECK_STATUS(ct_event_record(event, d.stream), CT_INVALID);
    CHECK_STATUS(ct_stream_begin_capture(d.stream), CT_INVALID);
    ct_graph* graph = nullptr;
    CHECK_OK(ct_stream_end_capture(&graph, d.stream));
    CHECK_STATUS(ct_stream_end_capture(&graph, d.stream), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(*at == 0);
    for (int i = 0; i < 4; ++i) CHECK_OK(ct_graph_launch(graph, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(*at == 15);
    CHECK_OK(ct_stream_begin_capture(d.stream));
    CHECK_STATUS(ct_graph_launch(graph, d.stream), CT_INVALID);
    ct_graph* empty = nullptr;
    CHECK_OK(ct_stream_end_capture(&empty, d.stream));
    CHECK_OK(ct_graph_launch(empty, d.stream));
    CHECK_OK(ct_graph_launch(graph, d.stream));
    CHECK_OK(ct_graph_destroy(graph));  // waits for the launch
    CHECK(*at == 31);
    CHECK_OK(ct_graph_destroy(empty));
    CHECK_OK(ct_event_destroy(event));
    ct_stream* abandoned = nullptr;
    CHECK_OK(ct_stream_create(&abandoned, d.device));
    CHECK_OK(ct_stream_begin_capture(abandoned));
    CHECK_OK(ct_stream_destroy(abandoned));
}

void ownsBuffersAndViews() {
    Device d;
    Device other;
    ct_buffer* parent = nullptr;
    ct_buffer* view = nullptr;
    ct_buffer* inner = nullptr;
    CHECK_OK(ct_buffer_create(&parent, d.device, 1000));
    CHECK_STATUS(ct_buffer_view(&view, parent, 8, 8), CT_INVALID);
    CHECK_STATUS(ct_buffer_view(&view, parent, 64, 937), CT_INVALID);
    CHECK_STATUS(ct_buffer_view(&view, parent, INT64_MAX - 63, 64), CT_INVALID);
    CHECK_OK(ct_buffer_view(&view, parent, 64, 936));
    CHECK_OK(ct_buffer_view(&inner, view, 128, 10));
    int64_t bytes = 0;
    CHECK_OK(ct_buffer_bytes(&bytes, inner));
    CHECK(bytes == 10);
    void* a = nullptr;
    void* b = nullptr;
    CHECK_OK(ct_buffer_host_address(&a, parent));
    CHECK_OK(ct_buffer_host_address(&b, inner));
    CHECK(static_cast<char*>(b) - static_cast<char*>(a) == 192);
    CHECK_STATUS(ct_buffer_destroy(parent), CT_INVALID);
    CHECK_STATUS(ct_buffer_destroy(view), CT_INVALID);
    CHECK_STATUS(ct_device_close(d.device), CT_INVALID);
    CHECK(std::string(ct_last_error()).find("4 handles") != std::string::npos);
    CHECK_OK(ct_fill(parent, 192, 5, 7, d.stream));
    CHECK_OK(ct_copy(parent, inner, 300, 1, 6, d.stream));
    CHECK_STATUS(ct_copy(parent, inner, 195, 0, 10, d.stream), CT_INVALID);
    CHECK_STATUS(ct_fill(parent, 999, 2, 0, d.stream), CT_INVALID);
    CHECK_STATUS(ct_fill(parent, 0, 2, 256, d.stream), CT_INVALID);
    CHECK_STATUS(ct_fill(parent, 0, 2, 0, other.stream), CT_INVALID);
    CHECK_OK(ct_stream_synchronize(d.stream));
    auto* bytes_at = static_cast<unsigned char*>(a);
    CHECK(bytes_at[191] == 0 && bytes_at[192] == 7 && bytes_at[196] == 7 && bytes_at[197] == 0);
    CHECK(bytes_at[299] == 0 && bytes_at[300] == 7 && bytes_at[303] == 7 && bytes_at[304] == 0);
    CHECK_OK(ct_buffer_destroy(inner));
    CHECK_OK(ct_buffer_destroy(view));
    CHECK_OK(ct_buffer_destroy(parent));
}

void zeroFillsLargeBuffers() {
    Device d;
    constexpr int64_t kBytes = (int64_t{5} << 20) + 3;
    for (int repeat = 0; repeat < 3; ++repeat) {
        Array<unsigned char> large(d, kBytes);
        CHECK(reinterpret_cast<uintptr_t>(large.at) % CT_BUFFER_ALIGNMENT == 0);
        unsigned char seen = 0;
        for (int64_t i = 0; i < kBytes; ++i) seen |= large.at[i];
        CHECK(seen == 0);
        CHECK_OK(ct_fill(large.buffer, 0, kBytes, 255, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        CHECK(large.at[0] == 255 && large.at[kBytes - 1] == 255 && large.at[kBytes / 2] == 255);
    }
    ct_buffer* huge = nullptr;
    CHECK_STATUS(ct_buffer_create(&huge, d.device, INT64_MAX), CT_OUT_OF_MEMORY);
    CHECK_STATUS(ct_buffer_create(&huge, d.device, int64_t{1} << 50), CT_OUT_OF_MEMORY);
    CHECK_STATUS(ct_buffer_create(&huge, d.device, 0), CT_INVALID);
}

void describesItself() {
    for (int32_t isa : {CT_ISA_AUTO, CT_ISA_SCALAR, CT_ISA_AVX2, CT_ISA_AVX512}) {
        Device d(2, isa);
        if (!d.present()) {
            CHECK(std::string(ct_last_error()).find("isa=") != std::string::npos);
            continue;
        }
        ct_device_info info{};
        info.struct_bytes = sizeof info;
        CHECK_OK(ct_device_get_info(&info, d.device));
        CHECK(info.num_threads == 2 && info.isa > 0 && (isa == CT_ISA_AUTO || info.isa == isa));
        CHECK(info.total_memory_bytes >= info.free_memory_bytes && info.free_memory_bytes > 0);
        CHECK(std::string(info.name) == "cpu" && info.processor[0] != '\0');
#if defined(__SANITIZE_THREAD__)
        if (isa == CT_ISA_SCALAR) continue;  // the probes' threads are those of the others, and each load takes long
#endif
        for (int32_t probe = 0; probe < 3; ++probe) {
            double per_second = 0;
            CHECK_OK(ct_device_probe(&per_second, d.device, probe));
            CHECK(per_second > 1e6);
            std::printf("isa %d probe %d: %.3g per second\n", info.isa, probe, per_second);
        }
    }
    ct_device* none = nullptr;
    CHECK_STATUS(ct_device_open(&none, "cuda:0", nullptr), CT_UNAVAILABLE);
    CHECK(std::string(ct_last_error()).find("cuda") != std::string::npos);
}

}  // namespace

int main() {
    keepsOrderWithinAStream();
    dealsEveryPartOnce();
    blocksWhenTheQueueIsFull();
    servesManyThreadsAndStreams();
    runsAtOnceInAnImmediateStream();
    waitsForEvents();
    waitsForEventsOfAnotherDevice();
    callsTheHostInOrder();
    runsAtOnceWithinACall();
    replaysGraphs();
    ownsBuffersAndViews();
    zeroFillsLargeBuffers();
    describesItself();
    return testing::finish("core");
}
