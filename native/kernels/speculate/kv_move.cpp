// kv_move.cpp: ct_kv_move.
#include "core/backend.h"

namespace ct {
namespace {

// One sequence's moves of one head.
void move_head(const KvMoveArgs& a, int64_t seq, int64_t head, unsigned char* cache, int64_t bytes) {
    int64_t count = a.max_moves;
    if (a.counts && a.counts[seq] < count) count = a.counts[seq];
    auto at = [&](int64_t slot) {
        return cache + slot / a.block_size * a.block_bytes + (head * a.block_size + slot % a.block_size) * bytes;
    };
    for (int64_t i = 0; i < count; ++i) {
        const int64_t from = a.moves[2 * (seq * a.max_moves + i)];
        const int64_t to = a.moves[2 * (seq * a.max_moves + i) + 1];
        if (from < 0 || from >= a.num_slots || to < 0 || to >= a.num_slots || from == to) continue;
        std::memcpy(at(to), at(from), static_cast<size_t>(bytes));
    }
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_kv_move(ct_buffer* k_cache, ct_buffer* v_cache, const ct_buffer* moves, const ct_buffer* counts,
                              const ct_kv_move_params* params, ct_stream* stream) {
    ct_kv_move_params p;
    CT_TRY(ct::check_stream(__func__, stream));
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    auto number = [](int64_t value) { return static_cast<long long>(value); };
    CT_REQUIRE(p.num_seqs >= 0, "num_seqs=%lld must be >= 0", number(p.num_seqs));
    int64_t pairs = 0;
    CT_REQUIRE(p.max_moves >= 0 && p.max_moves <= INT32_MAX && ct::multiply(p.num_seqs, 2 * p.max_moves, &pairs),
               "max_moves=%lld must be 0 to 2^31 - 1, and num_seqs rows of them within 64 bits", number(p.max_moves));
    CT_REQUIRE(p.num_kv_heads >= 1, "num_kv_heads=%d must be >= 1", p.num_kv_heads);
    CT_REQUIRE(p.head_dim >= 16 && p.head_dim % 16 == 0, "head_dim=%d must be a positive multiple of 16", p.head_dim);
    if (p.head_dim_v == 0) p.head_dim_v = p.head_dim;
    CT_REQUIRE(p.head_dim_v >= 16 && p.head_dim_v % 16 == 0, "head_dim_v=%d must be 0 or a positive multiple of 16",
               p.head_dim_v);
    if (p.block_size == 0) p.block_size = CT_KV_BLOCK_SIZE;
    CT_REQUIRE(p.block_size == 16 || p.block_size == 32 || p.block_size == 64, "block_size=%d must be 0, 16, 32 or 64",
               p.block_size);
    CT_REQUIRE(p.kv_dtype >= CT_F32 && p.kv_dtype <= CT_F8_E4M3, "kv_dtype=%d must be a ct_dtype", p.kv_dtype);
    CT_REQUIRE(p.reserved == 0, "reserved=%d must be 0", p.reserved);
    CT_REQUIRE(p.num_slots >= 0 && p.num_slots % p.block_size == 0,
               "num_slots=%lld must be a multiple of the block size %d", number(p.num_slots), p.block_size);
    const int64_t blocks = p.num_slots / p.block_size;
    const int64_t heads = int64_t{p.num_kv_heads} * p.block_size;
    const int64_t element = ct::dtype_bytes(p.kv_dtype);
    CT_REQUIRE(p.block_stride * element % 16 == 0, "block_stride=%lld must be a multiple of 16 bytes",
               number(p.block_stride));
    CT_TRY(ct::check_matrix(__func__, "k_cache", k_cache, stream, blocks, heads * p.head_dim, p.block_stride, element));
    if (v_cache) {
        CT_TRY(ct::check_matrix(__func__, "v_cache", v_cache, stream, blocks, heads * p.head_dim_v, p.block_stride,
                                element));
    }
    CT_TRY(ct::check_buffer(__func__, "moves", moves, stream, pairs, 8));
    if (counts) CT_TRY(ct::check_buffer(__func__, "counts", counts, stream, p.num_seqs, 4));
    const ct::KvMoveArgs args{ct::data<void>(k_cache),
                              ct::data<void>(v_cache),
                              ct::data<int64_t>(moves),
                              ct::data<int32_t>(counts),
                              p.num_seqs,
                              p.max_moves,
                              p.num_slots,
                              p.block_stride * element,
                              p.head_dim * element,
                              p.head_dim_v * element,
                              p.num_kv_heads,
                              p.block_size};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::kv_move, args);
    return ct::enqueue(stream, [args](ct::Team& team) {
        team.run(args.num_seqs * args.num_kv_heads, [&](int64_t part, int) {
            const int64_t seq = part / args.num_kv_heads;
            const int64_t head = part % args.num_kv_heads;
            ct::move_head(args, seq, head, static_cast<unsigned char*>(args.k_cache), args.k_bytes);
            if (args.v_cache) {
                ct::move_head(args, seq, head, static_cast<unsigned char*>(args.v_cache), args.v_bytes);
            }
        });
    });
}
