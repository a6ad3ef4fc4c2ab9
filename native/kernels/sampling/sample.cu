// sample.cu: ct_sample, a block a row. Never run on a GPU.
//
// Sums are exact integers (weight.h) and every choice is by a key in a total order, so a row's bits depend on the row only,
// and equal the CPU's.
//
// Floor: rows * vocabulary * bytes of a logit, read once. Passes over a row of 131072 float32 (one multiprocessor, 64 bytes
// a cycle from L2: 4.6 us a pass on an H200; the first is bounded by memory from about 100 rows on):
//   greedy, or top_k up to 500 with or without top_p   1, and some runs of the threads whose largest reaches the k-th
//   top_p alone, no cut                                1 + the mass + 3 a search (a cut and a draw), where 128 tokens do not do
//   edits                                              2 more, one of which writes
// Predicted for V = 131072 on an H200: 9 us for up to 132 rows with top_k and top_p (of 16 us that memory needs for 132 rows of
// float32), 30 to 40 us where top_p keeps more than 128 tokens. Few rows: the first pass is shared out (survey_kernel), so
// that a row is read by up to 8 multiprocessors.
// Occupancy: 512 threads of at most 128 registers, 56 KB of shared memory: one block a multiprocessor.
#include "gpu/operations.h"
#include "kernels/sampling/block_edits.h"
#include "kernels/sampling/select.h"

namespace gpu {
namespace {

struct Sample {
    ct::SampleArgs a;
    float* edited;     // a row of float32 for every block; null: no row has edits
    uint64_t* maxima;  // [rows][pieces][threads], of survey_kernel; null: rows are read by their blocks
    int64_t edited_stride;
    int32_t pieces;
    bool aligned;  // rows of logits
};

// ---- what is reported ----------------------------------------------------------------------------------------------

__device__ inline void clear_tops(const ct::SampleArgs& a, int64_t r, int64_t from) {
    for (int64_t i = from + threadIdx.x; i < a.max_top; i += blockDim.x) {
        a.top_ids[r * a.max_top + i] = -1;
        a.top_logprobs[r * a.max_top + i] = -infinity();
    }
}

__device__ inline void fail_row(const ct::SampleArgs& a, int64_t r, int32_t why) {
    if (threadIdx.x == 0) {
        a.token[r] = -1;
        a.logprob[r] = -infinity();
        a.rank[r] = 0;
        a.status[r] = why;
    }
    clear_tops(a, r, 0);
}

// The first of the range, kFew at a time.
__device__ inline void BlockRow::write_tops(double log_mass) {
    const ct::KeyRange all = range;
    const auto there = static_cast<int64_t>(count());
    const int64_t wanted = p.num_top < there ? p.num_top : there;
    for (int64_t done = 0; done < wanted; done += kFew) {
        const int64_t left = wanted - done;
        const int n = static_cast<int>(left < kFew ? left : kFew);
        range.low = key_at_count(static_cast<uint64_t>(n));
        if (listed_ < 0) gather(range.low);
        sort_list();
        share(n, [&](int i) {
            const int64_t at = r * a.max_top + done + i;
            const double depth = static_cast<double>(top) - static_cast<double>(code.logit(s.keys[i]));
            a.top_ids[at] = static_cast<int32_t>(code.id(s.keys[i]));
            a.top_logprobs[at] = static_cast<float>(-depth / temperature - log_mass);
        });
        range = {all.low, range.low - 1};
        __syncthreads();  // the next keys take the place of these
    }
    range = all;
}

__device__ inline void BlockRow::report(int64_t token) {
    if (!(p.flags & CT_SAMPLE_PROCESSED)) {
        // Bans as they were; bias, penalties and cuts undone.
        listed_ = gathered_ = -1;
        temperature = 1;
        if (edited_) {
            own_row();
            add_entries(p.bias_begin, p.bias_end, true, false);
        } else {
            best = largest_of(s, s.maxima[threadIdx.x]);
        }
        survey();
        range.low = code.last_key(-infinity());
    }
    uint64_t own = 0;
    each_key([&](uint64_t key, float) { own = code.id(key) == token ? key : own; });
    own = largest_of(s, own);
    uint64_t before = 0;
    each_key([&](uint64_t key, float) { before += key > own; });
    before = sum_of(s, before);
    const double log_mass = log(static_cast<double>(mass()) / ct::unit_of(code));
    if (threadIdx.x == 0) {
        const double depth = static_cast<double>(top) - static_cast<double>(code.logit(own));
        a.logprob[r] = own != 0 ? static_cast<float>(-depth / temperature - log_mass) : -infinity();
        a.rank[r] = static_cast<int32_t>(before + 1);
    }
    if (p.num_top <= 0) return;
    const ct::KeyRange finite = ct::whole_range(code);
    range.low = range.low > finite.low ? range.low : finite.low;
    write_tops(log_mass);
}

// ---- a row ---------------------------------------------------------------------------------------------------------

__device__ inline bool is_valid_row(const ct::SampleArgs& a, int64_t r) {
    return ct::is_valid(a.rows[r], a.vocab_size, a.num_bias, a.num_history, a.num_masks, a.num_slots, a.max_top,
                        a.shares_slots);
}

__device__ inline bool owns_slot(const ct::SampleArgs& a, int64_t r) {
    return a.rows[r].state_slot >= 0 && !ct::assumes(a.rows[r]) && is_valid_row(a, r);
}

__device__ inline void sample_row(SampleShared& s, const Sample& k, int64_t r) {
    const ct::SampleArgs& a = k.a;
    const ct_sample_row& p = a.rows[r];
    if (!is_valid_row(a, r)) return fail_row(a, r, CT_SAMPLE_INVALID);
    const bool owns = p.state_slot >= 0 && !ct::assumes(p);
    int32_t* slot = owns ? a.state + p.state_slot * ct::slot_words(a.vocab_size) : nullptr;
    if (slot && !a.shares_slots) take_up(a, p);
    const uint64_t* maxima = k.maxima ? k.maxima + r * k.pieces * static_cast<int64_t>(blockDim.x) : nullptr;
    float* mine = k.edited ? k.edited + static_cast<int64_t>(blockIdx.x) * k.edited_stride : nullptr;
    BlockRow x(s, a, r, k.aligned, mine, maxima, k.pieces);
    int32_t fault = x.begin();
    const float mu = slot ? bits_float(static_cast<uint32_t>(slot[ct::kSlotMu])) : 0;
    const bool runs = p.forced < 0 || (p.flags & CT_SAMPLE_PROCESSED) != 0;
    if (fault == CT_SAMPLE_OK && runs) fault = ct::run_chain(x, p, mu);
    if (fault != CT_SAMPLE_OK) return fail_row(a, r, fault);
    int64_t token = p.forced;
    if (token < 0) {
        const uint64_t key = ct::draw(x, p);
        token = x.code.id(key);
        if (slot && p.mirostat_tau > 0) {
            const float next = ct::next_mu(x, p, mu, key);
            if (threadIdx.x == 0) slot[ct::kSlotMu] = static_cast<int32_t>(float_bits(next));
        }
    }
    if (threadIdx.x == 0) {
        a.token[r] = static_cast<int32_t>(token);
        a.logprob[r] = 0;
        a.rank[r] = 0;
        a.status[r] = CT_SAMPLE_OK;
        if (slot && !a.shares_slots) note(slot, a.vocab_size, static_cast<int32_t>(token), false);
    }
    clear_tops(a, r, 0);
    __syncthreads();
    if (p.flags & CT_SAMPLE_LOGPROBS) x.report(token);
}

__global__ void __launch_bounds__(kMaxThreads) sample_kernel(Sample k) {
    SampleShared& s = shared<SampleShared>();
    wait_for_previous();
    launch_next();
    share(ct::kWeightSteps, [&](int i) { s.steps[i] = ct::weight_step(i); });
    __syncthreads();
    for (int64_t r = blockIdx.x; r < k.a.num_rows; r += gridDim.x) {
        sample_row(s, k, r);
        __syncthreads();
    }
}

// Around sample_kernel where rows share slots: the histories before any row reads, the draws when all have read.
__global__ void __launch_bounds__(kMaxThreads) take_up_kernel(Sample k) {
    wait_for_previous();
    launch_next();
    if (owns_slot(k.a, blockIdx.x)) take_up(k.a, k.a.rows[blockIdx.x]);
}

__global__ void __launch_bounds__(kMaxThreads) count_kernel(Sample k) {
    wait_for_previous();
    launch_next();
    const int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (r >= k.a.num_rows || k.a.status[r] != CT_SAMPLE_OK || !owns_slot(k.a, r)) return;
    int32_t* slot = k.a.state + k.a.rows[r].state_slot * ct::slot_words(k.a.vocab_size);
    note(slot, k.a.vocab_size, k.a.token[r], false);
}

// The threads' largest keys of a piece of a row: tiles dealt over the pieces, so that a thread of sample_kernel knows whether
// its own tokens reach a key.
__global__ void __launch_bounds__(kMaxThreads) survey_kernel(Sample k) {
    wait_for_previous();
    launch_next();
    const int64_t row = blockIdx.x / k.pieces;
    const int64_t piece = blockIdx.x % k.pieces;
    const ct::KeyCode code = ct::key_code(k.a.vocab_size);
    uint64_t first = 0;
    logit_row(k.a, row, k.aligned)
        .each(
            [&](float logit, int64_t id) {
                const uint64_t key = logit < infinity() ? code.key(logit, id) : kNotFinite;
                first = key > first ? key : first;
            },
            piece, k.pieces);
    k.maxima[static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x] = first;
}

// ---- the host's part -----------------------------------------------------------------------------------------------

constexpr int32_t kMaxPieces = 8;

struct Plan {
    int64_t blocks;
    int32_t threads;
    int32_t pieces;  // 1: no survey before
    int64_t edited_stride;
    int64_t edited_bytes;
    int64_t maxima_bytes;
};

// What edits cannot do without is a row a block, so there are not more blocks than run at once.
Plan plan(const DeviceLimits& limits, const ct_sample_params& p) {
    Plan plan{};
    const int64_t threads = ceil_div(ceil_div(p.vocab_size, int64_t{kRun}), int64_t{kWarp}) * kWarp;
    plan.threads = threads < kMaxThreads ? static_cast<int32_t>(threads) : kMaxThreads;
    plan.blocks = p.num_rows < limits.num_sms ? p.num_rows : limits.num_sms;
    plan.pieces = 1;
    const int64_t tiles = ceil_div(p.vocab_size, int64_t{plan.threads} * kRun);
    while (plan.pieces < kMaxPieces && 2 * plan.pieces <= tiles && p.num_rows * 2 * plan.pieces <= limits.num_sms) {
        plan.pieces *= 2;
    }
    plan.edited_stride = (p.vocab_size + 15) / 16 * 16;
    const bool edits = p.num_bias > 0 || p.num_masks > 0 || p.num_slots > 0;
    plan.edited_bytes = edits ? plan.blocks * plan.edited_stride * static_cast<int64_t>(sizeof(float)) : 0;
    plan.maxima_bytes = int64_t{limits.num_sms} * plan.threads * static_cast<int64_t>(sizeof(uint64_t));
    return plan;
}

}  // namespace

int32_t sample_workspace_bytes(const DeviceLimits& limits, const ct_sample_params& params, int64_t* bytes) {
    const Plan p = plan(limits, params);
    *bytes = p.edited_bytes + p.maxima_bytes;
    return CT_OK;
}

int32_t sample(const LaunchContext& context, const ct::SampleArgs& args) {
    ct_sample_params params{};
    params.num_rows = args.num_rows;
    params.vocab_size = args.vocab_size;
    params.num_bias = args.num_bias;
    params.num_masks = args.num_masks;
    params.num_slots = args.num_slots;
    const Plan p = plan(*context.limits, params);
    auto* workspace = static_cast<unsigned char*>(args.workspace);
    const int64_t element = args.logits_dtype == CT_BF16 ? 2 : 4;
    Sample k{args,
             p.edited_bytes > 0 ? reinterpret_cast<float*>(workspace + p.maxima_bytes) : nullptr,
             p.pieces > 1 ? reinterpret_cast<uint64_t*>(workspace) : nullptr,
             p.edited_stride,
             p.pieces,
             rows_aligned(args.logits, args.logits_stride, element)};
    LaunchShape shape;
    shape.threads = p.threads;
    if (args.shares_slots) {
        shape.blocks_x = args.num_rows;
        CT_TRY(GPU_LAUNCH(context, shape, take_up_kernel, k));
    }
    if (p.pieces > 1) {
        shape.blocks_x = args.num_rows * p.pieces;
        CT_TRY(GPU_LAUNCH(context, shape, survey_kernel, k));
    }
    shape.blocks_x = p.blocks;
    shape.shared_bytes = sizeof(SampleShared);
    CT_TRY(GPU_LAUNCH(context, shape, sample_kernel, k));
    if (!args.shares_slots) return CT_OK;
    shape.shared_bytes = 0;
    shape.blocks_x = ceil_div(args.num_rows, int64_t{shape.threads});
    return GPU_LAUNCH(context, shape, count_kernel, k);
}

}  // namespace gpu
