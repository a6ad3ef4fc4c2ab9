// kv_move_test.cpp: ct_kv_move on the CPU, and what it refuses.
#include "kernels/speculate/kv_move_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d, other;
    const MoveCase c{2, 32, 0, 16, CT_BF16};
    const ct_kv_move_params good = move_params(c, 2, 3, 4);
    Array<ct::bf16> k(d, 4 * good.block_stride), v(d, 4 * good.block_stride), foreign(other, 4 * good.block_stride);
    Array<int64_t> moves(d, 12);
    Array<int32_t> counts(d, 2);
    std::fill_n(moves.at, 12, -1);
    auto call = [&](ct_buffer* to, const ct_buffer* list, const ct_kv_move_params& p) {
        return ct_kv_move(to, v.buffer, list, nullptr, &p, d.stream);
    };
    CHECK_OK(call(k.buffer, moves.buffer, good));
    CHECK_STATUS(call(nullptr, moves.buffer, good), CT_INVALID);
    CHECK_STATUS(call(k.buffer, nullptr, good), CT_INVALID);
    CHECK_STATUS(call(foreign.buffer, moves.buffer, good), CT_INVALID);
    CHECK_STATUS(ct_kv_move(k.buffer, v.buffer, moves.buffer, nullptr, &good, nullptr), CT_INVALID);
    auto refused = [&](auto change) {
        ct_kv_move_params bad = good;
        change(bad);
        CHECK_STATUS(call(k.buffer, moves.buffer, bad), CT_INVALID);
    };
    refused([](auto& p) { p.struct_bytes = 3; });
    refused([](auto& p) { p.num_seqs = -1; });
    refused([](auto& p) { p.num_seqs = 3; });
    refused([](auto& p) { p.max_moves = -1; });
    refused([](auto& p) { p.max_moves = INT64_MAX; });
    refused([](auto& p) { p.num_slots = 80; });
    refused([](auto& p) { p.num_slots = 63; });
    refused([](auto& p) { p.block_stride -= 8; });
    refused([](auto& p) { p.block_stride += 4; });
    refused([](auto& p) { p.num_kv_heads = 0; });
    refused([](auto& p) { p.head_dim = 24; });
    refused([](auto& p) { p.head_dim_v = 8; });
    refused([](auto& p) { p.head_dim_v = 48; });
    refused([](auto& p) { p.block_size = 8; });
    refused([](auto& p) { p.kv_dtype = 4; });
    refused([](auto& p) { p.reserved = 1; });
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for (int threads : {1, 2}) {
        Device d(threads, CT_ISA_AUTO);
        movesAllShapes(d);
    }
    refusesWrongArguments();
    return finish("kv_move");
}
