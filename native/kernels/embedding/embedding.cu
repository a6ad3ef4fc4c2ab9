// embedding.cu: ct_embedding, ct_gather_rows and ct_feed_tokens. Not yet run on a GPU.
//
// Floors, at 0.85 of copy bandwidth from 32 MB on: an embedding reads tokens * cols elements of the table and writes as
// many of y; a gather 2 * rows * cols elements. Predicted for 8192 x 4096 bf16 on an H200 (4.3 TB/s): 134 MB, 31 us at
// full rate, 37 us at 0.85. What a decode step needs is far below 1 us of traffic: a launch, 2 to 3 us.
#include "gpu/operations.h"
#include "gpu/pieces.h"

namespace gpu {
namespace {

constexpr int kRun = 8;   // elements between memory and registers at a time
constexpr int kHeld = 2;  // runs of a thread, all loaded before the first is stored

struct Embedding {
    ct::EmbeddingArgs a;
    int64_t tiles;  // of a row
    bool aligned;
};

template <typename T, typename W>
__global__ void embedding_kernel(Embedding e) {
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < e.a.num_tokens * e.tiles; part += gridDim.x) {
        const int64_t token = part / e.tiles;
        const int64_t first = part % e.tiles * kHeld * blockDim.x + threadIdx.x;
        const int64_t id = e.a.ids[token];
        const bool known = id >= 0 && id < e.a.rows;
        const W* from = static_cast<const W*>(e.a.table) + (known ? id : 0) * e.a.table_stride;
        T* to = static_cast<T*>(e.a.y) + token * e.a.y_stride;
        float v[kHeld][kRun];
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kRun;
            load_run(v[h], from + c, known ? e.a.cols - c : 0, e.aligned);
        }
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kRun;
            for (int i = 0; i < kRun; ++i) v[h][i] = known ? v[h][i] * e.a.scale : nan();
            store_run(to + c, v[h], e.a.cols - c, e.aligned);
        }
    }
}

struct Gather {
    ct::GatherRowsArgs a;
    int64_t tiles;
    bool aligned;
};

// Copies bits, so that even a NaN arrives as it was.
template <typename T>
__global__ void gather_rows_kernel(Gather g) {
    constexpr int kPiece = kPieceSize<T>;
    wait_for_previous();
    launch_next();
    for (int64_t part = blockIdx.x; part < g.a.num_rows * g.tiles; part += gridDim.x) {
        const int64_t i = part / g.tiles;
        const int64_t first = part % g.tiles * kHeld * blockDim.x + threadIdx.x;
        const int64_t row = g.a.rows[i];
        const bool known = row >= 0 && row < g.a.x_rows;
        const T* from = static_cast<const T*>(g.a.x) + (known ? row : 0) * g.a.x_stride;
        T* to = static_cast<T*>(g.a.y) + i * g.a.y_stride;
        Vec16 held[kHeld] = {};
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kPiece;
            if (known && g.aligned && c + kPiece <= g.a.cols) held[h] = load16(from + c);
        }
        for (int h = 0; h < kHeld; ++h) {
            const int64_t c = (first + h * static_cast<int64_t>(blockDim.x)) * kPiece;
            if (known && g.aligned && c + kPiece <= g.a.cols) {
                store16(to + c, held[h]);
            } else {
                for (int64_t j = c; j < c + kPiece && j < g.a.cols; ++j) to[j] = known ? from[j] : from_float<T>(nan());
            }
        }
    }
}

__global__ void feed_tokens_kernel(ct::FeedTokensArgs a) {
    wait_for_previous();
    launch_next();
    const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < a.num_tokens; t += stride) {
        const int64_t row = a.rows[t];
        if (row >= 0) a.ids[t] = row < a.num_rows ? a.tokens[row] : -1;
    }
}

int64_t element_bytes(int32_t dtype) { return dtype == CT_F32 ? 4 : 2; }

}  // namespace

int32_t embedding(const LaunchContext& context, const ct::EmbeddingArgs& args) {
    const TileGrid grid(ceil_div(args.cols, kRun), kHeld);
    const bool aligned = rows_aligned(args.y, args.y_stride, element_bytes(args.dtype)) &&
                         rows_aligned(args.table, args.table_stride, element_bytes(args.table_dtype));
    const Embedding e{args, grid.tiles, aligned};
    const LaunchShape shape = grid.shape(args.num_tokens);
    if (args.dtype == CT_F32) {
        return args.table_dtype == CT_F32 ? GPU_LAUNCH(context, shape, embedding_kernel<float, float>, e)
                                          : GPU_LAUNCH(context, shape, embedding_kernel<float, bf16>, e);
    }
    return args.table_dtype == CT_F32 ? GPU_LAUNCH(context, shape, embedding_kernel<bf16, float>, e)
                                      : GPU_LAUNCH(context, shape, embedding_kernel<bf16, bf16>, e);
}

int32_t gather_rows(const LaunchContext& context, const ct::GatherRowsArgs& args) {
    const int64_t bytes = element_bytes(args.dtype);
    const TileGrid grid(ceil_div(args.cols * bytes, 16), kHeld);
    const Gather g{args, grid.tiles,
                   rows_aligned(args.y, args.y_stride, bytes) && rows_aligned(args.x, args.x_stride, bytes)};
    const LaunchShape shape = grid.shape(args.num_rows);
    return args.dtype == CT_F32 ? GPU_LAUNCH(context, shape, gather_rows_kernel<float>, g)
                                : GPU_LAUNCH(context, shape, gather_rows_kernel<bf16>, g);
}

int32_t feed_tokens(const LaunchContext& context, const ct::FeedTokensArgs& args) {
    LaunchShape shape;
    shape.threads = args.num_tokens <= 32 ? 32 : 128;
    shape.blocks_x = ceil_div(args.num_tokens, shape.threads);
    if (shape.blocks_x > kMaxGridBlocks) shape.blocks_x = kMaxGridBlocks;
    return GPU_LAUNCH(context, shape, feed_tokens_kernel, args);
}

}  // namespace gpu
