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

}  // namespace testing::ranks
