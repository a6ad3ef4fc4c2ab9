// experts.cpp: ct_moe_experts. On the CPU the work of a product is cut into blocks of (expert, 64 rows of its matrix, up
// to 96 of its tokens), which the threads take as they become free, experts one after the other: with one token, all
// threads read the chosen experts' weights, once; with many, the blocks are ct_linear's. The rows of x are gathered once,
// expert by expert, which costs their bytes and spares the tile kernels the indices.
#include <algorithm>

#include "kernels/linear/product.h"
#include "kernels/moe/moe.h"

namespace ct::moe {
namespace {

using linear::Block;
using linear::ceil_div;
using linear::kGroupPanels;
using linear::kPanelRows;
using linear::Product;
using linear::XSums;

constexpr int64_t kFloatBytes = sizeof(float);

int64_t align(int64_t bytes) { return (bytes + CT_BUFFER_ALIGNMENT - 1) / CT_BUFFER_ALIGNMENT * CT_BUFFER_ALIGNMENT; }

// The blocks of one product.
class Division {
public:
    Division(const PlanView& plan, const ct_experts& experts, int64_t matrix_rows, int threads)
        : offsets_(plan.offsets), num_experts_(experts.num_experts), panels_(ceil_div(matrix_rows, kPanelRows)) {
        // A whole group at a time is the cheapest; where there are fewer than threads, they are divided more finely.
        do {
            starts_[0] = 0;
            for (int32_t e = 0; e < num_experts_; ++e) {
                const int64_t blocks = experts.matrices[e].gate ? row_blocks(e) * ceil_div(panels_, width_) : 0;
                starts_[e + 1] = starts_[e] + blocks;
            }
        } while (starts_[num_experts_] < 2 * int64_t{threads} && (width_ /= 2) > 0);
        if (width_ == 0) width_ = 1;
    }

    int64_t parts() const { return starts_[num_experts_]; }

    // Rows are those of the plan's slots. The blocks of rows of one group follow each other, so that its weights come from
    // memory once.
    Block block(int32_t* expert, int64_t part) const {
        const int64_t* next = std::upper_bound(starts_ + 1, starts_ + num_experts_ + 1, part);
        const auto e = static_cast<int32_t>(next - starts_ - 1);
        const int64_t within = part - starts_[e];
        const int64_t rows = offsets_[e + 1] - offsets_[e];
        const int64_t row_block = within % row_blocks(e);
        const int64_t panel = within / row_blocks(e) * width_;
        *expert = e;
        return {offsets_[e] + linear::piece_begin(rows, row_blocks(e), row_block),
                offsets_[e] + linear::piece_begin(rows, row_blocks(e), row_block + 1), panel,
                static_cast<int>(std::min(width_, panels_ - panel))};
    }

private:
    int64_t row_blocks(int32_t e) const { return ceil_div(offsets_[e + 1] - offsets_[e], linear::kBlockRows); }

    const int32_t* offsets_;
    int32_t num_experts_;
    int64_t panels_;
    int64_t width_ = kGroupPanels;
    int64_t starts_[CT_MAX_EXPERTS + 1];  // the first part of each expert
};

// Of num_slots rows each.
struct Workspace {
    int64_t inner_bytes;   // what is between the products
    int64_t gather_bytes;  // rows of x
    int64_t sums_bytes;    // XSums of the product that runs

    static Workspace of(const ct_experts& experts, const ct_moe_params& p) {
        const int64_t slots = p.num_tokens * p.top_k;
        const int64_t element = dtype_bytes(p.x_dtype);
        if (experts.device->backend) return {align(slots * experts.inner * element), 0, 0};
        const auto sums = [&](const ct_weights* w) { return static_cast<int64_t>(XSums(*w, slots).bytes()); };
        const ct_experts::Matrices& m = *experts.first;
        return {align(slots * experts.inner * element), align(slots * experts.hidden * element),
                align(std::max(sums(m.gate) + sums(m.up), sums(m.down)))};
    }
    int64_t bytes() const { return std::max<int64_t>(CT_BUFFER_ALIGNMENT, inner_bytes + gather_bytes + sums_bytes); }
};

struct Experts {
    MoeExpertsArgs a;  // of the arguments for a backend, what has a meaning here
    const ct_experts* experts;
    const Functions* functions;

    void run(Team& team) const;

private:
    void gather(const PlanView& plan, unsigned char* to, int64_t rows, Team& team) const;
    void run_inner(const PlanView& plan, const Workspace& space, int64_t rows, Team& team) const;
    void run_down(const PlanView& plan, const Workspace& space, int64_t rows, Team& team) const;
    Product product(const ct_weights& first, const unsigned char* x, int64_t x_stride, const XSums& x_sums) const;
    unsigned char* workspace() const { return static_cast<unsigned char*>(a.workspace); }
    int64_t element() const { return dtype_bytes(a.p.x_dtype); }
};

void use(Product& product, const ct_weights& w) {
    product.segment = &w.segments[0];
    product.segment_data = w.data + w.segments[0].at;
}

const float* bias_of(const float* biases, int32_t expert, int64_t length, int64_t first) {
    return biases ? biases + expert * length + first : nullptr;
}

void Experts::run(Team& team) const {
    const PlanView plan(a.plan, a.num_experts);
    const int64_t rows = plan.offsets[a.num_experts];
    const auto space = Workspace::of(*experts, a.p);
    run_inner(plan, space, rows, team);
    run_down(plan, space, rows, team);
}

void Experts::gather(const PlanView& plan, unsigned char* to, int64_t rows, Team& team) const {
    constexpr int64_t kPieceRows = 16;
    const auto row_bytes = static_cast<size_t>(experts->hidden * element());
    const auto* x = static_cast<const unsigned char*>(a.x);
    team.run(ceil_div(rows, kPieceRows), [&](int64_t part, int) {
        const int64_t end = std::min(rows, (part + 1) * kPieceRows);
        for (int64_t row = part * kPieceRows; row < end; ++row) {
            const int64_t token = plan.slots[row] / a.p.top_k;
            std::memcpy(to + row * experts->hidden * element(), x + token * a.p.x_stride * element(), row_bytes);
        }
    });
}

Product Experts::product(const ct_weights& first, const unsigned char* x, int64_t x_stride, const XSums& x_sums) const {
    Product product = {};
    product.x = x;
    product.x_sums = &x_sums;
    product.x_stride = x_stride;
    product.cols = first.cols;
    product.x_dtype = a.p.x_dtype;
    product.kernels = linear::kernels_of(experts->device);
    product.code_kernels = linear::code_kernels_of(experts->device->isa);
    return product;
}

void Experts::run_inner(const PlanView& plan, const Workspace& space, int64_t rows, Team& team) const {
    const ct_experts::Matrices& first = *experts->first;
    const auto* x = static_cast<const unsigned char*>(a.x);
    int64_t x_stride = 0;  // every slot has the only token's row
    if (a.p.num_tokens > 1) {
        gather(plan, workspace() + space.inner_bytes, rows, team);
        x = workspace() + space.inner_bytes;
        x_stride = experts->hidden;
    }
    XSums gate_sums(*first.gate, rows);
    XSums up_sums(*first.up, rows);
    auto* sums_memory = reinterpret_cast<float*>(workspace() + space.inner_bytes + space.gather_bytes);
    Product gate = product(*first.gate, x, x_stride, gate_sums);
    Product up = product(*first.up, x, x_stride, up_sums);
    if (gate_sums.bytes() > 0) gate_sums.fill(sums_memory, x, x_stride, a.p.x_dtype, *gate.code_kernels, team);
    if (up_sums.bytes() > 0) {
        up_sums.fill(sums_memory + gate_sums.bytes() / kFloatBytes, x, x_stride, a.p.x_dtype, *up.code_kernels, team);
    }
    const Division division(plan, *experts, experts->inner, team.size());
    const auto activate = functions->activate[a.p.x_dtype == CT_BF16][a.p.activation];
    const size_t product_bytes = linear::product_scratch_bytes();
    const size_t sums_bytes = linear::sums_bytes(rows);
    team.run(division.parts(), [&](int64_t part, int thread) {
        int32_t e = 0;
        const Block block = division.block(&e, part);
        auto* scratch = static_cast<unsigned char*>(team.scratch(thread, product_bytes + 2 * sums_bytes));
        auto* gates = reinterpret_cast<float*>(scratch + product_bytes);
        auto* ups = reinterpret_cast<float*>(scratch + product_bytes + sums_bytes);
        Product own = gate;
        use(own, *experts->matrices[e].gate);
        own.run(gates, block, scratch);
        own = up;
        use(own, *experts->matrices[e].up);
        own.run(ups, block, scratch);
        const int64_t col = block.panel_begin * kPanelRows;
        const int64_t cols = std::min<int64_t>(block.panels * kPanelRows, experts->inner - col);
        Gate row_gate = {nullptr,
                         nullptr,
                         bias_of(a.gate_bias, e, experts->inner, col),
                         bias_of(a.up_bias, e, experts->inner, col),
                         a.p.alpha,
                         a.p.limit};
        for (int64_t row = block.row_begin; row < block.row_end; ++row) {
            row_gate.gate = gates + (row - block.row_begin) * linear::kGroupRows;
            row_gate.up = ups + (row - block.row_begin) * linear::kGroupRows;
            activate(workspace() + (row * experts->inner + col) * element(), row_gate, cols);
        }
    });
}

void Experts::run_down(const PlanView& plan, const Workspace& space, int64_t rows, Team& team) const {
    XSums x_sums(*experts->first->down, rows);
    const Product down = product(*experts->first->down, workspace(), experts->inner, x_sums);
    if (x_sums.bytes() > 0) {
        x_sums.fill(reinterpret_cast<float*>(workspace() + space.inner_bytes + space.gather_bytes), workspace(),
                    experts->inner, a.p.x_dtype, *down.code_kernels, team);
    }
    const Division division(plan, *experts, experts->hidden, team.size());
    const size_t product_bytes = linear::product_scratch_bytes();
    const size_t sums_bytes = linear::sums_bytes(rows);
    const int64_t y_element = dtype_bytes(a.p.y_dtype);
    team.run(division.parts(), [&](int64_t part, int thread) {
        int32_t e = 0;
        const Block block = division.block(&e, part);
        auto* scratch = static_cast<unsigned char*>(team.scratch(thread, product_bytes + sums_bytes));
        auto* sums = reinterpret_cast<float*>(scratch + product_bytes);
        const int64_t col = block.panel_begin * kPanelRows;
        const int64_t cols = std::min<int64_t>(block.panels * kPanelRows, experts->hidden - col);
        const auto y_of = [&](int64_t row) {
            return static_cast<unsigned char*>(a.y) + (plan.slots[row] * a.p.y_stride + col) * y_element;
        };
        // Rows of y lie far from each other: their lines are asked for before there is anything to write.
        for (int64_t row = block.row_begin; row < block.row_end; ++row) {
            for (int64_t at = 0; at < cols * y_element; at += linear::kLineBytes) __builtin_prefetch(y_of(row) + at, 1);
        }
        Product own = down;
        use(own, *experts->matrices[e].down);
        own.run(sums, block, scratch);
        const float* bias = bias_of(a.down_bias, e, experts->hidden, col);
        for (int64_t row = block.row_begin; row < block.row_end; ++row) {
            unsigned char* y = y_of(row);
            own.kernels->finish(y, sums + (row - block.row_begin) * linear::kGroupRows, bias, cols, a.p.y_dtype);
        }
    });
}

int32_t read_moe_params(const char* function, ct_moe_params* p, const ct_moe_params* params,
                        const ct_experts* experts) {
    CT_TRY(read_params(function, p, sizeof *p, params));
    if (!experts) return fail(CT_INVALID, "%s: experts is null", function);
    CT_TRY(check_slots(function, p->num_tokens, p->top_k, experts->num_experts));
    CT_TRY(check_activation_dtype(function, "x_dtype", p->x_dtype));
    CT_TRY(check_activation_dtype(function, "y_dtype", p->y_dtype));
    if (p->activation < CT_MOE_SILU || p->activation > CT_MOE_SILU_CLAMPED) {
        return fail(CT_INVALID, "%s: activation=%d must be a ct_moe_activation", function,
                    static_cast<int>(p->activation));
    }
    if (p->activation == CT_MOE_SILU_CLAMPED && !(p->limit > 0)) {
        return fail(CT_INVALID, "%s: limit=%g must be > 0", function, p->limit);
    }
    // Every row of the workspace has at most so many bytes.
    int64_t most = 0;
    if (multiply(p->num_tokens * p->top_k + 1, 8 * (experts->hidden + experts->inner) + 64, &most)) return CT_OK;
    return fail(CT_INVALID, "%s: num_tokens=%lld is too large", function, static_cast<long long>(p->num_tokens));
}

}  // namespace
}  // namespace ct::moe

extern "C" int32_t ct_moe_workspace_bytes(int64_t* bytes, const ct_experts* experts, const ct_moe_params* params) {
    CT_REQUIRE(bytes, "bytes is null");
    ct_moe_params p;
    CT_TRY(ct::moe::read_moe_params(__func__, &p, params, experts));
    *bytes = ct::moe::Workspace::of(*experts, p).bytes();
    return ct::ok();
}

extern "C" int32_t ct_moe_experts(ct_buffer* y, const ct_buffer* x, const ct_buffer* plan, const ct_experts* experts,
                                  const ct_buffer* gate_bias, const ct_buffer* up_bias, const ct_buffer* down_bias,
                                  ct_buffer* workspace, const ct_moe_params* params, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    ct_moe_params p;
    CT_TRY(ct::moe::read_moe_params(__func__, &p, params, experts));
    CT_REQUIRE(experts->device == ct::device_of(stream), "experts are of another device than stream");
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, p.num_tokens * p.top_k, experts->hidden, p.y_stride,
                            ct::dtype_bytes(p.y_dtype)));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, p.num_tokens, experts->hidden, p.x_stride,
                            ct::dtype_bytes(p.x_dtype)));
    int64_t plan_bytes = 0;
    CT_TRY(ct_moe_plan_bytes(&plan_bytes, experts->device, p.num_tokens, p.top_k, experts->num_experts));
    CT_TRY(ct::check_buffer(__func__, "plan", plan, stream, plan_bytes, 1));
    const int64_t inner_floats = experts->num_experts * experts->inner;
    if (gate_bias) CT_TRY(ct::check_buffer(__func__, "gate_bias", gate_bias, stream, inner_floats, sizeof(float)));
    if (up_bias) CT_TRY(ct::check_buffer(__func__, "up_bias", up_bias, stream, inner_floats, sizeof(float)));
    if (down_bias) {
        CT_TRY(ct::check_buffer(__func__, "down_bias", down_bias, stream, experts->num_experts * experts->hidden,
                                sizeof(float)));
    }
    CT_TRY(ct::check_buffer(__func__, "workspace", workspace, stream, ct::moe::Workspace::of(*experts, p).bytes(), 1));
    if (p.num_tokens == 0) return ct::ok();
    CT_REQUIRE(y->data != x->data && y->data != workspace->data && x->data != workspace->data,
               "y, x and workspace must not alias");

    const ct_experts::Matrices& first = *experts->first;
    const auto format_of = [](const ct_weights* w) { return ct::ExpertFormat{w->format, w->group_shift}; };
    const ct::MoeExpertsArgs args = {y->data,
                                     x->data,
                                     ct::data<int32_t>(plan),
                                     experts->on_device,
                                     ct::data<float>(gate_bias),
                                     ct::data<float>(up_bias),
                                     ct::data<float>(down_bias),
                                     workspace->data,
                                     experts->hidden,
                                     experts->inner,
                                     first.gate->stride,
                                     first.down->stride,
                                     experts->num_experts,
                                     format_of(first.gate),
                                     format_of(first.up),
                                     format_of(first.down),
                                     p};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::moe_experts, args);
    using namespace ct::moe;
    const Experts call = {args, experts, &ct::variant(stream, kScalar, kAvx2, kAvx512)};
    CT_TRY(ct::enqueue(stream, [call](ct::Team& team) { call.run(team); }));
    return ct::ok();
}
