// ucx_test.h: ranks over UCX as forked processes.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "tests/testing.h"

namespace testing::ranks {

constexpr int kMaxRanks = 4;
constexpr int64_t kSecond = 1'000'000'000;

// What the ranks of a run tell each other outside UCX.
struct Board {
    std::atomic<int> arrived;
    std::atomic<int> connected;
    std::atomic<int> done;
    std::atomic<pid_t> stopped;
    int64_t address_bytes[kMaxRanks];
    unsigned char address[kMaxRanks][16384];
};

inline Board* board = nullptr;

inline void wait_for(const std::atomic<int>& counter, int count) {
    while (counter < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

inline int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// Parts of an exchange in memory of its own, with a margin between them that must stay as it is.
struct Side {
    std::vector<int64_t> offsets, bytes;
    std::vector<unsigned char> memory;
    explicit Side(const std::vector<int64_t>& sizes) : bytes(sizes) {
        int64_t end = 64;
        for (int64_t size : sizes) {
            offsets.push_back(end);
            end += size + 64;
        }
        memory.assign(static_cast<size_t>(end), 0xee);
    }
};

struct Rank {
    int rank;
    int size;
    ct_ucx* ucx = nullptr;
    std::vector<unsigned char*> lent{};  // memory that peers read parts from
    int64_t lent_bytes = 0;
    bool lends = false;  // sends from the last of it

    void open(int32_t spins = 50) {
        ct_ucx_options options{sizeof options, rank, size, spins, 0};
        CHECK_OK(ct_ucx_open(&ucx, &options));
        CHECK_OK(ct_ucx_address(board->address[rank], &board->address_bytes[rank], sizeof board->address[rank], ucx));
        ++board->arrived;
        wait_for(board->arrived, size);
        for (int peer = 0; peer < size; ++peer) {
            if (peer == rank) continue;
            CHECK_OK(ct_ucx_connect(ucx, peer, board->address[peer], board->address_bytes[peer]));
        }
        ++board->connected;
        wait_for(board->connected, size);
    }

    void allocate(int64_t bytes) {
        void* memory = nullptr;
        CHECK_OK(ct_ucx_allocate(&memory, bytes, ucx));
        lent.push_back(static_cast<unsigned char*>(memory));
        lent_bytes = bytes;
        lends = true;
    }

    // Where what is sent lies.
    const unsigned char* place(const Side& send) const {
        if (!lends) return send.memory.data();
        CHECK(static_cast<int64_t>(send.memory.size()) <= lent_bytes);
        return std::copy(send.memory.begin(), send.memory.end(), lent.back()) - send.memory.size();
    }

    int32_t exchange(Side& receive, std::vector<int64_t>& received, const Side& send, int32_t kind = 7,
                     int64_t timeout_ns = 20 * kSecond) {
        received.assign(static_cast<size_t>(size), -1);
        return ct_ucx_exchange(receive.memory.data(), received.data(), receive.offsets.data(), receive.bytes.data(),
                               place(send), send.offsets.data(), send.bytes.data(), ucx, kind, timeout_ns);
    }

    // The same number of bytes from and to all.
    int32_t barrier(int64_t bytes = 0, int32_t kind = 7, int64_t timeout_ns = 20 * kSecond) {
        Side receive(std::vector<int64_t>(static_cast<size_t>(size), bytes));
        Side send(std::vector<int64_t>(static_cast<size_t>(size), bytes));
        std::vector<int64_t> received;
        return exchange(receive, received, send, kind, timeout_ns);
    }

    void close() { CHECK_OK(ct_ucx_close(ucx)); }
};

inline bool last_error_has(const std::string& text) {
    const std::string error = ct_last_error();
    const bool has = error.find(text) != std::string::npos;
    if (!has) std::fprintf(stderr, "the error is: %s\n", error.c_str());
    return has;
}

// Runs a function in a process for each rank. A process killed by SIGKILL, or left out of `survivors`, may end as it
// likes; all others must exit with 0. What hangs is killed and fails.
inline void run(const char* what, int size, const std::function<void(Rank&)>& body) {
    testing::context = what;
    std::memset(static_cast<void*>(board), 0, sizeof *board);
    std::fflush(nullptr);
    std::vector<pid_t> ranks;
    for (int rank = 0; rank < size; ++rank) {
        const pid_t pid = fork();
        if (pid == 0) {
            testing::failures = 0;
            alarm(100);
            Rank own{rank, size};
            body(own);
            std::fflush(nullptr);
            _exit(testing::failures > 0);
        }
        ranks.push_back(pid);
    }
    for (pid_t pid : ranks) {
        int status = 0;
        waitpid(pid, &status, 0);
        CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
}

// ThreadSanitizer sees one process's threads: what only processes do to each other is for the other builds.
#ifdef __SANITIZE_THREAD__
constexpr bool kWatchesThreads = true;
#else
constexpr bool kWatchesThreads = false;
#endif

inline int64_t random_size(testing::Random& random, int exchange, int from, int to) {
    if (exchange % 7 == 3) return to == 0 ? 40'000 : 0;                         // all to one
    if (exchange % 7 == 5 && from != to) return 0;                              // only to itself
    if (exchange == 10 || exchange == 11) return 3'000'000 + 1000 * from + to;  // more than a mailbox holds
    const int64_t kind = random.below(4);
    return kind == 0 ? 0 : kind == 1 ? 1 + random.below(64) : random.below(kind == 2 ? 9'000 : 120'000);
}

inline unsigned char byte_of(int exchange, int from, int to, int64_t i) {
    return static_cast<unsigned char>(exchange * 31 + from * 7 + to * 3 + i * (1 + from) + (i >> 8));
}

// Every second time from memory that peers may read.
inline void exchange_all(Rank& rank) {
    rank.open();
    rank.allocate(1);
    rank.allocate(20'000'000);
    testing::Random random(17);
    const auto size = static_cast<size_t>(rank.size);
    for (int exchange = 0; exchange < 60; ++exchange) {
        // Every rank draws the same sizes.
        std::vector<std::vector<int64_t>> bytes(size, std::vector<int64_t>(size));
        for (int from = 0; from < rank.size; ++from) {
            for (int to = 0; to < rank.size; ++to) {
                bytes[static_cast<size_t>(from)][static_cast<size_t>(to)] = random_size(random, exchange, from, to);
            }
        }
        Side send(bytes[static_cast<size_t>(rank.rank)]);
        rank.lends = exchange % 2 == 1;
        std::vector<int64_t> capacities(size);
        for (size_t from = 0; from < size; ++from) {
            capacities[from] = bytes[from][static_cast<size_t>(rank.rank)] + (exchange % 2 == 0 ? 0 : 100);
        }
        Side receive(capacities), expected(capacities);
        for (int peer = 0; peer < rank.size; ++peer) {
            const auto p = static_cast<size_t>(peer);
            for (int64_t i = 0; i < send.bytes[p]; ++i) {
                send.memory[static_cast<size_t>(send.offsets[p] + i)] = byte_of(exchange, rank.rank, peer, i);
            }
            for (int64_t i = 0; i < bytes[p][static_cast<size_t>(rank.rank)]; ++i) {
                expected.memory[static_cast<size_t>(expected.offsets[p] + i)] = byte_of(exchange, peer, rank.rank, i);
            }
        }
        std::vector<int64_t> received;
        CHECK_OK(rank.exchange(receive, received, send, exchange % 256));
        CHECK(receive.memory == expected.memory);
        for (size_t peer = 0; peer < size; ++peer) {
            CHECK(received[peer] == bytes[peer][static_cast<size_t>(rank.rank)]);
        }
    }
    rank.close();
}

// In a process of its own, so that this one never has UCX in it.
inline bool present() {
    const pid_t pid = fork();
    if (pid == 0) {
        ct_ucx* ucx = nullptr;
        ct_ucx_options options{sizeof options, 0, 1, 50, 0};
        const int32_t status = ct_ucx_open(&ucx, &options);
        if (status != CT_OK) std::printf("skipped: %s\n", ct_last_error());
        std::fflush(nullptr);
        _exit(status == CT_OK ? 0 : status == CT_UNSUPPORTED || status == CT_UNAVAILABLE ? 1 : 2);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// What ranks tell each other, where UCX is there.
inline bool begin() {
    if (!present()) return false;
    void* shared = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    board = static_cast<Board*>(shared);
    return true;
}

}  // namespace testing::ranks
