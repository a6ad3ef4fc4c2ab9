// attention_plan.cu: the plan of a batch's attention (attention_plan.h), made once a step by one block from the lengths
// on the device: scans over the sequences, then each worker's begin by binary search. It reads 8 bytes a sequence and
// writes about 60; latency alone counts: five dependent passes over L2, an estimated 5 us for 1024 sequences, off the
// layers' path. Not yet run on a GPU.
#include <algorithm>

#include "gpu/operations.h"
#include "kernels/attention/attention_plan.h"

namespace gpu {
namespace attention {
namespace {

constexpr int kThreads = 512;

struct PlanArgs {
    const int32_t* cu_seqlens_q;
    const int32_t* seqlens_kv;
    Plan plan;
    ct_attention_params p;
    int64_t most_tiles;  // of sequences with more than one row tile, times KV heads, that decode takes
};

struct Shared {
    int64_t warps[kThreads / kWarp];
    int64_t total;
};

// The sum over the threads before this one, and over all of them.
struct Scan {
    int64_t before;
    int64_t total;
};

template <typename Combine>
__device__ __forceinline__ Scan block_scan(int64_t value, int64_t none, const Combine& combine) {
    Shared& memory = shared<Shared>();
    int64_t inclusive = value;
    for (int distance = 1; distance < kWarp; distance *= 2) {
        const int64_t other = shuffle_up(inclusive, distance);
        if (lane() >= distance) inclusive = combine(other, inclusive);
    }
    const int64_t neighbour = shuffle_up(inclusive, 1);
    if (lane() == kWarp - 1) memory.warps[warp()] = inclusive;
    __syncthreads();
    int64_t base = none, total = none;
    for (int w = 0; w < kThreads / kWarp; ++w) {
        if (w == warp()) base = total;
        total = combine(total, memory.warps[w]);
    }
    __syncthreads();
    return {lane() == 0 ? base : combine(base, neighbour), total};
}

__device__ __forceinline__ Scan scan_sum(int64_t value) {
    return block_scan(value, 0, [](int64_t a, int64_t b) { return a + b; });
}
__device__ __forceinline__ Scan scan_max(int64_t value) {
    return block_scan(value, 0, [](int64_t a, int64_t b) { return a > b ? a : b; });
}

// Sequence i, whose rows begin where the longest of those before it ended: no row has two owners, whatever the offsets
// say. end: one past its last row.
__device__ __forceinline__ PlannedSequence settle(const PlanArgs& args, int64_t i, int64_t first_row, int64_t end) {
    const ct_attention_params& p = args.p;
    const int64_t kv_len = args.seqlens_kv[i];
    PlannedSequence sequence{};
    sequence.first_row = static_cast<int32_t>(first_row);
    sequence.q_len = static_cast<int32_t>(end - first_row);
    sequence.kv_len = static_cast<int32_t>(kv_len);
    const bool agrees = args.cu_seqlens_q[i] == first_row && args.cu_seqlens_q[i + 1] == end && kv_len >= 0 &&
                        kv_len <= p.max_blocks * p.block_size && (kv_len == 0 || kv_len >= sequence.q_len) &&
                        (p.max_q_len == 0 || sequence.q_len <= p.max_q_len);
    if (!agrees) {
        sequence.state = State::kContradictory;
    } else {
        sequence.state = kv_len > 0 && sequence.q_len > 0 ? State::kAttends : State::kEmpty;
    }
    return sequence;
}

// What the sequences of the chunks before the running one amount to.
struct Carry {
    int64_t row = 0;
    int64_t work[kSpans] = {};
    int64_t row_tiles = 0;
    int64_t more_tiles = 0;  // decode's, of sequences with more than one
};

// A sequence for each thread. Those with at most decode_rows packed rows are decoded.
__device__ __forceinline__ void plan_chunk(const PlanArgs& args, int64_t first, int32_t decode_rows, Carry& carry) {
    const ct_attention_params& p = args.p;
    const int64_t i = first + threadIdx.x, group = p.num_q_heads / p.num_kv_heads;
    const bool exists = i < p.num_seqs;
    int64_t end = exists ? args.cu_seqlens_q[i + 1] : 0;
    end = end > p.num_tokens ? p.num_tokens : end;
    const Scan rows = scan_max(end > carry.row ? end : carry.row);
    const int64_t first_row = rows.before > carry.row ? rows.before : carry.row;
    PlannedSequence sequence{};
    if (exists) sequence = settle(args, i, first_row, end > first_row ? end : first_row);
    const int64_t packed = sequence.q_len * group;
    const bool is_decoded = packed <= decode_rows;
    const int64_t row_tiles = is_decoded ? ceil_div(packed, int64_t{kDecodeRows}) : 0;
#pragma unroll
    for (int span = 0; span < kSpans; ++span) {
        const bool is_used = exists && is_decoded && (span == kAllKeys || p.window > 0);
        const WorkRange range(p, sequence, span == kAllKeys ? 0 : p.window);
        const Scan work = scan_sum(is_used ? range.count() * row_tiles * p.num_kv_heads : 0);
        sequence.first_work[span] = carry.work[span] + work.before;
        carry.work[span] += work.total;
    }
    const Scan tiles = scan_sum(is_decoded ? 0 : ceil_div(packed, int64_t{kPrefillRows}));
    sequence.first_row_tile = carry.row_tiles + tiles.before;
    carry.row_tiles += tiles.total;
    if (decode_rows > kDecodeRows) carry.more_tiles += scan_sum(row_tiles > 1 ? row_tiles : 0).total;
    carry.row = rows.total;
    if (exists) args.plan.sequences[i] = sequence;
}

// The last sequence whose work begins at or before `work`: those without work come before it.
__device__ __forceinline__ int32_t find_sequence(const PlanArgs& args, int span, int64_t work) {
    int64_t low = 0, high = args.p.num_seqs;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        (args.plan.sequences[middle].first_work[span] <= work ? low : high) = middle;
    }
    return static_cast<int32_t>(low);
}

// Where the share beginning at `work` begins. Where there is no room for the partial results of cut units (only where
// many sequences share blocks), units stay whole: the share begins at the first that begins in it.
__device__ __forceinline__ WorkerStart find_start(const PlanArgs& args, int span, int64_t work, int64_t total,
                                                  bool cuts) {
    if (work >= total) return {total, static_cast<int32_t>(args.p.num_seqs), 0};
    const int32_t index = find_sequence(args, span, work);
    const PlannedSequence& sequence = args.plan.sequences[index];
    const WorkRange range(args.p, sequence, span == kAllKeys ? 0 : args.p.window);
    const int64_t offset = work - sequence.first_work[span];
    int64_t part = offset / range.count();
    if (cuts) return {work, index, static_cast<int32_t>(part)};
    part += offset % range.count() != 0;
    work = sequence.first_work[span] + part * range.count();
    if (part < parts_of(args.p, sequence)) return {work, index, static_cast<int32_t>(part)};
    if (work >= total) return {total, static_cast<int32_t>(args.p.num_seqs), 0};
    return {work, find_sequence(args, span, work), 0};
}

__device__ __forceinline__ Carry plan_sequences(const PlanArgs& args, int32_t decode_rows) {
    Carry carry;
    for (int64_t first = 0; first < args.p.num_seqs; first += kThreads) plan_chunk(args, first, decode_rows, carry);
    return carry;
}

// Whether sequences with more than one row tile are better decoded: as prefill they would not fill the GPU, and there is
// room for the partial results of every cut.
__device__ __forceinline__ bool fits_decode(const PlanArgs& args, const Carry& carry) {
    if (carry.more_tiles * args.p.num_kv_heads > args.most_tiles) return false;
    return args.p.balanced || carry.work[kAllKeys] <= args.plan.num_records;
}

__global__ void __launch_bounds__(kThreads, 1) attention_plan_kernel(PlanArgs args) {
    wait_for_previous();
    const ct_attention_params& p = args.p;
    const int64_t num_units = p.num_seqs * args.plan.parts;
    for (int64_t i = threadIdx.x; i < num_units; i += kThreads) args.plan.arrivals[i] = 0;
    PlanHeader header{};
    header.decode_rows = most_decode_rows(p);
    Carry carry = plan_sequences(args, header.decode_rows);
    if (carry.more_tiles > 0 && !fits_decode(args, carry)) {
        header.decode_rows = kDecodeRows;
        carry = plan_sequences(args, kDecodeRows);
    }
    header.num_row_tiles = carry.row_tiles;
    header.num_rows = carry.row;
    header.window = p.window;
    __syncthreads();
#pragma unroll
    for (int span = 0; span < kSpans; ++span) {
        const int64_t total = carry.work[span];
        const int64_t share = total > args.plan.workers ? ceil_div(total, int64_t{args.plan.workers}) : 1;
        const bool cuts = p.balanced || total <= args.plan.num_records;
        for (int i = threadIdx.x; i <= args.plan.workers; i += kThreads) {
            args.plan.starts[span][i] = find_start(args, span, i * share, total, cuts);
        }
        header.work[span] = total;
        header.share[span] = share;
    }
    if (threadIdx.x == 0) *args.plan.header = header;
}

// ---- host ----------------------------------------------------------------------------------------------------------

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

int32_t rows_of_record(const ct_attention_params& p) {
    const int32_t group = p.num_q_heads / p.num_kv_heads;
    const int64_t rows = p.max_q_len > 0 ? int64_t{p.max_q_len} * group : kDecodeRows;
    return static_cast<int32_t>(std::min<int64_t>(rows, kDecodeRows));
}

// balanced = 1: the first and the last piece of each worker. 0: every split may be one, as many as the cache has tokens
// for (sequences that share blocks may need more: then units stay whole).
int64_t num_records_of(const ct_attention_params& p, int32_t workers) {
    if (p.balanced) return 2 * int64_t{workers};
    const int64_t longest = ceil_div(p.max_blocks * p.block_size, int64_t{kSplitTokens});
    const int64_t cached = ceil_div(p.num_blocks * p.block_size, int64_t{kSplitTokens}) + p.num_seqs;
    return std::min(p.num_seqs * longest, cached) * p.num_kv_heads;
}

}  // namespace

Plan plan_at(void* base, const ct::DeviceLimits& limits, const ct_attention_params& p) {
    Plan plan{};
    plan.workers = decode_geometry(limits, p).workers();
    plan.record_rows = rows_of_record(p);
    plan.record_floats = static_cast<int32_t>(round_up(plan.record_rows * (p.head_dim + 2), 4));
    plan.num_records = num_records_of(p, plan.workers);
    int64_t bytes = 0;
    const auto place = [&](auto*& pointer, int64_t count) {
        pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(reinterpret_cast<uintptr_t>(base) +
                                                                               static_cast<uintptr_t>(bytes));
        bytes += round_up(count * static_cast<int64_t>(sizeof *pointer), 128);
    };
    place(plan.header, 1);
    place(plan.sequences, p.num_seqs);
    for (WorkerStart*& starts : plan.starts) place(starts, plan.workers + 1);
    plan.parts = p.num_kv_heads * (most_decode_rows(p) / kDecodeRows);
    place(plan.arrivals, p.num_seqs * plan.parts);
    place(plan.records, plan.num_records * plan.record_floats);
    plan.bytes = bytes;
    return plan;
}

DecodeGeometry decode_geometry(const ct::DeviceLimits& limits, const ct_attention_params& p) {
    const int32_t element_bytes = p.kv_dtype == CT_F8_E4M3 ? 1 : 2;
    const int32_t tile_keys = keys_of_tile(p.head_dim, element_bytes);
    const int32_t tile_bytes = tile_keys * p.head_dim * element_bytes;
    // A running total in float32 with maxima and sums and, where heads are wide, the queries.
    const int32_t fixed_bytes =
        kDecodeRows * (p.head_dim + 8) * 4 + (p.head_dim > 128 ? kDecodeRows * p.head_dim * 2 : 0);
    DecodeGeometry geometry{limits.num_sms, 0, 0, 0};
    for (int32_t slots = 4; slots >= 2 && geometry.warps < 4; --slots) {
        geometry.slots = slots;
        geometry.warp_bytes = slots * tile_bytes + fixed_bytes;
        geometry.warps =
            std::min((limits.max_shared_bytes - kDecodeBlockBytes) / geometry.warp_bytes, kMostDecodeWarps);
    }
    return geometry;
}

bool is_for_tensor_cores(const ct_attention_params& p) {
    const bool has_dim =
        p.head_dim == 64 || p.head_dim == 96 || p.head_dim == 128 || p.head_dim == 192 || p.head_dim == 256;
    const int64_t block_unit = p.kv_dtype == CT_F8_E4M3 ? 16 : 8;
    return p.dtype == CT_BF16 && p.kv_dtype != CT_F32 && has_dim && !p.values_in_keys && p.q_stride % 2 == 0 &&
           p.out_stride % 4 == 0 && p.block_stride % block_unit == 0;
}

}  // namespace attention

int32_t attention_plan_bytes(const DeviceLimits& limits, const ct_attention_params& params, int64_t* bytes) {
    *bytes = attention::is_for_tensor_cores(params) ? attention::plan_at(nullptr, limits, params).bytes : 0;
    return CT_OK;
}

int32_t attention_plan(const LaunchContext& context, const ct::AttentionArgs& args) {
    LaunchShape shape;
    shape.threads = attention::kThreads;
    shape.shared_bytes = sizeof(attention::Shared);
    // Prefill has two blocks on a multiprocessor, one for each of these sequences' KV heads.
    const attention::PlanArgs plan_args{args.cu_seqlens_q, args.seqlens_kv,
                                        attention::plan_at(args.plan, *context.limits, args.p), args.p,
                                        2 * int64_t{context.limits->num_sms}};
    return GPU_LAUNCH(context, shape, attention::attention_plan_kernel, plan_args);
}

}  // namespace gpu
