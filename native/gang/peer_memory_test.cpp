// peer_memory_test.cpp: another process's memory is read while it lends it, and not mistaken for another's.
#include "gang/peer_memory.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/testing.h"

using ct::gang::LoanAddress;
using ct::gang::OwnMemory;
using ct::gang::PeerMemory;

namespace {

// A process that does as it is told, a letter at a time.
struct Child {
    int commands[2];
    int answers[2];
    pid_t pid = -1;
    LoanAddress address{};
    uint64_t part = 0;

    Child() {
        CHECK(pipe(commands) == 0 && pipe(answers) == 0);
        pid = fork();
        if (pid == 0) live();
        CHECK(::read(answers[0], &address, sizeof address) == sizeof address);
        CHECK(::read(answers[0], &part, sizeof part) == sizeof part);
    }

    ~Child() {
        if (pid > 0) end();
        for (int file : {commands[0], commands[1], answers[0], answers[1]}) ::close(file);
    }

    [[noreturn]] void live() const {
        static char bytes[6] = "bytes";
        OwnMemory own(true);
        const LoanAddress at = own.address();
        const auto from = reinterpret_cast<uint64_t>(bytes);
        bool wrote = write(answers[1], &at, sizeof at) > 0 && write(answers[1], &from, sizeof from) > 0;
        for (char command = 0; wrote && ::read(commands[0], &command, 1) == 1 && command != 'e';) {
            if (command == 'l') own.lend(5);
            if (command == 't') own.take_back();
            pid_t forked = 0;
            if (command == 'f' && (forked = fork()) == 0) {
                pause();
                _exit(0);
            }
            wrote = write(answers[1], &forked, sizeof forked) > 0;
        }
        _exit(0);
    }

    pid_t tell(char command) const {
        pid_t answer = 0;
        CHECK(write(commands[1], &command, 1) == 1);
        CHECK(::read(answers[0], &answer, sizeof answer) == sizeof answer);
        return answer;
    }

    void end() {
        CHECK(write(commands[1], "e", 1) == 1);
        waitpid(pid, nullptr, 0);
        pid = -1;
    }
};

void partsAreReadWhileTheyAreLent() {
    Child child;
    PeerMemory peer;
    CHECK(peer.open(child.address) == 0);
    CHECK(peer.is_open());
    CHECK(peer.check(5) == ECANCELED);
    child.tell('l');
    char bytes[6] = "";
    CHECK(peer.read(bytes, child.part, sizeof bytes) == 0);
    CHECK(std::strcmp(bytes, "bytes") == 0);
    CHECK(peer.check(5) == 0);
    CHECK(peer.check(4) == ECANCELED);
    child.tell('t');
    CHECK(peer.check(5) == ECANCELED);
    CHECK(peer.read(bytes, 4096, sizeof bytes) == EFAULT);
    child.end();
    CHECK(peer.read(bytes, child.part, sizeof bytes) == ESRCH);
    CHECK(peer.check(5) == ESRCH);
}

// As if the id of one that has ended were another's.
void otherProcessesAreNotMistaken() {
    Child child;
    child.tell('l');
    PeerMemory peer;
    LoanAddress other = child.address;
    other.nonce ^= 1;
    CHECK(peer.open(other) == ESRCH);
    CHECK(!peer.is_open());
    other = child.address;
    other.pid = child.tell('f');  // its memory is the same, but for the page that says who it is
    CHECK(peer.open(other) == ESRCH);
    kill(static_cast<pid_t>(other.pid), SIGKILL);
    other = child.address;
    other.loan = 4096;
    CHECK(peer.open(other) == EFAULT);
    CHECK(!peer.is_open());
}

void whoLendsNothingIsNotRead() {
    OwnMemory own(false);
    CHECK(!own.lends());
    own.lend(1);
    own.take_back();
    CHECK(PeerMemory().open(own.address()) == EPERM);
}

bool is_permitted() {
    OwnMemory own(true);
    return PeerMemory().open(own.address()) == 0;
}

}  // namespace

int main() {
    whoLendsNothingIsNotRead();
    if (is_permitted()) {
        partsAreReadWhileTheyAreLent();
        otherProcessesAreNotMistaken();
    } else {
        std::printf("skipped: this machine does not let a process read another's memory\n");
    }
    return testing::finish("peer_memory");
}
