// verify.cu: ct_verify: a block for each row, then a block for each request. Never run on a GPU.
//
// Same bits as the CPU: the sampler's integers, and r in whole numbers, whose sums have no order.
//
// Floor: (target rows + draft rows) * vocabulary * bytes of a logit, read once, and for a request with a refused draft two
// rows once more (from L2 where 60 MB hold them) and r, 8 bytes a token, about 4 times. Predicted for V = 131072 on an H200:
// bf16, 32 requests of 4 drafts without draft rows (160 rows, 42 MB, 9.8 us of memory): two rounds of 132 blocks, 18 us with
// top_k or greedy; with draft rows and top_k 30 us and 20 more where a draft is refused.
// Occupancy: 512 threads of at most 128 registers, 56 KB of shared memory: one block a multiprocessor.
// ptxas for sm_90a: facts_kernel 125 registers; walk_kernel 128, and spills of 276 bytes around its function for a row taken
// through the chain again, which nothing has measured.
#include "gpu/operations.h"
#include "kernels/sampling/block_edits.h"
#include "kernels/sampling/select.h"
#include "kernels/speculate/verify.h"

namespace gpu {
namespace {

struct VerifyShared : SampleShared {
    ct::SampleArgs target, drafts;
};

struct Verify {
    ct::VerifyArgs a;
    ct::RowFacts* facts;
    float* edited;   // a row of float32 for every block; null: no row has edits
    uint64_t* rest;  // the same of r; null: no draft rows
    int64_t stride;  // of both
    bool target_aligned, drafts_aligned;

    __device__ VerifyShared& prepare() const {
        VerifyShared& s = shared<VerifyShared>();
        share(ct::kWeightSteps, [&](int i) { s.steps[i] = ct::weight_step(i); });
        if (threadIdx.x == 0) {
            s.target = ct::target_rows(a);
            s.drafts = ct::rows_of_drafts(a);
        }
        __syncthreads();
        return s;
    }
    __device__ BlockRow row(VerifyShared& s, bool of_draft, int64_t r) const {
        float* mine = edited ? edited + static_cast<int64_t>(blockIdx.x) * stride : nullptr;
        const bool aligned = of_draft ? drafts_aligned : target_aligned;
        return BlockRow(s, of_draft ? s.drafts : s.target, r, aligned, mine, nullptr, 1);
    }
};

__device__ __forceinline__ int32_t run(BlockRow& x, const ct_sample_row& p) {
    const int32_t fault = x.begin();
    return fault != CT_SAMPLE_OK ? fault : ct::run_chain(x, p, 0);
}

__device__ inline double share_of(BlockRow& x, int64_t id, uint64_t mass) {
    const uint64_t key = x.key_of(id);
    return key == 0 ? 0 : static_cast<double>(x.weight_of(key)) / static_cast<double>(mass);
}

__device__ inline bool is_token(const ct::VerifyArgs& a, int64_t node) {
    return a.draft_ids[node] >= 0 && a.draft_ids[node] < a.vocab_size;
}

// ---- facts ---------------------------------------------------------------------------------------------------------

// Probabilities of the children's tokens, or the draw.
__device__ inline void note_target(const Verify& k, const ct::RequestShape& shape, BlockRow& x, int64_t r,
                                   int32_t status) {
    const ct::VerifyArgs& a = k.a;
    const auto i = static_cast<int32_t>(r - shape.begin);
    const bool draws = status == CT_SAMPLE_OK && ct::draws_at_once(a, shape, i);
    const int32_t drawn = draws ? static_cast<int32_t>(x.code.id(ct::draw(x, a.rows[r]))) : ct::kNotDrawn;
    if (threadIdx.x == 0) {
        k.facts[r].status = status;
        k.facts[r].drawn = drawn;
    }
    if (status != CT_SAMPLE_OK || draws) return;
    const uint64_t mass = x.mass();
    for (int32_t j = i + 1; j < shape.size; ++j) {
        const int64_t node = shape.begin + j;
        if ((a.parents ? a.parents[node] : j - 1) != i || !is_token(a, node)) continue;
        const double p = share_of(x, a.draft_ids[node], mass);
        if (threadIdx.x == 0) k.facts[node].p = {p, p};
    }
}

// Probabilities of the tokens that were drawn from the row.
__device__ inline void note_draft(SampleShared& s, const Verify& k, BlockRow& y, int64_t d, int32_t status) {
    const ct::VerifyArgs& a = k.a;
    const uint64_t mass = status == CT_SAMPLE_OK ? y.mass() : 0;
    for (int64_t begin = 0; begin < a.num_rows; begin += kList) {
        if (threadIdx.x == 0) s.num_keys = 0;
        __syncthreads();
        share(static_cast<int>(a.num_rows - begin < kList ? a.num_rows - begin : kList), [&](int i) {
            if (a.draft_rows[begin + i] == d) s.masses[atomic_add(&s.num_keys, 1u)] = static_cast<uint64_t>(begin + i);
        });
        __syncthreads();
        const int n = static_cast<int>(s.num_keys);
        for (int i = 0; i < n; ++i) {
            const auto node = static_cast<int64_t>(s.masses[i]);
            const bool asked = status == CT_SAMPLE_OK && is_token(a, node);
            const double q = asked ? share_of(y, a.draft_ids[node], mass) : 0;
            if (threadIdx.x != 0) continue;
            k.facts[node].draft_status = status;
            k.facts[node].q = {q, q};
        }
        __syncthreads();
    }
}

__device__ inline void look(VerifyShared& s, const Verify& k, bool of_draft, int64_t r) {
    const int64_t request = of_draft ? 0 : ct::request_of(k.a, r);
    if (request < 0) return;
    const ct::RequestShape shape(k.a, request);
    if (!of_draft && !shape.is_valid) return;
    const ct::SampleArgs& rows = of_draft ? s.drafts : s.target;
    const ct_sample_row& p = rows.rows[r];
    if (!ct::can_verify(rows, p, !of_draft && r == shape.begin)) {
        // A row that is never looked at: what it points at may not be there.
        if (!of_draft && threadIdx.x == 0) k.facts[r].status = CT_SAMPLE_INVALID;
        share(of_draft ? static_cast<int>(k.a.num_rows) : 0, [&](int node) {
            if (k.a.draft_rows[node] == r) k.facts[node].draft_status = CT_SAMPLE_INVALID;
        });
        return;
    }
    BlockRow x = k.row(s, of_draft, r);
    const int32_t status = run(x, p);
    if (of_draft) {
        note_draft(s, k, x, r, status);
    } else {
        note_target(k, shape, x, r, status);
    }
}

__global__ void __launch_bounds__(kMaxThreads) facts_kernel(Verify k) {
    wait_for_previous();
    launch_next();
    VerifyShared& s = k.prepare();
    for (int64_t part = blockIdx.x; part < k.a.num_rows + k.a.num_draft_rows; part += gridDim.x) {
        const bool of_draft = part >= k.a.num_rows;
        look(s, k, of_draft, of_draft ? part - k.a.num_rows : part);
        __syncthreads();
    }
}

// ---- the walk ------------------------------------------------------------------------------------------------------

enum class Use { kDraw, kBegin, kSubtract };

// A request's Tree (walk.h).
class BlockTree : public ct::TreeFacts {
public:
    __device__ BlockTree(VerifyShared& shared, const Verify& verify, const ct::RequestShape& shape, int64_t request)
        : TreeFacts(verify.a, shape, verify.facts), s(shared), k(verify), verdict_{verify.a, request, shape.begin} {
        if (k.rest) rest_ = k.rest + static_cast<int64_t>(blockIdx.x) * k.stride;
    }

    __device__ int32_t draw(int32_t i) {
        return facts_[i].drawn != ct::kNotDrawn ? facts_[i].drawn : take_row(Use::kDraw, row(i), 0);
    }
    // Both begin when every thread has read what it wanted of r.
    __device__ void begin(int32_t i, double scale) {
        __syncthreads();
        share(static_cast<int>(a.vocab_size), [&](int id) { rest_[id] = 0; });
        __syncthreads();
        left_ = 1;
        take_row(Use::kBegin, row(i), scale);
        __syncthreads();
    }
    __device__ void subtract(int32_t j) {
        __syncthreads();
        if (has_draft(j)) {
            take_row(Use::kSubtract, a.draft_rows[row(j)], left_);
        } else if (threadIdx.x == 0) {
            rest_[token(j)] = 0;
        }
        __syncthreads();
        uint64_t own = 0;
        share(static_cast<int>(a.vocab_size), [&](int id) { own += rest_[id]; });
        sum_ = sum_of(s, own);
        left_ = static_cast<double>(sum_) / ct::kWholeRest;
    }
    __device__ double left() const { return left_; }
    __device__ double rest(int32_t j) const { return static_cast<double>(rest_[token(j)]) / ct::kWholeRest; }
    __device__ int32_t draw_rest(int32_t i);

    __device__ void enter(int32_t i) {
        if (threadIdx.x == 0) verdict_.enter(i);
    }
    __device__ void emit(int32_t token) {
        if (threadIdx.x == 0) verdict_.emit(token);
    }
    __device__ void end(int32_t status) {
        if (threadIdx.x == 0) verdict_.end(status);
    }

private:
    __device__ int32_t take_row(Use use, int64_t r, double scale);

    VerifyShared& s;
    const Verify& k;
    ct::Verdict verdict_;
    uint64_t* rest_ = nullptr;  // this block's r
    uint64_t sum_ = 0;
    double left_ = 1;
};

// Takes a row through the chain again; not in line: the walk asks for it at several places.
[[gnu::noinline]] __device__ int32_t BlockTree::take_row(Use use, int64_t r, double scale) {
    const bool of_draft = use == Use::kSubtract;
    const ct_sample_row& p = of_draft ? a.draft_params[r] : a.rows[r];
    __syncthreads();
    BlockRow x = k.row(s, of_draft, r);
    run(x, p);
    if (use == Use::kDraw) return static_cast<int32_t>(x.code.id(ct::draw(x, p)));
    const double rate = ct::rest_rate(scale, x.mass());
    x.each_weight([&](int64_t id, uint64_t weight) {
        const uint64_t part = ct::rest_of(weight, rate);
        if (use == Use::kBegin) {
            rest_[id] = part;
        } else {
            rest_[id] = rest_[id] > part ? rest_[id] - part : 0;
        }
    });
    return 0;
}

// Every thread sums a run of ids.
__device__ inline int32_t BlockTree::draw_rest(int32_t i) {
    const uint64_t target = ct::target_of(number(i, CT_TAG_RESIDUAL, 0) * static_cast<double>(sum_), sum_);
    const int64_t length = ceil_div(a.vocab_size, static_cast<int64_t>(blockDim.x));
    const int64_t first = static_cast<int64_t>(threadIdx.x) * length;
    const int64_t end = first + length < a.vocab_size ? first + length : a.vocab_size;
    uint64_t own = 0;
    for (int64_t id = first; id < end; ++id) own += rest_[id];
    uint64_t whole;
    uint64_t before = scan(s, own, &whole);
    if (before < target && target <= before + own) {
        int64_t id = first;
        for (; before + rest_[id] < target; ++id) before += rest_[id];
        s.chosen = static_cast<uint64_t>(id);
    }
    __syncthreads();
    const auto token = static_cast<int32_t>(s.chosen);
    __syncthreads();
    return token;
}

__device__ inline void count_emitted(const VerifyShared& s, const Verify& k, const ct::RequestShape& shape,
                                     int64_t request) {
    if (k.a.num_slots == 0 || threadIdx.x != 0 || !ct::owns_slot(s.target, shape.begin)) return;
    int32_t* slot = k.a.state + k.a.rows[shape.begin].state_slot * ct::slot_words(k.a.vocab_size);
    const int32_t* tokens = k.a.tokens + request * k.a.max_tokens;
    for (int64_t i = 0; i < k.a.max_tokens; ++i) note(slot, k.a.vocab_size, tokens[i], false);
}

__global__ void __launch_bounds__(kMaxThreads) walk_kernel(Verify k) {
    wait_for_previous();
    launch_next();
    VerifyShared& s = k.prepare();
    for (int64_t request = blockIdx.x; request < k.a.num_requests; request += gridDim.x) {
        const ct::RequestShape shape(k.a, request);
        BlockTree tree(s, k, shape, request);
        if (!shape.is_valid || shape.size == 0) {
            tree.end(shape.is_valid ? CT_SAMPLE_OK : CT_SAMPLE_INVALID);
        } else {
            ct::walk(tree);
            count_emitted(s, k, shape, request);
        }
        __syncthreads();
    }
}

// The histories of the requests, before any row reads.
__global__ void __launch_bounds__(kMaxThreads) roots_kernel(Verify k) {
    wait_for_previous();
    launch_next();
    const ct::SampleArgs target = ct::target_rows(k.a);
    const ct::RequestShape shape(k.a, blockIdx.x);
    if (!shape.is_valid || shape.size == 0 || !ct::owns_slot(target, shape.begin)) return;
    take_up(target, k.a.rows[shape.begin]);
}

// ---- the host's part -----------------------------------------------------------------------------------------------

struct Plan {
    int64_t blocks;
    int32_t threads;
    int64_t stride;
    int64_t facts_bytes, rest_bytes, edited_bytes;
};

Plan plan(const DeviceLimits& limits, const ct_verify_params& p) {
    Plan plan{};
    const int64_t threads = ceil_div(ceil_div(p.vocab_size, int64_t{kRun}), int64_t{kWarp}) * kWarp;
    plan.threads = threads < kMaxThreads ? static_cast<int32_t>(threads) : kMaxThreads;
    const int64_t rows = p.num_rows + p.num_draft_rows;
    const int64_t parts = rows > p.num_requests ? rows : p.num_requests;
    plan.blocks = parts < limits.num_sms ? parts : limits.num_sms;
    plan.stride = (p.vocab_size + 15) / 16 * 16;
    plan.facts_bytes = (p.num_rows * static_cast<int64_t>(sizeof(ct::RowFacts)) + 63) / 64 * 64;
    plan.rest_bytes = p.num_draft_rows > 0 ? plan.blocks * plan.stride * static_cast<int64_t>(sizeof(uint64_t)) : 0;
    const bool edits = p.num_bias > 0 || p.num_masks > 0 || p.num_slots > 0;
    plan.edited_bytes = edits ? plan.blocks * plan.stride * static_cast<int64_t>(sizeof(float)) : 0;
    return plan;
}

}  // namespace

int32_t verify_workspace_bytes(const DeviceLimits& limits, const ct_verify_params& params, int64_t* bytes) {
    const Plan p = plan(limits, params);
    *bytes = p.facts_bytes + p.rest_bytes + p.edited_bytes;
    return CT_OK;
}

int32_t verify(const LaunchContext& context, const ct::VerifyArgs& args) {
    ct_verify_params params{};
    params.num_requests = args.num_requests;
    params.num_rows = args.num_rows;
    params.num_draft_rows = args.num_draft_rows;
    params.vocab_size = args.vocab_size;
    params.num_bias = args.num_bias;
    params.num_masks = args.num_masks;
    params.num_slots = args.num_slots;
    const Plan p = plan(*context.limits, params);
    auto* workspace = static_cast<unsigned char*>(args.workspace);
    unsigned char* rest = workspace + p.facts_bytes;
    auto aligned = [](const void* at, int64_t stride, int32_t dtype) {
        return rows_aligned(at, stride, dtype == CT_BF16 ? 2 : 4);
    };
    const Verify k{args,
                   reinterpret_cast<ct::RowFacts*>(workspace),
                   p.edited_bytes > 0 ? reinterpret_cast<float*>(rest + p.rest_bytes) : nullptr,
                   p.rest_bytes > 0 ? reinterpret_cast<uint64_t*>(rest) : nullptr,
                   p.stride,
                   aligned(args.logits, args.logits_stride, args.logits_dtype),
                   aligned(args.draft_logits, args.draft_stride, args.draft_dtype)};
    LaunchShape shape;
    shape.threads = p.threads;
    if (args.num_slots > 0) {
        shape.blocks_x = args.num_requests;
        CT_TRY(GPU_LAUNCH(context, shape, roots_kernel, k));
    }
    shape.shared_bytes = sizeof(VerifyShared);
    const int64_t rows = args.num_rows + args.num_draft_rows;
    shape.blocks_x = rows < p.blocks ? rows : p.blocks;
    CT_TRY(GPU_LAUNCH(context, shape, facts_kernel, k));
    shape.blocks_x = args.num_requests < p.blocks ? args.num_requests : p.blocks;
    return GPU_LAUNCH(context, shape, walk_kernel, k);
}

}  // namespace gpu
