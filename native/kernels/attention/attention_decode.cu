// attention_decode.cu: paged attention of sequences with few rows (at most 16 rows times query heads of a KV head: a
// decode step, or one with a few speculated tokens; up to 64 where few sequences have so many), on tensor cores.
//
// Each warp works alone: it takes its share of the batch's keys from the plan, piece by piece (a piece: consecutive keys
// of one row tile of one KV head of one sequence), and streams key and value tiles through a ring of its own in shared
// memory. No barrier of the block stands in the loop. A piece that is a whole unit is written out at once; of a cut unit every
// piece leaves records (maximum, sum and output in float32), and the block where the last of them arrives folds them in
// their order. With balanced = 0 a record is one split of 256 keys, unless the unit's first piece folded it already: the
// order of the folds is that of one warp alone.
//
// Bytes: 2 * kv_len * head_dim * element bytes for a KV head, once for each 16 of its rows. Records of cut units: rows *
// (head_dim + 2) * 8 bytes, written and read in L2, a split with balanced = 0 (3.2% of a split's keys and values at 8
// rows, head_dim 128, bf16), a worker with balanced = 1. In flight on a multiprocessor with 227 KB: 4 warps * 2 tiles *
// 16 KB = 128 KB (bf16, head_dim 128); 26 KB would hide 0.8 us at 4.3 TB/s on 132 of them. Issue: about 700 instructions
// of a warp for a 64-key tile of 32 KB, against 1760 cycles in which a multiprocessor's 4 schedulers get it from memory.
// Rows are M of the products. With keys as M and rows as N = 8 half as many would do, but the 132 of such a tile take
// about 210 of those cycles (2600 flops a cycle), and in this orientation a row's bits are those of prefill. One block of
// 4 to 8 warps a multiprocessor, at most 255 registers a thread: occupancy is the ring's bytes.
// Floor: bytes / copy bandwidth + about 4 us (launch, first bytes, fold). Predicted share of copy bandwidth on an H200:
// 0.95 at 512 MB of KV, 0.85 at 134 MB; 12 us for one request of 8192 keys (8 KV heads); a skewed batch as a uniform one
// (shares are equal); e4m3 0.88 at 256 MB. Not yet run on a GPU.
#include "kernels/attention/attention_gpu.h"
#include "kernels/attention/attention_rows.cuh"

namespace gpu {
namespace attention {
namespace {

struct DecodeArgs {
    AttentionArgs call;
    Plan plan;
    DecodeGeometry geometry;
};

// The work is counted in the window where the plan was made with the same one.
__device__ __forceinline__ Span span_of(const DecodeArgs& args) {
    const int32_t window = args.call.p.window;
    return window > 0 && args.plan.header->window == window ? kWindowedKeys : kAllKeys;
}

// A row tile of a unit: packed rows [first, first + kDecodeRows).
struct DecodeUnit : Unit {
    int32_t part;
    int32_t first;

    __device__ DecodeUnit(const DecodeArgs& args, int32_t of_sequence, int32_t of_part) : part(of_part) {
        const int32_t tiles = decode_tiles(args.plan.sequences[of_sequence].q_len * group_of(args.call.p));
        sequence = of_sequence;
        kv_head = part / tiles;
        first = part % tiles * kDecodeRows;
    }
};

__device__ __forceinline__ Rows rows_of(const DecodeArgs& args, const DecodeUnit& unit) {
    return Rows(args, unit, unit.first);
}

// A unit's items of work in the plan's order: numbers [first_work, first_work + range.count()).
struct UnitWork {
    WorkRange range;
    int64_t first_work;

    __device__ UnitWork(const DecodeArgs& args, const DecodeUnit& unit)
        : range(args.call.p, args.plan.sequences[unit.sequence],
                span_of(args) == kWindowedKeys ? args.call.p.window : 0),
          first_work(args.plan.sequences[unit.sequence].first_work[span_of(args)] +
                     int64_t{unit.part} * range.count()) {}
};

// The first key that a row of the sequence sees.
__device__ __forceinline__ int32_t first_key_of(const ct_attention_params& p, const PlannedSequence& sequence) {
    return first_seen(p, sequence.kv_len - sequence.q_len);
}

// What a worker computes of a unit: items [begin, end) of its range.
struct Piece {
    DecodeUnit unit;
    UnitWork work;
    Tokens tokens;
    int32_t begin;
    int32_t end;
    int32_t first_key;  // keys outside [first_key, kv_len) are not read
    int32_t kv_len;
    int32_t begin_key;  // keys of the piece that some row sees, from a tile's first on: [begin_key, end_key)
    int32_t end_key;

    __device__ Piece(const DecodeArgs& args, const WorkerStart& at, int64_t end_work, int32_t tile_keys)
        : unit(args, at.sequence, at.part), work(args, unit) {
        begin = static_cast<int32_t>(work.range.begin + (at.work - work.first_work));
        const int64_t left = end_work - at.work;
        end = left < work.range.end - begin ? begin + static_cast<int32_t>(left) : work.range.end;
        const PlannedSequence& sequence = args.plan.sequences[unit.sequence];
        tokens = tokens_of(args.call.p, sequence, unit.first, kDecodeRows);
        first_key = first_key_of(args.call.p, sequence);
        kv_len = sequence.kv_len;
        const int32_t first_tile = first_key / tile_keys * tile_keys;
        begin_key = begin * work_keys(args.call.p);
        begin_key = begin_key > first_tile ? begin_key : first_tile;
        end_key = end * work_keys(args.call.p);
        end_key = end_key < kv_len ? end_key : kv_len;
    }
    __device__ int64_t begin_work() const { return work.first_work + (begin - work.range.begin); }
    __device__ bool is_first() const { return begin == work.range.begin; }
    __device__ bool is_whole() const { return is_first() && end == work.range.end; }
};

// The block's part of shared memory; the warps' parts follow at kDecodeBlockBytes.
struct Shared {
    Piece pieces[kMostDecodeWarps];  // at hand; too seldom asked for to stay in registers
    // Cut units that a warp of this block completed: of the first and the last of its pieces.
    struct Complete {
        int32_t sequence;
        int32_t part;
    } complete[kMostDecodeWarps][2];
    int32_t num_complete[kMostDecodeWarps];
};
static_assert(sizeof(Shared) <= kDecodeBlockBytes);

// Neighbouring workers are on different multiprocessors: few pieces still use them all.
__device__ __forceinline__ int32_t this_worker() {
    return warp() * static_cast<int32_t>(gridDim.x) + static_cast<int32_t>(blockIdx.x);
}

// The place after a piece: sequences without decode work are passed over.
__device__ __forceinline__ WorkerStart place_after(const DecodeArgs& args, const Piece& piece, int64_t end_work) {
    const ct_attention_params& p = args.call.p;
    WorkerStart at{piece.work.first_work + (piece.end - piece.work.range.begin), piece.unit.sequence,
                   piece.unit.part + 1};
    if (at.part < parts_of(p, args.plan.sequences[at.sequence]) || at.work >= end_work) return at;
    at.part = 0;
    int32_t q_len;
    do {
        q_len = args.plan.sequences[++at.sequence].q_len;
    } while (q_len == 0 || int64_t{q_len} * group_of(p) > args.plan.header->decode_rows);
    return at;
}

// ---- rows of a unit ------------------------------------------------------------------------------------------------

// Rows of a sequence that has nothing to attend to, or whose lengths contradict each other.
__device__ __forceinline__ void store_constants(const DecodeArgs& args, const DecodeUnit& unit) {
    const Rows rows = rows_of(args, unit);
    const int32_t count = rows.count < kDecodeRows ? rows.count : kDecodeRows;
    const bool is_nan = args.plan.sequences[unit.sequence].state == State::kContradictory;
    for (int row = 0; row < count; ++row) store_constant(args.call, rows.token(row), rows.head(row), is_nan);
}

// Rows behind the last sequence's.
__device__ __forceinline__ void store_rows_of_nobody(const DecodeArgs& args) {
    const ct_attention_params& p = args.call.p;
    for (int64_t token = args.plan.header->num_rows + blockIdx.x; token < p.num_tokens; token += gridDim.x) {
        for (int head = warp(); head < p.num_q_heads; head += args.geometry.warps) {
            store_constant(args.call, token, head, false);
        }
    }
}

// Rows of sequences that are longer than max_q_len says. Where it promises a decode step no other kernel runs.
__device__ __forceinline__ void store_rows_beyond_promise(const DecodeArgs& args) {
    const ct_attention_params& p = args.call.p;
    if (!is_decode_only(p)) return;
    for (int64_t i = blockIdx.x; i < p.num_seqs; i += gridDim.x) {
        const PlannedSequence& sequence = args.plan.sequences[i];
        if (int64_t{sequence.q_len} * group_of(p) <= kDecodeRows) continue;
        for (int32_t row = 0; row < sequence.q_len; ++row) {
            for (int head = warp(); head < p.num_q_heads; head += args.geometry.warps) {
                store_constant(args.call, sequence.first_row + row, head, true);
            }
        }
    }
}

// ---- records -------------------------------------------------------------------------------------------------------

__device__ __forceinline__ float* record_at(const Plan& plan, int64_t index) {
    return plan.records + index * plan.record_floats;
}

template <typename Kv, int HeadDim>
__device__ __forceinline__ void store_record(const Plan& plan, int64_t index, int32_t num_rows,
                                             Accumulator<HeadDim>& total) {
    float* record = record_at(plan, index);
    visit_output<Kv>(total, [&](int half, int dim, float x, float y) {
        const int row = lane() / 4 + 8 * half;
        if (row >= num_rows) return;
        store_pair(record + row * HeadDim + dim, x, y);
    });
    float* maxima = record + plan.record_rows * HeadDim;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = lane() / 4 + 8 * half;
        if (lane() % 4 != 0 || row >= num_rows) continue;
        maxima[row] = total.max[half];
        maxima[plan.record_rows + row] = total.sum[2 * half];
    }
}

// Of a unit cut at multiples of the share: its pieces and their records, in order: `head` (if has_head), then `count`
// records from `first` on in steps of `step`. Records before the first key that is seen were never written.
struct Cut {
    int64_t pieces;
    bool has_head;
    int64_t head;
    int64_t first;
    int64_t step;
    int64_t count;

    __device__ Cut(const DecodeArgs& args, const DecodeUnit& unit) {
        const UnitWork work(args, unit);
        const WorkRange& range = work.range;
        const int64_t share = args.plan.header->share[span_of(args)], unit_work = work.first_work;
        const int64_t end = unit_work + range.count(), first_piece = unit_work / share, last_piece = (end - 1) / share;
        const int32_t item = first_key_of(args.call.p, args.plan.sequences[unit.sequence]) / work_keys(args.call.p);
        const int64_t seen = unit_work + (item > range.begin ? item - range.begin : 0);
        const int64_t second = (first_piece + 1) * share;
        pieces = last_piece - first_piece + 1;
        has_head = seen < second;
        if (args.call.p.balanced) {
            head = record_of_piece(first_piece, unit_work == first_piece * share);
            const int64_t from = has_head ? first_piece + 1 : seen / share;
            first = record_of_piece(from, true);
            step = 2;
            count = last_piece - from + 1;
        } else {
            head = unit_work;
            first = has_head ? second : seen;
            step = 1;
            count = end - first;
        }
    }
    // balanced = 1: a worker's pieces that belong to cut units are its first and its last.
    static __device__ int64_t record_of_piece(int64_t worker, bool is_workers_first) {
        return 2 * worker + (is_workers_first ? 0 : 1);
    }
};

// Four neighbouring columns of a row in a record.
struct Columns {
    float max = -infinity();
    float sum = 0;
    float values[4] = {};

    __device__ void fold(const Columns& split) {
        const Merge merge(max, split.max);
        max = merge.max;
        sum = merge(sum, split.sum);
#pragma unroll
        for (int i = 0; i < 4; ++i) values[i] = merge(values[i], split.values[i]);
    }
};

template <int HeadDim>
__device__ __forceinline__ Columns load_columns(const Plan& plan, int64_t index, int row, int dim) {
    const float* record = record_at(plan, index);
    Columns columns;
    const Vec16 values = load16(record + row * HeadDim + dim);
    memcpy(columns.values, &values, 16);
    columns.max = record[plan.record_rows * HeadDim + row];
    columns.sum = record[plan.record_rows * (HeadDim + 1) + row];
    return columns;
}

// The whole block folds the records of a unit, four columns of a row a thread, and writes its rows.
template <int HeadDim>
__device__ __forceinline__ void combine(const DecodeArgs& args, const DecodeUnit& unit) {
    static constexpr int kAhead = 4;  // records on their way at once
    const Cut cut(args, unit);
    const Rows rows = rows_of(args, unit);
    const int32_t count = rows.count < kDecodeRows ? rows.count : kDecodeRows;
    for (int i = threadIdx.x; i < count * (HeadDim / 4); i += blockDim.x) {
        const int row = i / (HeadDim / 4), dim = i % (HeadDim / 4) * 4;
        Columns total;
        if (cut.has_head) total = load_columns<HeadDim>(args.plan, cut.head, row, dim);
        for (int64_t n = 0; n < cut.count; n += kAhead) {
            Columns next[kAhead];
#pragma unroll
            for (int j = 0; j < kAhead; ++j) {
                if (n + j < cut.count) {
                    next[j] = load_columns<HeadDim>(args.plan, cut.first + (n + j) * cut.step, row, dim);
                }
            }
#pragma unroll
            for (int j = 0; j < kAhead; ++j) total.fold(next[j]);  // what is not there changes nothing
        }
        const RowEnd end = end_of_row(args.call, rows, row, total.max, total.sum);
        bf16* out = static_cast<bf16*>(args.call.out) + rows.element(row, args.call.p.out_stride, HeadDim) + dim;
        store_pair(out, end(total.values[0]), end(total.values[1]));
        store_pair(out + 2, end(total.values[2]), end(total.values[3]));
        if (dim == 0) store_lse(args.call, rows, row, end.lse);
    }
}

// ---- the ring ------------------------------------------------------------------------------------------------------

// A warp's shared memory: `slots` tiles, then its running total (the output and a row of maxima and sums), then its queries where they do not fit registers.
template <typename Kv, int HeadDim>
struct Memory {
    using T = Tile<Kv, HeadDim>;
    unsigned char* base;
    int slots;

    __device__ unsigned char* slot(int i) const { return base + i * T::kBytes; }
    __device__ unsigned char* total() const { return slot(slots); }
    __device__ unsigned char* query() const { return total() + Total<HeadDim>::kBytes; }
};

// Brings the tiles of a piece: keys, values, keys, values. A part of 16 keys lies in one block; lane i < kParts knows that
// of part i of the tile, and reads the block table one tile ahead.
template <typename Kv, int HeadDim>
struct Loader {
    using T = Tile<Kv, HeadDim>;
    static constexpr int kParts = T::kKeys / kPartKeys;

    const AttentionArgs& call;
    const Piece& piece;
    int32_t key;              // of the next tile
    int32_t next_block = -1;  // of this lane's part of the tile after the one at hand
    int32_t block = -1;       // of the tile at hand; negative: not to be read
    bool brings_values = false;
    bool met_bad_block = false;

    __device__ Loader(const AttentionArgs& from, const Piece& of) : call(from), piece(of), key(of.begin_key) {
        read_table(key);
    }

    __device__ int32_t log_block_size() const { return call.p.block_size == 16 ? 4 : call.p.block_size == 32 ? 5 : 6; }
    __device__ bool needs(int32_t part_key) const {
        return lane() < kParts && part_key < piece.end_key && part_key + kPartKeys > piece.first_key;
    }
    __device__ void read_table(int32_t tile_key) {
        const int32_t part_key = tile_key + lane() * kPartKeys;
        if (!needs(part_key)) return;
        next_block = call.block_table[piece.unit.sequence * call.p.max_blocks + (part_key >> log_block_size())];
    }
    __device__ void take_blocks() {
        const bool is_good = next_block >= 0 && next_block < call.p.num_blocks;
        const bool needed = needs(key + lane() * kPartKeys);
        met_bad_block = met_bad_block || (needed && !is_good);
        block = needed && is_good ? next_block : -1;
    }
    // Element of the cache where the keys or values of a part begin.
    __device__ int64_t element(int32_t part_block, int32_t part_key) const {
        const int64_t token = (int64_t{piece.unit.kv_head} << log_block_size()) + (part_key & (call.p.block_size - 1));
        return part_block * call.p.block_stride + token * HeadDim;
    }

    // Begins the copies of the next tile; past the last one none. Always ends a group of copies.
    __device__ __forceinline__ void bring(unsigned char* to) {
        if (key < piece.end_key) {
            if (!brings_values) take_blocks();
            const Kv* cache = static_cast<const Kv*>(brings_values ? call.v_cache : call.k_cache);
#pragma unroll 1
            for (int i = 0; i < kParts; ++i) {
                const int32_t part_block = shuffle(block, i), part_key = key + i * kPartKeys;
                const bool is_read = part_block >= 0;
                copy_part<Kv, HeadDim, kWarp>(to, i, lane(), cache + (is_read ? element(part_block, part_key) : 0),
                                              piece.first_key - part_key, is_read ? piece.kv_len - part_key : 0);
            }
            if (brings_values) {
                key += T::kKeys;
            } else {
                read_table(key + T::kKeys);
            }
            brings_values = !brings_values;
        }
        copy_async_commit();
    }
};

// All but the newest slots - 2 groups have landed.
__device__ __forceinline__ void wait_for_slot(int slots) {
    if (slots == 2) {
        copy_async_wait<0>();
    } else if (slots == 3) {
        copy_async_wait<1>();
    } else {
        copy_async_wait<2>();
    }
}

// The tiles of a piece in their order, each slot brought anew as soon as it was left. Step 1 - slots is the first: steps
// before 0 only bring.
template <typename Kv, int HeadDim>
struct Ring {
    Memory<Kv, HeadDim> memory;
    Loader<Kv, HeadDim> loader;
    int reads = 0;
    int writes = 0;

    // The tile of a step; null before step 0.
    __device__ __forceinline__ const unsigned char* turn(int step) {
        if (step >= 0) wait_for_slot(memory.slots);
        sync_warp();  // every lane's copies are there, and every lane has left the slot that is written next
        loader.bring(memory.slot(writes));
        writes = writes + 1 == memory.slots ? 0 : writes + 1;
        if (step < 0) return nullptr;
        const unsigned char* tile = memory.slot(reads);
        reads = reads + 1 == memory.slots ? 0 : reads + 1;
        return tile;
    }
};

// ---- a piece -------------------------------------------------------------------------------------------------------

// True in the warp that completes the unit.
__device__ __forceinline__ bool arrive(const DecodeArgs& args, const DecodeUnit& unit) {
    const Cut cut(args, unit);
    uint32_t* arrivals = args.plan.arrivals + int64_t{unit.sequence} * args.plan.parts + unit.part;
    sync_warp();
    uint32_t before = 0;
    if (lane() == 0) {
        before = atomic_add_acq_rel(arrivals, 1);
        if (before + 1 == cut.pieces) store_release(arrivals, 0);  // for the next layer
    }
    return shuffle(before, 0) + 1 == cut.pieces;
}

// Computes a piece; writes its rows, or its records.
template <typename Kv, int HeadDim>
__device__ __forceinline__ void attend_piece(const DecodeArgs& args, const Piece& piece,
                                             const Memory<Kv, HeadDim>& memory) {
    using T = Tile<Kv, HeadDim>;
    const ct_attention_params& p = args.call.p;
    Ring<Kv, HeadDim> ring{memory, Loader<Kv, HeadDim>(args.call, piece)};
    Query<HeadDim> query;
    query.memory = memory.query();
    Total<HeadDim> total{memory.total()};
    Accumulator<HeadDim> running;
    running.clear();
    uint32_t weights[T::kKeys / 16][4];
    int32_t key = piece.begin_key;
#pragma unroll 1
    for (int step = 1 - memory.slots; key < piece.end_key; ++step) {
        const unsigned char* tile = ring.turn(step);
        if (step < 0) continue;
        if (step == 0) load_rows<Kv>(query, args.call, rows_of(args, piece.unit));
        if (step % 2 == 0) {
            const PlannedSequence& sequence = args.plan.sequences[piece.unit.sequence];
            attend_keys<Kv>(weights, running, query, tile, args.call, sequence, piece.unit.first, piece.tokens, key);
            continue;
        }
        multiply_values<Kv>(running, weights, tile);
        key += T::kKeys;
        const bool is_last = key >= piece.end_key;
        if (is_last && any(ring.loader.met_bad_block)) running.spoil();
        if (p.balanced || (!is_last && key % kSplitTokens != 0)) continue;
        if (piece.is_first()) {
            total.fold_into(running);
            if (is_last) break;
            total.keep(running);
        } else {
            const int64_t record = piece.work.first_work - piece.work.range.begin + (key - 1) / kSplitTokens;
            store_record<Kv>(args.plan, record, rows_of(args, piece.unit).count, running);
        }
        running.clear();
    }
    const Rows rows = rows_of(args, piece.unit);
    if (piece.is_whole()) {
        store_rows<Kv>(args.call, rows, running);
    } else if (p.balanced) {
        const bool is_workers_first = piece.begin_work() == args.plan.starts[span_of(args)][this_worker()].work;
        store_record<Kv>(args.plan, Cut::record_of_piece(this_worker(), is_workers_first), rows.count, running);
    } else if (piece.is_first()) {
        store_record<Kv>(args.plan, piece.work.first_work, rows.count, running);
    }
}

template <typename Kv, int HeadDim>
__global__ void __launch_bounds__(kMostDecodeWarps* kWarp, 1) attention_decode_kernel(DecodeArgs args) {
    Shared& block = shared<Shared>();
    wait_for_previous();
    launch_next();
    const Memory<Kv, HeadDim> memory{
        reinterpret_cast<unsigned char*>(&block) + kDecodeBlockBytes + warp() * args.geometry.warp_bytes,
        args.geometry.slots};
    if (lane() == 0) block.num_complete[warp()] = 0;
    Piece& piece = block.pieces[warp()];
    const WorkerStart* starts = args.plan.starts[span_of(args)] + this_worker();
    WorkerStart at = starts[0];
    while (at.work < starts[1].work) {
        if (lane() == 0) piece = Piece(args, at, starts[1].work, Tile<Kv, HeadDim>::kKeys);
        sync_warp();
        if (args.plan.sequences[piece.unit.sequence].state != State::kAttends) {
            store_constants(args, piece.unit);
        } else {
            if (piece.begin_key < piece.end_key) {  // else all of it lies before the window
                attend_piece<Kv, HeadDim>(args, piece, memory);
            }
            if (!piece.is_whole() && arrive(args, piece.unit) && lane() == 0) {
                block.complete[warp()][block.num_complete[warp()]++] = {piece.unit.sequence, piece.unit.part};
            }
        }
        at = place_after(args, piece, starts[1].work);
        sync_warp();  // all lanes are through with the piece
    }
    store_rows_of_nobody(args);
    store_rows_beyond_promise(args);
    __syncthreads();
    for (int w = 0; w < args.geometry.warps; ++w) {
        for (int i = 0; i < block.num_complete[w]; ++i) {
            const Shared::Complete& of = block.complete[w][i];
            combine<HeadDim>(args, DecodeUnit(args, of.sequence, of.part));
        }
    }
}

// ---- launch --------------------------------------------------------------------------------------------------------

template <typename Kv, int HeadDim>
int32_t launch_kernel_of(const LaunchContext& context, const DecodeArgs& args) {
    LaunchShape shape;
    shape.blocks_x = args.geometry.blocks;
    shape.threads = args.geometry.warps * kWarp;
    shape.shared_bytes = kDecodeBlockBytes + int64_t{args.geometry.warps} * args.geometry.warp_bytes;
    return GPU_LAUNCH(context, shape, attention_decode_kernel<Kv, HeadDim>, args);
}

template <typename Kv>
int32_t launch_for(const LaunchContext& context, const DecodeArgs& args) {
    switch (args.call.p.head_dim) {
        case 64:
            return launch_kernel_of<Kv, 64>(context, args);
        case 96:
            return launch_kernel_of<Kv, 96>(context, args);
        case 128:
            return launch_kernel_of<Kv, 128>(context, args);
        case 192:
            return launch_kernel_of<Kv, 192>(context, args);
        default:
            return launch_kernel_of<Kv, 256>(context, args);
    }
}

}  // namespace
}  // namespace attention

int32_t attention_decode(const LaunchContext& context, const ct::AttentionArgs& call) {
    using namespace attention;
    const DecodeArgs args{call, plan_at(call.plan, *context.limits, call.p), decode_geometry(*context.limits, call.p)};
    switch (call.p.kv_dtype) {
        case CT_BF16:
            return launch_for<bf16>(context, args);
        case CT_F16:
            return launch_for<f16>(context, args);
        default:
            return launch_for<e4m3>(context, args);
    }
}

}  // namespace gpu
