// ucx_host_test.cpp: ranks of one host as forked processes: what goes through mailboxes and lent memory, and who is missed.
#include "gang/mailbox.h"
#include "gang/mailbox_limits.h"
#include "gang/ucx_test.h"

namespace {

using namespace testing::ranks;

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

}  // namespace

int main() {
    if (!begin()) return testing::finish("ucx_host");
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
    return testing::finish("ucx_host");
}
