// mailbox_test.cpp: letters arrive whole and in order through memory of two processes, and no other's is mistaken.
#include "gang/mailbox.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/testing.h"

using ct::gang::BorrowedMemory;
using ct::gang::Inbox;
using ct::gang::LendableMemory;
using ct::gang::LetterHead;
using ct::gang::MailboxAddress;
using ct::gang::Outbox;
using ct::gang::OwnMailboxes;
using ct::gang::Place;

namespace {

constexpr int64_t kMegabyte = 1 << 20;

unsigned char byte_of(int64_t letter, int64_t i) {
    return static_cast<unsigned char>(letter * 31 + i * 7 + (i >> 8) + (i >> 16));
}

std::vector<unsigned char> part_of(int64_t letter, int64_t bytes) {
    std::vector<unsigned char> part(static_cast<size_t>(bytes));
    for (int64_t i = 0; i < bytes; ++i) part[static_cast<size_t>(i)] = byte_of(letter, i);
    return part;
}

// Sizes around a line, a piece and the whole ring, so that the ring turns over at many places; the same on both sides.
int64_t size_of_letter(int64_t letter, int64_t ring_bytes) {
    const int64_t sizes[] = {
        0, 1, 23, 24, 25, 64, 1000, 65535, 65536, 65537, ring_bytes, ring_bytes - 40, 70'001, 3 * ring_bytes + 5};
    return sizes[letter % 14];
}

void write_all(Outbox& outbox, const LetterHead& head, const unsigned char* part) {
    outbox.post(head, part);
    while (outbox.is_busy()) {
        if (!outbox.push()) std::this_thread::yield();
    }
}

void check_letter(Inbox& inbox, int64_t letter, int64_t ring_bytes) {
    const int64_t bytes = size_of_letter(letter, ring_bytes);
    std::vector<unsigned char> got(static_cast<size_t>(bytes) + 1, 0xee);
    LetterHead head{};
    inbox.expect();
    CHECK(inbox.waits());
    while (!inbox.open(&head)) std::this_thread::yield();
    CHECK(head.exchange == static_cast<uint64_t>(letter) && head.kind == letter % 7 && head.bytes == bytes);
    inbox.read_to(got.data(), head.bytes, nullptr);
    while (inbox.is_busy()) {
        if (!inbox.pull()) std::this_thread::yield();
    }
    CHECK(got.back() == 0xee);
    got.pop_back();
    CHECK(got == part_of(letter, bytes));
}

// Of a gang so small and one so large that its rings are.
void lettersArriveWholeAndInOrder() {
    for (int32_t count : {2, 256}) {
        OwnMailboxes own(true, count);
        const int64_t ring_bytes = own.address().ring_bytes;
        CHECK(ring_bytes == (count == 2 ? 2 * kMegabyte : kMegabyte / 8));
        constexpr int64_t kLetters = 70;
        std::fflush(nullptr);
        const pid_t writer = fork();
        if (writer == 0) {
            MailboxAddress address = own.address();
            address.pid = getppid();
            Outbox outbox;
            if (outbox.open(address, 1) != 0) _exit(1);
            for (int64_t letter = 0; letter < kLetters; ++letter) {
                const std::vector<unsigned char> part = part_of(letter, size_of_letter(letter, ring_bytes));
                const auto bytes = static_cast<int64_t>(part.size());
                write_all(outbox, {static_cast<uint64_t>(letter), bytes, letter % 7, ct::gang::kNowhere}, part.data());
            }
            _exit(0);
        }
        Inbox inbox = own.inbox(1);
        for (int64_t letter = 0; letter < kLetters; ++letter) check_letter(inbox, letter, ring_bytes);
        LetterHead head{};
        CHECK(!inbox.open(&head));
        CHECK(!own.inbox(0).open(&head));
        int status = -1;
        waitpid(writer, &status, 0);
        CHECK(status == 0);
    }
}

// The writer goes as far as there is room, and no further.
void whoDoesNotReadIsNotOverrun() {
    OwnMailboxes own(true, 2);
    Outbox outbox;
    CHECK(outbox.open(own.address(), 0) == 0);
    Inbox inbox = own.inbox(0);
    const std::vector<unsigned char> part = part_of(3, 5 * kMegabyte);
    outbox.post({1, 5 * kMegabyte, 0, ct::gang::kNowhere}, part.data());
    int64_t pushes = 0;
    while (outbox.push()) ++pushes;
    CHECK(pushes >= 32 && pushes <= 34);
    CHECK(outbox.is_busy());
    std::vector<unsigned char> got(part.size());
    LetterHead head{};
    CHECK(inbox.open(&head));
    inbox.read_to(got.data(), head.bytes, nullptr);
    while (inbox.is_busy()) {
        CHECK(inbox.pull() || outbox.push());
        if (!outbox.is_busy()) continue;
        outbox.push();
    }
    CHECK(!outbox.is_busy());
    CHECK(got == part);
}

// What a killed process had written is read, and the rest does not come.
void whatTheKilledWroteIsRead() {
    OwnMailboxes own(true, 2);
    std::fflush(nullptr);
    const pid_t writer = fork();
    if (writer == 0) {
        MailboxAddress address = own.address();
        address.pid = getppid();
        Outbox outbox;
        const std::vector<unsigned char> part = part_of(1, kMegabyte);
        if (outbox.open(address, 0) == 0) {
            outbox.post({1, kMegabyte, 0, ct::gang::kNowhere}, part.data());
            for (int i = 0; i < 3; ++i) outbox.push();
        }
        kill(getpid(), SIGKILL);
    }
    waitpid(writer, nullptr, 0);
    Inbox inbox = own.inbox(0);
    std::vector<unsigned char> got(static_cast<size_t>(kMegabyte));
    LetterHead head{};
    CHECK(inbox.open(&head));
    inbox.read_to(got.data(), head.bytes, nullptr);
    int64_t pulls = 0;
    while (inbox.pull()) ++pulls;
    CHECK(pulls == 3);
    CHECK(inbox.is_busy());
    CHECK(got[3 * 65536 - 1] == byte_of(1, 3 * 65536 - 1) && got[3 * 65536] == 0);
}

// A part that is lent stays where it is; the letter is not over before it is read.
void lentPartsAreReadInPlace() {
    OwnMailboxes own(true, 2);
    Outbox outbox;
    CHECK(outbox.open(own.address(), 0) == 0);
    Inbox inbox = own.inbox(0);
    LendableMemory lent;
    const uint64_t nonce = own.address().nonce;
    CHECK(lent.make(kMegabyte, true, nonce) == 0);
    BorrowedMemory borrowed;
    borrowed.of(getpid(), nonce);
    for (int64_t bytes : {kMegabyte, int64_t{1}, int64_t{262'144}, int64_t{262'145}}) {
        const std::vector<unsigned char> part = part_of(5, bytes);
        unsigned char* from = lent.start() + kMegabyte - bytes;
        std::copy(part.begin(), part.end(), from);
        outbox.post({1, bytes, 0, lent.place_of(from, bytes)}, from);
        CHECK(outbox.push());
        std::vector<unsigned char> got(part.size());
        LetterHead head{};
        CHECK(inbox.open(&head) && head.lends());
        int error = 0;
        inbox.read_to(got.data(), head.bytes, borrowed.find(head.lent, head.bytes, &error));
        for (int64_t read = 0; read < bytes; read += 262'144) {
            CHECK(outbox.is_busy() && !outbox.push());
            CHECK(inbox.pull());
        }
        CHECK(!inbox.is_busy() && !inbox.pull());
        CHECK(outbox.push() && !outbox.is_busy());
        CHECK(got == part);
    }
}

void onlyWhatIsLentIsFound() {
    LendableMemory lent, own;
    CHECK(lent.make(1000, true, 17) == 0);
    CHECK(own.make(1000, false, 17) == 0);
    CHECK(std::count(lent.start(), lent.start() + 1000, 0) == 1000);
    CHECK(std::count(own.start(), own.start() + 1000, 0) == 1000);
    CHECK(own.place_of(own.start(), 1000).file == -1);
    CHECK(lent.place_of(own.start(), 1000).file == -1);
    CHECK(lent.place_of(lent.start() - 1, 10).file == -1);
    CHECK(lent.place_of(lent.start(), 1001).file == -1);
    CHECK(lent.place_of(lent.start() + 999, 2).file == -1);
    const Place place = lent.place_of(lent.start() + 10, 990);
    CHECK(place.file >= 0);
    const auto error_of = [](uint64_t nonce, const Place& wanted, int64_t bytes) {
        BorrowedMemory borrowed;
        borrowed.of(getpid(), nonce);
        int error = 0;
        CHECK(!borrowed.find(wanted, bytes, &error));
        return error;
    };
    CHECK(error_of(18, place, 990) == ESRCH);
    CHECK(error_of(17, {1000, place.offset}, 990) == ENOENT);
    CHECK(error_of(17, place, 991) == EINVAL);
    CHECK(error_of(17, {place.file, place.offset - 11}, 10) == EINVAL);
    CHECK(error_of(17, {place.file, INT64_MAX}, 10) == EINVAL);
    CHECK(error_of(17, {place.file, -1}, 10) == EINVAL);
}

// As if the process or its descriptor were another's.
void othersAreNotMistaken() {
    OwnMailboxes own(true, 2);
    const MailboxAddress address = own.address();
    const auto refused = [&](auto change) {
        MailboxAddress wrong = address;
        change(wrong);
        Outbox outbox;
        const int error = outbox.open(wrong, 0);
        CHECK(!outbox.is_open());
        return error;
    };
    CHECK(refused([](MailboxAddress& a) { a.nonce ^= 1; }) == ESRCH);
    CHECK(refused([](MailboxAddress& a) { a.file = -1; }) == EPERM);
    CHECK(refused([](MailboxAddress& a) { a.file = 1000; }) == ENOENT);
    CHECK(refused([](MailboxAddress& a) { a.ring_bytes -= 1; }) == EINVAL);
    CHECK(refused([](MailboxAddress& a) { a.ring_bytes = 0; }) == EINVAL);
    CHECK(refused([](MailboxAddress& a) { a.ring_bytes *= 2; }) == EINVAL);
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(refused([&](MailboxAddress& a) { a.file = ends[0]; }) == ESRCH);
    for (int end : ends) ::close(end);
    Outbox outbox;
    CHECK(outbox.open(address, 2) == ESRCH);  // there are two
    CHECK(outbox.open(address, 1) == 0);
    const pid_t ended = fork();
    if (ended == 0) _exit(0);
    waitpid(ended, nullptr, 0);
    CHECK(refused([&](MailboxAddress& a) { a.pid = ended; }) == ENOENT);
}

int64_t open_files() {
    int64_t files = 0;
    DIR* folder = opendir("/proc/self/fd");
    while (readdir(folder)) ++files;
    closedir(folder);
    return files;
}

void nothingIsLeftOpen() {
    const int64_t before = open_files();
    {
        OwnMailboxes own(true, 4);
        Outbox outbox;
        CHECK(outbox.open(own.address(), 3) == 0);
        CHECK(open_files() == before + 1);
        Outbox moved = std::move(outbox);
        CHECK(moved.is_open());
    }
    CHECK(open_files() == before);
    OwnMailboxes none(false, 4);
    CHECK(none.address().file == -1);
    CHECK(open_files() == before);
}

}  // namespace

int main() {
    lettersArriveWholeAndInOrder();
    whoDoesNotReadIsNotOverrun();
    whatTheKilledWroteIsRead();
    lentPartsAreReadInPlace();
    onlyWhatIsLentIsFound();
    othersAreNotMistaken();
    nothingIsLeftOpen();
    return testing::finish("mailbox");
}
