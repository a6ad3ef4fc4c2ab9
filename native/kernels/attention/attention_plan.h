// attention_plan.h: what ct_attention_plan leaves on the device for the tensor-core kernels, and how both find it.
//
// A sequence with at most kDecodeRows packed rows (q_len * group) is decoded: a unit of work is one KV head of it. With up
// to kMostDecodeRows (speculation) it is decoded too, in units of one row tile of a KV head, where prefill would leave
// most of the GPU idle: each unit reads the keys again, but all processors share them. Either way the keys of all units,
// end to end, are cut into equal shares for the workers (stream-K: Osama et al. 2023, arXiv 2301.03598, over keys), at
// key tiles where balanced = 1, at splits of 256 keys where the bits must not depend on the cut. Any other sequence is prefilled: row tiles of kPrefillRows packed rows, in the order (sequence, row tile).
// Nothing comes from the host but limits, so a step with its plan can be captured into a graph.
#pragma once

#include "kernels/attention/attention_sequence.h"

namespace gpu::attention {

inline constexpr int kDecodeRows = 16;
inline constexpr int kMostDecodeRows = 64;
inline constexpr int kPrefillRows = 64;
inline constexpr int kSplitTokens = 256;
inline constexpr int kMostDecodeWarps = 8;
inline constexpr int kDecodeBlockBytes = 768;  // of the decode kernel's shared memory that belong to no warp

// The plan serves layers with different windows: work is counted over all keys, and over those in the window that the
// plan was made with, where it has one. A layer with yet another window leaves out what it does not see of the former.
enum Span : int32_t { kAllKeys, kWindowedKeys, kSpans };

struct PlannedSequence {
    int32_t first_row;
    int32_t q_len;
    int32_t kv_len;
    State state;                 // as far as the lengths tell; block tables are checked by who reads them
    int64_t first_work[kSpans];  // work of the decoded units before this sequence's
    int64_t first_row_tile;      // prefill: row tiles of the sequences before it
};

// Where a worker begins; the next one's begin is its end.
struct WorkerStart {
    int64_t work;  // from the first unit on
    int32_t sequence;
    int32_t part;  // of its units: (KV head, row tile)
};

struct PlanHeader {
    int64_t work[kSpans];   // of all decoded units
    int64_t share[kSpans];  // work of a worker; units are cut at its multiples
    int64_t num_row_tiles;  // of all prefilled sequences; times the KV heads are units
    int64_t num_rows;       // that the sequences own; those behind belong to nobody and are zeros
    int32_t window;         // of the second span; 0: none
    int32_t decode_rows;    // sequences with at most so many packed rows are decoded
};

// The tensor-core kernels scale a row's largest product, so scales are positive, and not so small that one vanishes.
inline constexpr float kLeastScale = 1e-30f;

// Blocks, warps and shared memory of the decode kernel, by the limits of the device and the shape of the cache alone.
struct DecodeGeometry {
    int32_t blocks;
    int32_t warps;  // of a block
    int32_t slots;  // key or value tiles in a warp's ring: 2 to 4
    int32_t warp_bytes;

    CT_HOST_DEVICE int32_t workers() const { return blocks * warps; }
};

DecodeGeometry decode_geometry(const ct::DeviceLimits& limits, const ct_attention_params& p);

// Whether the tensor-core kernels take a call, as far as its parameters tell.
bool is_for_tensor_cores(const ct_attention_params& p);

// Addresses in the plan, and what the kernels need to know of its making.
struct Plan {
    PlanHeader* header;
    PlannedSequence* sequences;   // [num_seqs]
    WorkerStart* starts[kSpans];  // [workers + 1]
    uint32_t* arrivals;           // [num_seqs][parts]; zero between kernels
    float* records;               // [num_records][record_floats]
    int64_t num_records;
    int64_t bytes;
    int32_t record_rows;    // packed rows that a record has room for
    int32_t record_floats;  // output [record_rows][head_dim], maxima [record_rows], sums [record_rows]
    int32_t workers;
    int32_t parts;  // units of a sequence at most
};

// The plan of a call in memory at `base` (null: for its size only).
Plan plan_at(void* base, const ct::DeviceLimits& limits, const ct_attention_params& p);

// ---- device --------------------------------------------------------------------------------------------------------

// Every sequence has so few rows that its packed rows fit one row tile.
CT_HOST_DEVICE inline bool is_decode_only(const ct_attention_params& p) {
    return p.max_q_len > 0 && int64_t{p.max_q_len} * (p.num_q_heads / p.num_kv_heads) <= kDecodeRows;
}

// The most packed rows of a sequence that may be decoded.
CT_HOST_DEVICE inline int32_t most_decode_rows(const ct_attention_params& p) {
    return is_decode_only(p) ? kDecodeRows : kMostDecodeRows;
}

// Row tiles of a decoded sequence.
CT_HOST_DEVICE inline int32_t decode_tiles(int32_t packed_rows) {
    return (packed_rows + kDecodeRows - 1) / kDecodeRows;
}

// Units of a decoded sequence.
CT_HOST_DEVICE inline int32_t parts_of(const ct_attention_params& p, const PlannedSequence& sequence) {
    return p.num_kv_heads * decode_tiles(sequence.q_len * (p.num_q_heads / p.num_kv_heads));
}

// Keys that one item of work stands for.
CT_HOST_DEVICE inline int32_t work_keys(const ct_attention_params& p) {
    if (!p.balanced) return kSplitTokens;
    return keys_of_tile(p.head_dim, p.kv_dtype == CT_F8_E4M3 ? 1 : 2);
}

// Keys [begin, end) that some row of the sequence sees in a span of this window, as items of work. A sequence with
// nothing to attend to but with rows has one item, so that its rows are written.
struct WorkRange {
    int32_t begin;
    int32_t end;

    __device__ WorkRange(const ct_attention_params& p, const PlannedSequence& sequence, int32_t window) {
        begin = 0;
        end = sequence.q_len > 0 ? 1 : 0;
        if (sequence.state != State::kAttends) return;
        const int32_t keys = work_keys(p), position = sequence.kv_len - sequence.q_len;
        if (window > 0 && position >= window) begin = (position - window + 1) / keys;
        end = (sequence.kv_len + keys - 1) / keys;
    }
    __device__ int32_t count() const { return end - begin; }
};

}  // namespace gpu::attention
