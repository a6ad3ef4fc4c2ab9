// attention_run.cpp: from a ragged batch to tiles and pieces (attention.h), dealt out to the team, and back to rows.
#include "kernels/attention/attention_run.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ct::attention {
namespace {

// What of a sequence is to be computed. Its units of work, in order: kv head, tile, share of the pieces.
struct Sequence {
    int64_t first_unit;    // units of the sequences before it
    int64_t first_record;  // floats; its piece records, where shares > 1
    int64_t tiles;
    int64_t shares;  // the pieces of a tile are shared out among so many units
    int32_t first_row;
    int32_t q_len;
    int32_t kv_len;
    int32_t first_piece;  // pieces that some row of it sees: [first_piece, end_piece)
    int32_t end_piece;
    int32_t tile_rows;  // rows of a full tile
};

struct Unit {
    const Sequence* sequence;
    int64_t index;      // of the sequence
    int64_t first_row;  // of the tile, among the sequence's q_len * group rows
    int64_t record;     // floats; the tile's first piece record, where shares > 1
    int32_t kv_head;
    int32_t rows;
    int32_t share;
};

// Memory of one thread.
struct Workspace {
    unsigned char* queries;
    float* scores;
    float* keys;
    float* wide;
    float* totals;
    float* records;
};

// Piece records of split tiles beyond this are not worth it: then the sequence is not split.
constexpr int64_t kMostRecordBytes = int64_t{64} << 20;

// ---- rows ----------------------------------------------------------------------------------------------------------

template <typename T>
void fill_rows(const Call& call, int64_t begin, int64_t end, float value) {
    const int64_t cols = int64_t{call.params.num_q_heads} * call.params.head_dim_v;
    for (int64_t row = begin; row < end; ++row) {
        T* out = static_cast<T*>(call.out) + row * call.params.out_stride;
        for (int64_t i = 0; i < cols; ++i) out[i] = from_float<T>(value);
    }
}

void fill(const Call& call, int64_t begin, int64_t end, float value) {
    call.params.dtype == CT_F32 ? fill_rows<float>(call, begin, end, value) : fill_rows<bf16>(call, begin, end, value);
}

// Element of q or out where the head of row i (token, then head of the group) begins.
int64_t element_of(const Call& call, const Unit& unit, int row, int64_t stride, int64_t head_dim) {
    const int32_t group = call.params.num_q_heads / call.params.num_kv_heads;
    const int64_t i = unit.first_row + row;
    const int64_t head = int64_t{unit.kv_head} * group + i % group;
    return (unit.sequence->first_row + i / group) * stride + head * head_dim;
}

template <typename From, typename To>
void gather_queries(const Call& call, const Unit& unit, void* queries) {
    for (int row = 0; row < unit.rows; ++row) {
        const int head_dim = call.params.head_dim;
        const From* from =
            static_cast<const From*>(call.q) + element_of(call, unit, row, call.params.q_stride, head_dim);
        To* to = static_cast<To*>(queries) + int64_t{row} * head_dim;
        for (int d = 0; d < head_dim; ++d) {
            if constexpr (std::is_same_v<From, To>) {
                to[d] = from[d];
            } else {
                to[d] = to_float(from[d]);
            }
        }
    }
}

void gather(const Call& call, const Unit& unit, void* queries) {
    if (call.params.dtype == CT_F32) {
        gather_queries<float, float>(call, unit, queries);
    } else if (call.kernel.bf16_queries) {
        gather_queries<bf16, bf16>(call, unit, queries);
    } else {
        gather_queries<bf16, float>(call, unit, queries);
    }
}

template <typename T>
void write_row(const Call& call, const Unit& unit, int row, const float* total) {
    const int head_dim = call.params.head_dim_v;
    const int64_t element = element_of(call, unit, row, call.params.out_stride, head_dim);
    float sum = total[head_dim + 1], weight = 1.0f;
    if (call.sinks) {
        const float sink = call.sinks[element % call.params.out_stride / head_dim];
        const float max = std::max(total[head_dim], sink);
        weight = std::exp(total[head_dim] - max);
        sum = sum * weight + std::exp(sink - max);
    }
    weight = weight / sum * call.params.v_scale;
    T* out = static_cast<T*>(call.out) + element;
    for (int d = 0; d < head_dim; ++d) out[d] = from_float<T>(total[d] * weight);
}

void write(const Call& call, const Unit& unit, const float* totals) {
    for (int row = 0; row < unit.rows; ++row) {
        const float* total = totals + row * record_stride(call.params.head_dim_v);
        call.params.dtype == CT_F32 ? write_row<float>(call, unit, row, total)
                                    : write_row<bf16>(call, unit, row, total);
    }
}

// ---- what a row sees -----------------------------------------------------------------------------------------------

// Absolute positions [begin, end) that the row sees: the last row of the sequence sees all, or its window.
Visible visible_of(const Call& call, const Unit& unit, int row) {
    const int32_t group = call.params.num_q_heads / call.params.num_kv_heads;
    const auto token = static_cast<int32_t>((unit.first_row + row) / group);
    const int32_t end = unit.sequence->kv_len - unit.sequence->q_len + token + 1;
    return {call.params.window > 0 ? std::max(0, end - call.params.window) : 0, end};
}

int32_t first_piece_of(Visible visible) { return visible.begin / kPieceTokens; }
int32_t end_piece_of(Visible visible) { return (visible.end - 1) / kPieceTokens + 1; }

// A cache, and the elements from one token's key or value to the next.
struct Cache {
    const unsigned char* data;
    int32_t token_stride;
};

Cache keys_of(const Call& call) { return {call.k_cache, call.params.head_dim}; }

Cache values_of(const Call& call) {
    return call.params.values_in_keys ? keys_of(call) : Cache{call.v_cache, call.params.head_dim_v};
}

// Addresses of the head's pages in the blocks of a piece; outside [visible.begin, visible.end) those of one that is
// inside.
void find_pages(const void** pages, const Call& call, Cache cache, const Unit& unit, Visible visible, int32_t piece) {
    const ct_attention_params& p = call.params;
    const int32_t* table = call.block_table + unit.index * p.max_blocks;
    const int32_t first = visible.begin / CT_KV_BLOCK_SIZE, last = (visible.end - 1) / CT_KV_BLOCK_SIZE;
    const int64_t head = int64_t{unit.kv_head} * CT_KV_BLOCK_SIZE * cache.token_stride;
    for (int i = 0; i < kPieceBlocks; ++i) {
        const int64_t block = table[std::clamp(piece * kPieceBlocks + i, first, last)];
        pages[i] = cache.data + (block * p.block_stride + head) * dtype_bytes(p.kv_dtype);
    }
}

// ---- a unit of work ------------------------------------------------------------------------------------------------

void fold_piece(const Call& call, const Unit& unit, float* totals, const float* records, int32_t piece) {
    const int head_dim = call.params.head_dim_v;
    for (int row = 0; row < unit.rows; ++row) {
        const Visible visible = visible_of(call, unit, row);
        float* total = totals + row * record_stride(head_dim);
        const float* record = records + row * record_stride(head_dim);
        if (piece == first_piece_of(visible)) {
            std::copy(record, record + head_dim + 2, total);
        } else if (piece > first_piece_of(visible) && piece < end_piece_of(visible)) {
            call.kernel.fold(total, record, head_dim);
        }
    }
}

// Positions that some row of the unit sees.
Visible visible_of(const Call& call, const Unit& unit) {
    return {visible_of(call, unit, 0).begin, visible_of(call, unit, unit.rows - 1).end};
}

int64_t piece_record(const Call& call, const Unit& unit, int32_t piece) {
    const int64_t rows = int64_t{piece - unit.sequence->first_piece} * unit.sequence->tile_rows;
    return unit.record + rows * record_stride(call.params.head_dim_v);
}

struct Pieces {
    int32_t begin;
    int32_t end;
};

// The pieces that the unit computes: its share of the sequence's, as far as its rows see them.
Pieces pieces_of(const Unit& unit, Visible seen) {
    const Sequence& s = *unit.sequence;
    const int64_t pieces = s.end_piece - s.first_piece;
    const auto begin = static_cast<int32_t>(s.first_piece + pieces * unit.share / s.shares);
    const auto end = static_cast<int32_t>(s.first_piece + pieces * (unit.share + 1) / s.shares);
    return {std::max(begin, first_piece_of(seen)), std::min(end, end_piece_of(seen))};
}

// Keys to prefetch during piece i of a unit: those of piece i + 1, then those of the unit that this thread may do next.
void find_next_keys(const void** pages, const Call& call, const Unit& unit, const Unit& next_unit, int32_t i) {
    const Visible seen = visible_of(call, unit), next_seen = visible_of(call, next_unit);
    if (i + 1 < pieces_of(unit, seen).end) {
        find_pages(pages, call, keys_of(call), unit, seen, i + 1);
    } else {
        find_pages(pages, call, keys_of(call), next_unit, next_seen, pieces_of(next_unit, next_seen).begin);
    }
}

// Computes the unit's pieces; writes the rows, or where the tile's pieces are shared out, the records.
void attend_unit(const Call& call, const Unit& unit, const Unit& next_unit, const Workspace& space,
                 float* shared_records) {
    const bool whole = unit.sequence->shares == 1;
    const Visible seen = visible_of(call, unit);
    const Pieces pieces = pieces_of(unit, seen);
    if (pieces.begin >= pieces.end) {
        return;
    }
    gather(call, unit, space.queries);
    Piece piece;
    piece.scores = space.scores;
    piece.keys = space.keys;
    piece.wide = space.wide;
    piece.queries = space.queries;
    piece.rows = unit.rows;
    piece.head_dim = call.params.head_dim;
    piece.head_dim_v = call.params.head_dim_v;
    piece.value_stride = values_of(call).token_stride;
    piece.scale = call.params.scale * call.params.k_scale;
    piece.soft_cap = call.params.soft_cap;
    for (int32_t i = pieces.begin; i < pieces.end; ++i) {
        piece.records = whole ? space.records : shared_records + piece_record(call, unit, i);
        find_pages(piece.k, call, keys_of(call), unit, seen, i);
        find_pages(piece.v, call, values_of(call), unit, seen, i);
        find_next_keys(piece.next_k, call, unit, next_unit, i);
        for (int row = 0; row < unit.rows; ++row) {
            const Visible visible = visible_of(call, unit, row);
            piece.visible[row] = {std::clamp(visible.begin - i * kPieceTokens, 0, kPieceTokens),
                                  std::clamp(visible.end - i * kPieceTokens, 0, kPieceTokens)};
        }
        call.kernel.attend(piece);
        if (whole) {
            fold_piece(call, unit, space.totals, space.records, i);
        }
    }
    if (whole) {
        write(call, unit, space.totals);
    }
}

// Folds the records of a tile whose pieces were shared out, in the order of attend_unit.
void combine_unit(const Call& call, const Unit& unit, const Workspace& space, const float* shared_records) {
    const Visible seen = visible_of(call, unit);
    for (int32_t i = first_piece_of(seen); i < end_piece_of(seen); ++i) {
        fold_piece(call, unit, space.totals, shared_records + piece_record(call, unit, i), i);
    }
    write(call, unit, space.totals);
}

// ---- the plan ------------------------------------------------------------------------------------------------------

bool blocks_are_valid(const Call& call, int64_t index, int64_t begin, int64_t end) {
    const int32_t* table = call.block_table + index * call.params.max_blocks;
    return std::all_of(table + begin, table + end, [&](int32_t id) { return id >= 0 && id < call.params.num_blocks; });
}

// Sequence `index`, whose rows should begin at `row`. Writes the rows of one that is contradictory (NaN) or padded
// (zeros) and plans no work for it. Returns the row where the next sequence should begin: no row ever has two owners.
int32_t plan_sequence(Sequence* s, const Call& call, int64_t index, int32_t row) {
    const ct_attention_params& p = call.params;
    const int64_t begin = call.cu_seqlens_q[index], end = call.cu_seqlens_q[index + 1];
    const int64_t kv_len = call.seqlens_kv[index], q_len = end - begin;
    *s = {};
    bool valid = begin == row && end >= begin && end <= p.num_tokens && kv_len >= 0 &&
                 kv_len <= p.max_blocks * CT_KV_BLOCK_SIZE && (kv_len == 0 || kv_len >= q_len);
    const auto next = static_cast<int32_t>(std::clamp<int64_t>(end, row, p.num_tokens));
    if (valid && (kv_len == 0 || q_len == 0)) {
        fill(call, row, next, 0.0f);
        return next;
    }
    const int64_t first_seen = valid && p.window > 0 ? std::max<int64_t>(0, kv_len - q_len + 1 - p.window) : 0;
    valid = valid && blocks_are_valid(call, index, first_seen / CT_KV_BLOCK_SIZE,
                                      (kv_len + CT_KV_BLOCK_SIZE - 1) / CT_KV_BLOCK_SIZE);
    if (!valid) {
        fill(call, row, next, std::numeric_limits<float>::quiet_NaN());
        return next;
    }
    const int64_t rows = q_len * (p.num_q_heads / p.num_kv_heads);
    s->tiles = (rows + kTileRows - 1) / kTileRows;
    s->shares = 1;
    s->first_row = row;
    s->q_len = static_cast<int32_t>(q_len);
    s->kv_len = static_cast<int32_t>(kv_len);
    s->first_piece = static_cast<int32_t>(first_seen / kPieceTokens);
    s->end_piece = static_cast<int32_t>((kv_len - 1) / kPieceTokens + 1);
    s->tile_rows = static_cast<int32_t>(std::min<int64_t>(rows, kTileRows));
    return next;
}

// Work of a tile in arbitrary units: the keys are read and transposed once, then every row meets them.
int64_t tile_cost(const Sequence& s) { return int64_t{s.end_piece - s.first_piece} * (s.tile_rows + 8); }

// Decides which tiles' pieces are shared out: those that alone would keep one thread busy while others have nothing
// left. Returns the floats that the records take.
int64_t share_pieces(Sequence* sequences, const Call& call, int64_t num_threads) {
    const ct_attention_params& p = call.params;
    int64_t total = 0, num_floats = 0;
    for (int64_t i = 0; i < p.num_seqs; ++i) total += sequences[i].tiles * p.num_kv_heads * tile_cost(sequences[i]);
    const int64_t fair = std::max<int64_t>(1, total / (4 * num_threads));
    for (int64_t i = 0; i < p.num_seqs && num_threads > 1; ++i) {
        Sequence& s = sequences[i];
        const int64_t pieces = s.end_piece - s.first_piece;
        const int64_t shares = std::min(pieces, (tile_cost(s) + fair - 1) / fair);
        const int64_t floats = s.tiles * p.num_kv_heads * pieces * s.tile_rows * record_stride(p.head_dim_v);
        if (shares > 1 && num_floats + floats <= kMostRecordBytes / 4) {
            s.shares = shares;
            s.first_record = num_floats;
            num_floats += floats;
        }
    }
    return num_floats;
}

int64_t number_units(Sequence* sequences, const Call& call) {
    int64_t units = 0;
    for (int64_t i = 0; i < call.params.num_seqs; ++i) {
        sequences[i].first_unit = units;
        units += sequences[i].tiles * call.params.num_kv_heads * sequences[i].shares;
    }
    return units;
}

Unit find_unit(const Sequence* sequences, const Call& call, int64_t number) {
    const Sequence* after = std::upper_bound(sequences, sequences + call.params.num_seqs, number,
                                             [](int64_t n, const Sequence& s) { return n < s.first_unit; });
    const Sequence& s = after[-1];  // the last that begins at or before it: sequences without work come before it
    const int64_t unit = number - s.first_unit, tile = unit / s.shares;
    const int64_t group = call.params.num_q_heads / call.params.num_kv_heads;
    const int64_t first_row = tile % s.tiles * kTileRows;
    const int64_t tile_floats =
        int64_t{s.end_piece - s.first_piece} * s.tile_rows * record_stride(call.params.head_dim_v);
    return {&s,
            &s - sequences,
            first_row,
            s.first_record + tile * tile_floats,
            static_cast<int32_t>(tile / s.tiles),
            static_cast<int32_t>(std::min<int64_t>(kTileRows, s.q_len * group - first_row)),
            static_cast<int32_t>(unit % s.shares)};
}

// ---- memory --------------------------------------------------------------------------------------------------------

int64_t workspace_floats(int64_t head_dim, int64_t head_dim_v) {
    return kTileRows * (head_dim + kScoreStride + 2 * record_stride(head_dim_v)) + 2 * head_dim * kGroupTokens;
}

Workspace workspace(float* memory, int64_t head_dim, int64_t head_dim_v) {
    float* keys = memory;
    float* wide = keys + head_dim * kGroupTokens;
    float* scores = wide + head_dim * kGroupTokens;
    float* totals = scores + kTileRows * kScoreStride;
    float* records = totals + kTileRows * record_stride(head_dim_v);
    float* queries = records + kTileRows * record_stride(head_dim_v);
    return {reinterpret_cast<unsigned char*>(queries), scores, keys, wide, totals, records};
}

float* reserve(Team& team, int thread, int64_t floats) {
    return static_cast<float*>(team.scratch(thread, static_cast<size_t>(floats) * sizeof(float)));
}

}  // namespace

void run(const Call& call, Team& team) {
    const int64_t head_dim = call.params.head_dim, head_dim_v = call.params.head_dim_v;
    const int64_t num_seqs = call.params.num_seqs, space_floats = workspace_floats(head_dim, head_dim_v);
    // The plan lies behind thread 0's workspace and the records behind thread 1's: there are none without a thread 1.
    const int64_t plan_floats = num_seqs * static_cast<int64_t>(sizeof(Sequence) / sizeof(float));
    auto* sequences = reinterpret_cast<Sequence*>(reserve(team, 0, space_floats + plan_floats) + space_floats);
    int32_t row = 0;
    for (int64_t i = 0; i < num_seqs; ++i) row = plan_sequence(&sequences[i], call, i, row);
    fill(call, row, call.params.num_tokens, 0.0f);  // rows of no sequence see nothing

    const int64_t record_floats = share_pieces(sequences, call, team.size());
    const int64_t num_units = number_units(sequences, call);
    float* records = record_floats > 0 ? reserve(team, 1, space_floats + record_floats) + space_floats : nullptr;
    const auto space_of = [&](int thread) {
        return workspace(reserve(team, thread, space_floats), head_dim, head_dim_v);
    };
    team.run(num_units, [&](int64_t number, int thread) {
        const int64_t next = std::min(number + team.size(), num_units - 1);
        attend_unit(call, find_unit(sequences, call, number), find_unit(sequences, call, next), space_of(thread),
                    records);
    });
    if (record_floats > 0) {
        team.run(num_units, [&](int64_t number, int thread) {
            const Unit unit = find_unit(sequences, call, number);
            if (unit.sequence->shares > 1 && unit.share == 0) {
                combine_unit(call, unit, space_of(thread), records);
            }
        });
    }
}

}  // namespace ct::attention
