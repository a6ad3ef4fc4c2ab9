// host_rows_test.cpp: every row goes where it is to, and nothing else is touched.
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/testing.h"

namespace {

using testing::Device;

struct Case {
    int64_t rows, row_bytes;
    std::vector<unsigned char> from, to, expected;
    std::vector<int64_t> moves;

    // Rows of `to` in random order, with gaps; rows of `from` at any place.
    Case(int64_t count, int64_t bytes, testing::Random& random) : rows(count), row_bytes(bytes) {
        const int64_t places = 2 * rows + 1;
        from.resize(static_cast<size_t>(rows * row_bytes + 7));
        for (unsigned char& byte : from) byte = static_cast<unsigned char>(random.below(256));
        to.assign(static_cast<size_t>(places * row_bytes), 0xee);
        expected = to;
        std::vector<int64_t> order(static_cast<size_t>(places));
        for (int64_t i = 0; i < places; ++i) order[static_cast<size_t>(i)] = i;
        for (size_t i = order.size() - 1; i > 0; --i) {
            std::swap(order[i], order[static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1))]);
        }
        for (int64_t i = 0; i < rows; ++i) {
            const int64_t at = order[static_cast<size_t>(i)] * row_bytes;
            const int64_t source = random.below((rows - 1) * row_bytes + 8);
            moves.push_back(at);
            moves.push_back(source);
            std::copy_n(from.begin() + source, row_bytes, expected.begin() + at);
        }
    }

    int32_t run(ct_device* device) {
        return ct_host_copy_rows(to.data(), static_cast<int64_t>(to.size()), from.data(),
                                 static_cast<int64_t>(from.size()), moves.data(), rows, row_bytes, device);
    }
};

void rowsGoWhereTheyAreTo() {
    testing::Random random(5);
    for (int threads : {1, 3}) {
        Device d(threads);
        for (int64_t row_bytes : {1, 384, 40'000, 200'000}) {
            for (int64_t rows : {1, 2, 9, 700}) {
                if (rows * row_bytes > 400'000) continue;
                Case copy(rows, row_bytes, random);
                CHECK_OK(copy.run(d.device));
                CHECK(copy.to == copy.expected);
            }
        }
    }
}

// Within a call of a stream, which leaves the threads to it; and beside an operation, which has them.
void itRunsWithinACallAndBesideAnOperation() {
    testing::Random random(6);
    Device d(2);
    Case within(900, 384, random), beside(900, 384, random);
    struct Argument {
        Case* copy;
        ct_device* device;
        int32_t status;
    } argument{&within, d.device, -1};
    CHECK_OK(ct_stream_call(
        d.stream,
        [](void* given) {
            auto* a = static_cast<Argument*>(given);
            a->status = a->copy->run(a->device);
        },
        &argument));
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK_OK(argument.status);
    CHECK(within.to == within.expected);
    static std::atomic<bool> has_begun, is_over;
    CHECK_OK(ct::enqueue(d.stream, [](ct::Team&) {
        has_begun = true;
        while (!is_over) std::this_thread::yield();
    }));
    while (!has_begun) std::this_thread::yield();
    CHECK_OK(beside.run(d.device));
    is_over = true;
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK(beside.to == beside.expected);
}

void rowsOutsideAreRefused() {
    testing::Random random(7);
    Device d(1);
    for (size_t which : {0, 1}) {
        for (int64_t wrong : {int64_t{-1}, INT64_MAX, int64_t{1} << 20}) {
            Case copy(5, 384, random);
            copy.moves[6 + which] = wrong;
            const std::vector<unsigned char> before = copy.to;
            CHECK_STATUS(copy.run(d.device), CT_INVALID);
            CHECK(copy.to == before);
        }
        Case copy(5, 384, random);
        copy.moves[6 + which] = static_cast<int64_t>(which == 0 ? copy.to.size() : copy.from.size()) - 383;
        CHECK_STATUS(copy.run(d.device), CT_INVALID);
    }
    Case copy(2, 8, random);
    CHECK_STATUS(copy.run(nullptr), CT_INVALID);
    const auto refused = [&](int64_t rows, int64_t bytes) {
        return ct_host_copy_rows(copy.to.data(), 8, copy.from.data(), 8, copy.moves.data(), rows, bytes, d.device);
    };
    CHECK_STATUS(refused(-1, 8), CT_INVALID);
    CHECK_STATUS(refused(1, 0), CT_INVALID);
    CHECK_STATUS(refused(1, 9), CT_INVALID);
    CHECK_STATUS(ct_host_copy_rows(nullptr, 8, copy.from.data(), 8, copy.moves.data(), 1, 8, d.device), CT_INVALID);
    CHECK_STATUS(ct_host_copy_rows(copy.to.data(), 8, nullptr, 8, copy.moves.data(), 1, 8, d.device), CT_INVALID);
    CHECK_STATUS(ct_host_copy_rows(copy.to.data(), 8, copy.from.data(), 8, nullptr, 1, 8, d.device), CT_INVALID);
    CHECK_OK(ct_host_copy_rows(nullptr, 0, nullptr, 0, nullptr, 0, 8, d.device));
}

}  // namespace

int main() {
    rowsGoWhereTheyAreTo();
    itRunsWithinACallAndBesideAnOperation();
    rowsOutsideAreRefused();
    return testing::finish("host_rows");
}
