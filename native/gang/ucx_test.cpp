// ucx_test.cpp: ranks over UCX as forked processes: what arrives, and what each rank hears when one fails.
#include "gang/ucx_test.h"

#include <cstdlib>

#include "gang/mailbox.h"
#include "gang/mailbox_limits.h"

namespace {

using namespace testing::ranks;

// ThreadSanitizer sees one process's threads: what only processes do to each other is for the other builds.
#ifdef __SANITIZE_THREAD__
constexpr bool kWatchesThreads = true;
#else
constexpr bool kWatchesThreads = false;
#endif

// ---- what arrives --------------------------------------------------------------------------------------------------

int64_t random_size(testing::Random& random, int exchange, int from, int to) {
    if (exchange % 7 == 3) return to == 0 ? 40'000 : 0;                         // all to one
    if (exchange % 7 == 5 && from != to) return 0;                              // only to itself
    if (exchange == 10 || exchange == 11) return 3'000'000 + 1000 * from + to;  // more than a mailbox holds
    const int64_t kind = random.below(4);
    return kind == 0 ? 0 : kind == 1 ? 1 + random.below(64) : random.below(kind == 2 ? 9'000 : 120'000);
}

unsigned char byte_of(int exchange, int from, int to, int64_t i) {
    return static_cast<unsigned char>(exchange * 31 + from * 7 + to * 3 + i * (1 + from) + (i >> 8));
}

// Every second time from memory that peers may read.
void exchange_all(Rank& rank) {
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

void everyPartArrives() {
    for (const char* transports : {"all", "tcp,self", "sysv,self"}) {
        for (int size : {1, 2, 4}) {
            if (kWatchesThreads && transports != std::string("all")) continue;
            run((std::string(transports) + ", ranks: " + std::to_string(size)).c_str(), size, [&](Rank& rank) {
                setenv("UCX_TLS", transports, 1);
                exchange_all(rank);
            });
        }
    }
}

// ---- failures ------------------------------------------------------------------------------------------------------

void otherKindsDoNotMeet() {
    run("kinds", 3, [](Rank& rank) {
        rank.open();
        CHECK_OK(rank.barrier());
        CHECK_STATUS(rank.barrier(100, rank.rank == 2 ? 8 : 7), CT_MISMATCH);
        CHECK(last_error_has("of kind="));
        const std::string first = ct_last_error();
        CHECK_STATUS(rank.barrier(), CT_MISMATCH);
        CHECK(last_error_has(first));
        rank.close();
    });
}

void tooMuchIsRefused() {
    for (int64_t bytes : {65, 20'000, 4'000'000, -65, -4'000'000}) {
        run("too much", 3, [bytes = std::abs(bytes), by_mail = bytes < 0](Rank& rank) {
            rank.open();
            if (by_mail) CHECK_OK(rank.barrier());
            Side receive({64, rank.rank == 0 ? 64 : bytes, 64}), send({64, 64, 64});
            if (rank.rank == 1) send = Side({bytes, 64, 64});
            std::vector<int64_t> received;
            // Who is neither sender nor receiver may have made the exchange before it hears of it.
            const int32_t status = rank.exchange(receive, received, send);
            CHECK(status == CT_MISMATCH || (rank.rank != 0 && status == CT_OK));
            CHECK_STATUS(rank.barrier(), CT_MISMATCH);
            CHECK(last_error_has("rank 1 sends rank 0 more than the 64 bytes that fit"));
            CHECK(receive.memory[static_cast<size_t>(receive.offsets[2] - 1)] == 0xee);
            rank.close();
        });
    }
}

void whoDoesNotComeIsNamed() {
    for (int64_t bytes : {0, 100, 3'000'000}) {
        run("deadline", 4, [&](Rank& rank) {
            rank.open();
            CHECK_OK(rank.barrier());
            if (rank.rank == 2) {
                wait_for(board->done, 3);
                rank.barrier(bytes);  // the others' parts are there, and what they tell comes behind
                CHECK(rank.barrier(bytes) != CT_OK);
            } else {
                const int64_t begun = now_ns();
                CHECK_STATUS(rank.barrier(bytes, 7, kSecond), CT_TIMEOUT);
                CHECK(last_error_has("rank 2"));
                CHECK(last_error_has("did not come"));
                CHECK(now_ns() - begun < 20 * kSecond);
                ++board->done;
            }
            rank.close();
        });
    }
}

// Memory of a failed exchange is not touched afterwards, though the peer that was late sends its part then.
void memoryIsLeftAloneAfterwards() {
    run("afterwards", 2, [](Rank& rank) {
        constexpr int64_t kBytes = 2'000'000;
        rank.open();
        CHECK_OK(rank.barrier());
        Side receive({kBytes, kBytes}), send({kBytes, kBytes});
        std::vector<int64_t> received;
        if (rank.rank == 0) {
            CHECK_STATUS(rank.exchange(receive, received, send, 7, kSecond / 10), CT_TIMEOUT);
            std::vector<unsigned char> before = receive.memory;
            ++board->done;
            wait_for(board->done, 2);
            CHECK(receive.memory == before);
        } else {
            std::memset(send.memory.data(), 0x11, send.memory.size());
            wait_for(board->done, 1);
            CHECK(rank.exchange(receive, received, send) != CT_OK);
            ++board->done;
        }
        rank.close();
    });
}

void killedRanksAreMissed() {
    for (const char* transports : {"all", "tcp,self"}) {
        for (int round = 0; round < 6; ++round) {
            run("killed", 3, [&](Rank& rank) {
                setenv("UCX_TLS", transports, 1);
                testing::Random random(static_cast<uint64_t>(round));
                rank.open();
                const auto late = std::chrono::microseconds(random.below(20'000));
                std::thread killer;
                if (rank.rank == 1) {
                    killer = std::thread([=] {
                        std::this_thread::sleep_for(late);
                        kill(getpid(), SIGKILL);
                    });
                }
                int32_t status = CT_OK;
                for (int i = 0; status == CT_OK; ++i) status = rank.barrier(i % 2 * 4'000'000, 7, kSecond / 2);
                CHECK(status == CT_TIMEOUT || status == CT_TRANSPORT);
                if (killer.joinable()) killer.join();
                rank.close();
            });
        }
    }
}

// ---- mailboxes ----------------------------------------------------------------------------------------------------

bool is_permitted() {
    const ct::gang::OwnMailboxes own(true, 2);
    return ct::gang::Outbox().open(own.address(), 0) == 0;
}

// One direction goes through mailboxes, or none.
void whoMayNotUseMailboxesReceivesMessages() {
    run("none of its own", 3, [](Rank& rank) {
        if (rank.rank == 1) {
            forbid_mailboxes();
            CHECK(!is_permitted());
        }
        exchange_all(rank);
    });
    run("none of others", 3, [](Rank& rank) {
        if (rank.rank == 1) {
            forbid_opening();
            CHECK(!is_permitted());
        }
        exchange_all(rank);
    });
    run("none at all", 2, [](Rank& rank) {
        forbid_mailboxes();
        exchange_all(rank);
    });
}

void allPartsButTheFirstGoThroughMailboxes() {
    run("used", 2, [](Rank& rank) {
        rank.open();
        CHECK_OK(rank.barrier(3'000'000));
        CHECK(used_of_mailboxes() < 200'000);
        CHECK_OK(rank.barrier(3'000'000));
        CHECK(used_of_mailboxes() > 4'000'000);  // two, of 2 MiB
        rank.close();
    });
}

void largePartsThatAreLentDoNot() {
    run("lent", 2, [](Rank& rank) {
        rank.open();
        rank.allocate(7'000'000);
        for (int i = 0; i < 3; ++i) CHECK_OK(rank.barrier(3'000'000));
        CHECK(used_of_mailboxes() < 200'000);
        rank.lends = false;
        CHECK_OK(rank.barrier(3'000'000));
        CHECK(used_of_mailboxes() > 4'000'000);
        rank.close();
    });
}

// Whoever has sent may write there again: the exchange ends when its peer has read all.
void whatIsLentIsReadBeforeTheExchangeEnds() {
    run("lent and written again", 2, [](Rank& rank) {
        constexpr int64_t kBytes = 2'000'000;
        rank.open();
        rank.allocate(2 * kBytes + 1000);
        CHECK_OK(rank.barrier());
        Side send({kBytes, kBytes}), receive({kBytes, kBytes});
        std::vector<int64_t> received;
        for (int round = 0; round < 50; ++round) {
            std::fill(send.memory.begin(), send.memory.end(), static_cast<unsigned char>(2 * round + rank.rank));
            CHECK_OK(rank.exchange(receive, received, send));
            std::memset(rank.lent.back(), 0xff, static_cast<size_t>(rank.lent_bytes));
            const int peer = 1 - rank.rank;
            const unsigned char* part = receive.memory.data() + receive.offsets[static_cast<size_t>(peer)];
            const auto expected = static_cast<unsigned char>(2 * round + peer);
            CHECK(std::count(part, part + kBytes, expected) == kBytes);
        }
        rank.close();
    });
}

// Rank 1 is killed while its peer may still read what it lends, or wait for it to read.
void ranksThatLendAndAreKilledAreMissed() {
    for (int round = 0; round < 8; ++round) {
        run("killed while it lends", 2, [&](Rank& rank) {
            constexpr int64_t kBytes = 8'000'000;
            rank.open();
            rank.allocate(2 * kBytes + 1000);
            CHECK_OK(rank.barrier());
            std::thread killer;
            if (rank.rank == 1) {
                killer = std::thread([=] {
                    std::this_thread::sleep_for(std::chrono::microseconds(20'000 + 700 * round));
                    kill(getpid(), SIGKILL);
                });
            }
            int32_t status = CT_OK;
            while (status == CT_OK) status = rank.barrier(kBytes, 7, 5 * kSecond);
            CHECK_STATUS(status, CT_TRANSPORT);
            CHECK(last_error_has("rank 0 has lost rank 1: its process has ended"));
            if (killer.joinable()) killer.join();
            rank.close();
        });
    }
}

void wait_for_end(pid_t pid) {
    for (std::string word; word != "Z" && word != "X";) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::ifstream status("/proc/" + std::to_string(pid) + "/status");
        while (status >> word && word != "State:") continue;
        if (!(status >> word)) return;
    }
}

// Rank 1 has written what its peer's mailbox holds of a part, and is no more when the peer comes to read it.
void ranksKilledInTheMiddleOfAPartAreMissed() {
    run("killed in a part", 2, [](Rank& rank) {
        constexpr int64_t kBytes = 3'000'000;
        rank.open();
        for (int i = 0; i < 20; ++i) CHECK_OK(rank.barrier(kBytes));
        if (rank.rank == 1) {
            Side receive({0, 0}), send({kBytes, 0});
            std::vector<int64_t> received;
            board->stopped = getpid();
            std::thread killer([] {
                std::this_thread::sleep_for(std::chrono::milliseconds(500));
                kill(getpid(), SIGKILL);
            });
            rank.exchange(receive, received, send);
            killer.join();
        }
        while (board->stopped == 0) std::this_thread::yield();
        wait_for_end(board->stopped);
        CHECK_STATUS(rank.barrier(kBytes), CT_TRANSPORT);
        CHECK(last_error_has("rank 0 has lost rank 1: its process has ended"));
        rank.close();
    });
}

// The part is large enough that the kill comes while it is written, or shortly before or after.
void ranksKilledWhileTheyWriteAreMissed() {
    for (int round = 0; round < 8; ++round) {
        run("killed while it writes", 2, [&](Rank& rank) {
            constexpr int64_t kBytes = 200'000'000;
            rank.open();
            CHECK_OK(rank.barrier());
            Side receive({0, rank.rank == 0 ? kBytes : 0}), send({rank.rank == 1 ? kBytes : 0, 0});
            ++board->done;
            wait_for(board->done, 2);
            std::thread killer;
            if (rank.rank == 1) {
                killer = std::thread([=] {
                    std::this_thread::sleep_for(std::chrono::milliseconds(1 + 5 * round));
                    kill(getpid(), SIGKILL);
                });
            }
            std::vector<int64_t> received;
            const int32_t status = rank.exchange(receive, received, send, 7, 2 * kSecond);
            if (killer.joinable()) killer.join();
            CHECK(status == CT_OK || status == CT_TRANSPORT || status == CT_TIMEOUT);
            CHECK(rank.barrier(0, 7, kSecond / 2) != CT_OK);
            rank.close();
        });
    }
}

void stoppedRanksAreMissedAndHearOfIt() {
    run("stopped", 3, [](Rank& rank) {
        rank.open();
        CHECK_OK(rank.barrier());
        if (rank.rank == 0) {
            CHECK_STATUS(rank.barrier(3'000'000, 7, kSecond / 2), CT_TIMEOUT);
            while (board->done == 0) {
                if (board->stopped > 0) kill(board->stopped, SIGCONT);
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
        } else if (rank.rank == 1) {
            CHECK_STATUS(rank.barrier(3'000'000, 7, kSecond / 2), CT_TIMEOUT);
        } else {
            board->stopped = getpid();
            raise(SIGSTOP);
            ++board->done;
            CHECK(rank.barrier(3'000'000) != CT_OK);
        }
        rank.close();
    });
}

void anotherThreadEndsTheExchange() {
    for (int size : {1, 3}) {
        run("abort", size, [](Rank& rank) {
            rank.open();
            CHECK_OK(rank.barrier());
            std::thread other;
            int32_t ended = CT_OK;
            if (rank.rank == 0) {
                other = std::thread([&] {
                    std::this_thread::sleep_for(std::chrono::milliseconds(50));
                    ended = ct_ucx_abort(rank.ucx, "the lamp is out");
                });
            }
            int32_t status = CT_OK;
            const int64_t begun = now_ns();
            while (status == CT_OK && now_ns() - begun < 60 * kSecond) status = rank.barrier(100, 7, 60 * kSecond);
            CHECK(status == CT_ABORTED);
            CHECK(last_error_has("rank 0 ended the gang: the lamp is out"));
            if (other.joinable()) other.join();
            CHECK(ended == CT_OK);
            rank.close();
        });
    }
}

void closingEndsAnExchangeOfAnotherThread() {
    run("close", 2, [](Rank& rank) {
        rank.open();
        CHECK_OK(rank.barrier());
        if (rank.rank == 0) {
            int32_t status = CT_OK;
            std::atomic<bool> begun{false};
            std::thread other([&] {
                begun = true;
                status = rank.barrier(100, 7, 60 * kSecond);
            });
            while (!begun) std::this_thread::yield();
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            rank.close();
            other.join();
            CHECK(status == CT_ABORTED);
            ++board->done;
        } else {
            wait_for(board->done, 1);
            // What rank 0 has sent may be here before word that it has left.
            int32_t status = rank.barrier(100);
            if (status == CT_OK) status = rank.barrier(100);
            CHECK_STATUS(status, CT_ABORTED);
            rank.close();
        }
    });
}

void whoLeavesIsNotWaitedFor() {
    run("leave", 3, [](Rank& rank) {
        rank.open();
        // Rank 1 leaves after the exchange that the others may still be in.
        for (int i = 0; i < 50; ++i) CHECK_OK(rank.barrier(i * 300));
        if (rank.rank != 1) {
            CHECK_STATUS(rank.barrier(10, 7, 60 * kSecond), CT_ABORTED);
            CHECK(last_error_has("rank 1 has left after 50 exchanges"));
        }
        rank.close();
    });
}

// ---- arguments -----------------------------------------------------------------------------------------------------

#define REFUSED(expression) CHECK_STATUS(expression, CT_INVALID)

void wrongArgumentsAreRefused() {
    run("arguments", 2, [](Rank& rank) {
        ct_ucx* ucx = nullptr;
        ct_ucx_options options{sizeof options, 0, 2, 50, 0};
        REFUSED(ct_ucx_open(nullptr, &options));
        REFUSED(ct_ucx_open(&ucx, nullptr));
        auto refused = [&](auto change) {
            ct_ucx_options wrong = options;
            change(wrong);
            REFUSED(ct_ucx_open(&ucx, &wrong));
        };
        refused([](auto& o) { o.struct_bytes = 7; });
        refused([](auto& o) { o.struct_bytes = sizeof o + 8; });
        refused([](auto& o) { o.rank = -1; });
        refused([](auto& o) { o.rank = 2; });
        refused([](auto& o) { o.size = 0; });
        refused([](auto& o) { o.size = CT_MAX_RANKS + 1; });
        refused([](auto& o) { o.spins = -1; });
        refused([](auto& o) { o.reserved = 1; });
        REFUSED(ct_ucx_abort(nullptr, "why"));
        REFUSED(ct_ucx_close(nullptr));

        rank.open();
        ucx = rank.ucx;
        const int peer = 1 - rank.rank;
        int64_t bytes = 0;
        unsigned char small[8];
        REFUSED(ct_ucx_address(small, &bytes, sizeof small, ucx));
        CHECK(bytes == board->address_bytes[rank.rank]);
        REFUSED(ct_ucx_address(small, nullptr, sizeof small, ucx));
        REFUSED(ct_ucx_address(nullptr, &bytes, 8, ucx));
        REFUSED(ct_ucx_connect(ucx, peer, board->address[peer], board->address_bytes[peer]));  // is connected
        REFUSED(ct_ucx_connect(ucx, rank.rank, small, 8));
        REFUSED(ct_ucx_connect(ucx, 2, small, 8));
        REFUSED(ct_ucx_connect(ucx, peer, nullptr, 8));
        int64_t some[2] = {0, 0}, negative[2] = {0, -1}, one[2] = {1, 1};
        unsigned char memory[8] = {};
        REFUSED(ct_ucx_exchange(memory, nullptr, some, some, memory, some, some, ucx, 0, 0));
        REFUSED(ct_ucx_exchange(memory, some, some, negative, memory, some, some, ucx, 0, 0));
        REFUSED(ct_ucx_exchange(memory, some, some, some, memory, some, negative, ucx, 0, 0));
        REFUSED(ct_ucx_exchange(memory, some, negative, some, memory, some, some, ucx, 0, 0));
        REFUSED(ct_ucx_exchange(nullptr, some, some, one, memory, some, some, ucx, 0, 0));
        REFUSED(ct_ucx_exchange(memory, some, some, some, nullptr, some, one, ucx, 0, 0));
        REFUSED(ct_ucx_exchange(memory, some, some, some, memory, some, some, ucx, 256, 0));
        REFUSED(ct_ucx_exchange(memory, some, some, some, memory, some, some, ucx, 0, -1));
        REFUSED(ct_ucx_exchange(memory, some, some, some, memory, some, some, nullptr, 0, 0));
        void* lent = nullptr;
        REFUSED(ct_ucx_allocate(nullptr, 8, ucx));
        REFUSED(ct_ucx_allocate(&lent, 0, ucx));
        REFUSED(ct_ucx_allocate(&lent, 8, nullptr));
        for (int64_t most : {INT64_MAX, INT64_MAX / 4})
            CHECK_STATUS(ct_ucx_allocate(&lent, most, ucx), CT_OUT_OF_MEMORY);
        CHECK(!lent);
        CHECK_OK(rank.barrier());  // nothing of this has failed the gang
        rank.close();
    });
}

void damagedAddressesAreRefused() {
    run("addresses", 1, [](Rank& rank) {
        ct_ucx_options options{sizeof options, 0, 2, 50, 0};
        ct_ucx* ucx = nullptr;
        CHECK_OK(ct_ucx_open(&ucx, &options));
        std::vector<unsigned char> address(16384);
        int64_t bytes = 0;
        CHECK_OK(ct_ucx_address(address.data(), &bytes, static_cast<int64_t>(address.size()), ucx));
        for (int64_t at : {int64_t{0}, int64_t{8}, int64_t{20}, bytes - 1}) {
            std::vector<unsigned char> damaged = address;
            damaged[static_cast<size_t>(at)] ^= 1;
            REFUSED(ct_ucx_connect(ucx, 1, damaged.data(), bytes));
        }
        for (int64_t length : {int64_t{0}, int64_t{16}, bytes - 1}) {
            REFUSED(ct_ucx_connect(ucx, 1, address.data(), length));
        }
        std::vector<unsigned char> other = address;
        other[4] ^= 1;  // of another version of UCX
        CHECK_STATUS(ct_ucx_connect(ucx, 1, other.data(), bytes), CT_MISMATCH);
        int64_t none[2] = {0, 0};
        REFUSED(ct_ucx_exchange(nullptr, none, none, none, nullptr, none, none, ucx, 0, 0));
        CHECK(last_error_has("rank 1 is not connected"));
        CHECK_OK(ct_ucx_close(ucx));
        rank.ucx = nullptr;
    });
}

// In a process of its own, so that this one never has UCX in it.
bool present() {
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

}  // namespace

int main() {
    if (!present()) return testing::finish("ucx");
    void* shared = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    board = static_cast<Board*>(shared);
    wrongArgumentsAreRefused();
    everyPartArrives();
    anotherThreadEndsTheExchange();
    closingEndsAnExchangeOfAnotherThread();
    if (kWatchesThreads) return testing::finish("ucx");
    damagedAddressesAreRefused();
    otherKindsDoNotMeet();
    tooMuchIsRefused();
    whoDoesNotComeIsNamed();
    memoryIsLeftAloneAfterwards();
    killedRanksAreMissed();
    whoMayNotUseMailboxesReceivesMessages();
    if (is_permitted()) {
        allPartsButTheFirstGoThroughMailboxes();
        largePartsThatAreLentDoNot();
        whatIsLentIsReadBeforeTheExchangeEnds();
        ranksThatLendAndAreKilledAreMissed();
        ranksKilledInTheMiddleOfAPartAreMissed();
    } else {
        std::printf("skipped: this machine does not let a process open another's memory\n");
    }
    ranksKilledWhileTheyWriteAreMissed();
    stoppedRanksAreMissedAndHearOfIt();
    whoLeavesIsNotWaitedFor();
    return testing::finish("ucx");
}
