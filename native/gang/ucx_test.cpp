// ucx_test.cpp: ranks over UCX as forked processes: what arrives, and what each rank hears when one fails.
#include "gang/ucx_test.h"

#include <cstdlib>

namespace {

using namespace testing::ranks;

// ---- what arrives --------------------------------------------------------------------------------------------------

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

}  // namespace

int main() {
    if (!begin()) return testing::finish("ucx");
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
    stoppedRanksAreMissedAndHearOfIt();
    whoLeavesIsNotWaitedFor();
    return testing::finish("ucx");
}
