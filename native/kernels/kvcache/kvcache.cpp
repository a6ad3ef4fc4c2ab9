// kvcache.cpp: ct_copy_blocks.
#include "core/backend.h"

extern "C" int32_t ct_copy_blocks(ct_buffer* destination, const ct_buffer* source, const ct_buffer* pairs,
                                  int64_t num_pairs, int64_t block_bytes, ct_stream* stream) {
    CT_TRY(ct::check_buffer(__func__, "destination", destination, stream, 0, 1));
    CT_TRY(ct::check_buffer(__func__, "source", source, stream, 0, 1));
    CT_REQUIRE(block_bytes >= 16 && block_bytes % 16 == 0, "block_bytes=%lld must be a positive multiple of 16",
               static_cast<long long>(block_bytes));
    int64_t numbers = 0;
    CT_REQUIRE(num_pairs >= 0 && ct::multiply(num_pairs, 2, &numbers), "num_pairs=%lld must be in [0, 2^62)",
               static_cast<long long>(num_pairs));
    CT_TRY(ct::check_buffer(__func__, "pairs", pairs, stream, numbers, 4));
    const ct::CopyBlocksArgs args{destination->data,
                                  source->data,
                                  ct::data<int32_t>(pairs),
                                  num_pairs,
                                  block_bytes,
                                  destination->bytes / block_bytes,
                                  source->bytes / block_bytes};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::copy_blocks, args);
    return ct::enqueue(stream, [args](ct::Team& team) {
        team.run(args.num_pairs, [&](int64_t i, int) {
            int64_t from = args.pairs[2 * i];
            int64_t to = args.pairs[2 * i + 1];
            if (from < 0 || from >= args.source_blocks || to < 0 || to >= args.destination_blocks) return;
            std::memcpy(static_cast<unsigned char*>(args.destination) + to * args.block_bytes,
                        static_cast<const unsigned char*>(args.source) + from * args.block_bytes,
                        static_cast<size_t>(args.block_bytes));
        });
    });
}
