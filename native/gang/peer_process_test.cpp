// peer_process_test.cpp: the end of another process is seen, however it comes.
#include "gang/peer_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "tests/testing.h"

using ct::gang::PeerProcess;

namespace {

pid_t child() {
    const pid_t pid = fork();
    if (pid == 0) {
        for (;;) pause();
    }
    return pid;
}

void noProcessNeverEnds() {
    const PeerProcess none;
    CHECK(!none.has_ended());
}

void aKilledProcessHasEndedBeforeAnybodyWaitsForIt() {
    const pid_t pid = child();
    PeerProcess process;
    CHECK(process.open(pid) == 0);
    CHECK(!process.has_ended());
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(!process.has_ended());
    CHECK(kill(pid, SIGKILL) == 0);
    siginfo_t info{};
    CHECK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    CHECK(process.has_ended());
    PeerProcess moved = std::move(process);
    CHECK(moved.has_ended());
    CHECK(waitpid(pid, nullptr, 0) == pid);
    CHECK(moved.has_ended());
}

void aProcessThatIsGoneIsTold() {
    const pid_t pid = child();
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, nullptr, 0) == pid);
    PeerProcess process;
    CHECK(process.open(pid) == ESRCH);
    CHECK(!process.has_ended());
}

void thisProcessHasNotEnded() {
    PeerProcess process;
    CHECK(process.open(getpid()) == 0);
    CHECK(!process.has_ended());
}

}  // namespace

int main() {
    noProcessNeverEnds();
    if (PeerProcess().open(getpid()) == 0) {
        aKilledProcessHasEndedBeforeAnybodyWaitsForIt();
        aProcessThatIsGoneIsTold();
        thisProcessHasNotEnded();
    } else {
        std::printf("skipped: this machine does not let a process watch another\n");
    }
    return testing::finish("peer_process");
}
