// moe_test.cpp: mixture of experts on the CPU, and what it refuses.
#include "kernels/moe/experts_testing.h"

namespace {

using namespace testing;

void expertsOfEveryShape(Device& d) {
    struct Shape {
        int32_t experts;
        int64_t hidden, inner;
    };
    for (const Shape& s : {Shape{1, 64, 64}, Shape{3, 33, 17}, Shape{4, 72, 130}, Shape{5, 1, 1}}) {
        for (const int32_t format : {CT_FORMAT_BF16, CT_FORMAT_F32}) {
            const Layer layer(d, s.experts, s.hidden, s.inner, format, format, CT_BF16);
            for (const int64_t tokens : {0, 1, 7, 64, 65}) {
                for (const int32_t x : {CT_F32, CT_BF16}) {
                    if (reduced() && tokens > 10) continue;
                    Random random(static_cast<uint64_t>(tokens));
                    ExpertsCall call = {.top_k = 2, .x_dtype = x, .y_dtype = x, .x_padding = 3, .y_padding = 5};
                    call.activation = static_cast<int32_t>(tokens % 3);
                    call.biases = tokens % 2 == 1;
                    expertsMatchPlainLoops(d, layer, random_ids(random, tokens, 2, s.experts), call);
                }
            }
        }
    }
}

void expertsOfEveryLoad(Device& d) {
    const Layer layer(d, 9, 40, 24, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16);
    Random random(5);
    const int64_t most = reduced() ? 130 : 513;
    expertsMatchPlainLoops(d, layer, random_ids(random, most, 4, 9), {.top_k = 4});
    expertsMatchPlainLoops(d, layer, std::vector<int32_t>(static_cast<size_t>(most), 4), {.top_k = 1});
    expertsMatchPlainLoops(d, layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0}, {.top_k = 9});
    expertsMatchPlainLoops(d, layer, {3, 3, -1, 2, 9, 3, -1, -1, INT32_MAX, INT32_MIN}, {.top_k = 2});
    const Layer without(d, 9, 40, 24, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16, 4);
    expertsMatchPlainLoops(d, without, random_ids(random, 33, 4, 9), {.top_k = 4}, 4);
    const Layer many(d, 512, 8, 8, CT_FORMAT_F32, CT_FORMAT_F32, CT_F32);
    expertsMatchPlainLoops(d, many, random_ids(random, 70, 8, 512), {.top_k = 8, .x_dtype = CT_F32});
}

struct Formats {
    int32_t gate, down;
};
constexpr Formats kFormats[] = {{CT_FORMAT_BF16, CT_FORMAT_BF16},       {CT_FORMAT_F32, CT_FORMAT_F32},
                                {CT_FORMAT_F16, CT_FORMAT_F16},         {CT_FORMAT_Q8_0, CT_FORMAT_Q8_0},
                                {CT_FORMAT_Q4_K, CT_FORMAT_Q8_0},       {CT_FORMAT_INT4, CT_FORMAT_INT4},
                                {CT_FORMAT_F8_E4M3, CT_FORMAT_F8_E4M3}, {CT_FORMAT_MXFP4, CT_FORMAT_MXFP4}};

void expertsOfEveryFormat(Device& d) {
    for (const Formats& f : kFormats) {
        const Layer layer(d, 4, 256, 96, f.gate, f.down, CT_F32);
        const std::string outer = context;
        context += " formats " + std::to_string(f.gate) + " " + std::to_string(f.down);
        Random random(7);
        for (const int64_t tokens : {1, 9, 40}) {
            for (const int32_t x : {CT_F32, CT_BF16}) {
                expertsMatchPlainLoops(d, layer, random_ids(random, tokens, 2, 4),
                                       {.x_dtype = x, .y_dtype = CT_F32, .biases = true});
            }
        }
        for (const int32_t x : {CT_F32, CT_BF16}) {
            expertsAreLinear(d, layer, {.top_k = 3, .x_dtype = x, .y_dtype = x, .biases = true});
            expertsRowsDependOnNothingElse(d, layer, {.x_dtype = x});
        }
        context = outer;
    }
}

void refusesWrongArguments() {
    Device d;
    ct_experts* experts = nullptr;
    const Layer layer(d, 2, 16, 8, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16);
    const ct_weights* gates[] = {layer.gate[0]->weights, layer.gate[1]->weights};
    const ct_weights* ups[] = {layer.up[0]->weights, nullptr};
    const ct_weights* downs[] = {layer.down[0]->weights, layer.down[1]->weights};
    const ct_weights* none[] = {nullptr, nullptr};
    const auto create = [&](const ct_weights* const* gate, const ct_weights* const* up, const ct_weights* const* down,
                            int32_t count) { return ct_experts_create(&experts, d.device, gate, up, down, count); };
    CHECK_STATUS(create(gates, ups, downs, 2), CT_INVALID);
    CHECK_STATUS(create(none, none, none, 2), CT_INVALID);
    CHECK_STATUS(create(gates, gates, downs, 0), CT_INVALID);
    CHECK_STATUS(create(gates, gates, downs, 513), CT_INVALID);
    CHECK_STATUS(create(nullptr, gates, downs, 1), CT_INVALID);
    CHECK_STATUS(create(gates, downs, downs, 1), CT_INVALID);
    CHECK_STATUS(create(gates, gates, gates, 1), CT_INVALID);
    CHECK_STATUS(ct_experts_create(nullptr, d.device, gates, gates, downs, 1), CT_INVALID);
    CHECK_STATUS(ct_experts_create(&experts, nullptr, gates, gates, downs, 1), CT_INVALID);
    CHECK_STATUS(ct_experts_destroy(nullptr), CT_INVALID);
    Random random(1);
    const ExpertMatrix other(d, random, 8, 16, CT_FORMAT_F32, CT_F32, CT_WEIGHTS_LINEAR);
    const ct_weights* mixed[] = {layer.gate[0]->weights, other.weights};
    CHECK_STATUS(create(mixed, gates, downs, 2), CT_INVALID);

    Array<float> x(d, 64), y(d, 128), floats(d, 64);
    const ExpertMatrix of_expert(d, random, 8, 16, CT_FORMAT_F32, CT_F32, CT_WEIGHTS_EXPERT);
    const Array<int32_t> token(d, 1);
    CHECK_STATUS(ct_linear(y.buffer, x.buffer, of_expert.weights, nullptr, 1, 8, 16, CT_F32, CT_F32, d.stream),
                 CT_INVALID);
    CHECK_STATUS(ct_embedding(y.buffer, of_expert.weights, token.buffer, 1, 16, CT_F32, 1, d.stream), CT_INVALID);
    Array<int32_t> ids(d, 8), plan(d, 64);
    Array<unsigned char> workspace(d, 4096);
    int64_t bytes = 0;
    CHECK_STATUS(ct_moe_plan_bytes(nullptr, d.device, 1, 1, 1), CT_INVALID);
    CHECK_STATUS(ct_moe_plan_bytes(&bytes, nullptr, 1, 1, 1), CT_INVALID);
    CHECK_STATUS(ct_moe_plan_bytes(&bytes, d.device, -1, 1, 1), CT_INVALID);
    CHECK_STATUS(ct_moe_plan_bytes(&bytes, d.device, INT64_MAX, 2, 1), CT_INVALID);
    CHECK_STATUS(ct_moe_plan_bytes(&bytes, d.device, 1, 0, 1), CT_INVALID);
    CHECK_STATUS(ct_moe_plan_bytes(&bytes, d.device, 1, 1, 513), CT_INVALID);
    CHECK_STATUS(ct_moe_plan(nullptr, ids.buffer, 4, 2, 2, d.stream), CT_INVALID);
    CHECK_STATUS(ct_moe_plan(plan.buffer, ids.buffer, 5, 2, 2, d.stream), CT_INVALID);
    CHECK_STATUS(ct_moe_plan(ids.buffer, ids.buffer, 4, 2, 2, d.stream), CT_INVALID);
    CHECK_OK(ct_moe_plan(plan.buffer, ids.buffer, 4, 2, 2, d.stream));

    ct_moe_params p = {sizeof p, 4, 16, 16, 2, CT_F32, CT_F32, CT_MOE_SILU, 0, 0};
    const auto run = [&](const ct_moe_params& with, ct_buffer* to) {
        return ct_moe_experts(to, x.buffer, plan.buffer, layer.experts, nullptr, nullptr, nullptr, workspace.buffer,
                              &with, d.stream);
    };
    CHECK_OK(run(p, y.buffer));
    CHECK_STATUS(run(p, nullptr), CT_INVALID);
    CHECK_STATUS(run(p, x.buffer), CT_INVALID);
    CHECK_STATUS(run(p, workspace.buffer), CT_INVALID);
    const auto refuses = [&](auto ct_moe_params::* field, auto wrong) {
        ct_moe_params changed = p;
        changed.*field = wrong;
        CHECK_STATUS(run(changed, y.buffer), CT_INVALID);
    };
    refuses(&ct_moe_params::struct_bytes, 0);
    refuses(&ct_moe_params::struct_bytes, 1000);
    refuses(&ct_moe_params::num_tokens, 5);
    refuses(&ct_moe_params::num_tokens, -1);
    refuses(&ct_moe_params::num_tokens, INT64_MAX);
    refuses(&ct_moe_params::x_stride, 15);
    refuses(&ct_moe_params::y_stride, 15);
    refuses(&ct_moe_params::top_k, 0);
    refuses(&ct_moe_params::top_k, 3);
    refuses(&ct_moe_params::x_dtype, CT_F16);
    refuses(&ct_moe_params::y_dtype, 9);
    refuses(&ct_moe_params::activation, 3);
    refuses(&ct_moe_params::activation, CT_MOE_SILU_CLAMPED);  // limit 0
    CHECK_STATUS(ct_moe_workspace_bytes(&bytes, nullptr, &p), CT_INVALID);
    CHECK_STATUS(ct_moe_workspace_bytes(nullptr, layer.experts, &p), CT_INVALID);
    CHECK_STATUS(ct_moe_workspace_bytes(&bytes, layer.experts, nullptr), CT_INVALID);

    const ct_moe_route_params good = route_params(4, 8, 2, CT_MOE_SIGMOID);
    const auto refuses_route = [&](auto ct_moe_route_params::* field, auto wrong, int32_t groups = 0) {
        ct_moe_route_params changed = good;
        changed.num_groups = groups;
        changed.top_groups = groups > 0 ? 1 : 0;
        changed.*field = wrong;
        CHECK_STATUS(ct_moe_route(ids.buffer, y.buffer, nullptr, floats.buffer, nullptr, nullptr, &changed, d.stream),
                     CT_INVALID);
    };
    CHECK_OK(ct_moe_route(ids.buffer, y.buffer, nullptr, floats.buffer, nullptr, nullptr, &good, d.stream));
    CHECK_STATUS(ct_moe_route(nullptr, y.buffer, nullptr, floats.buffer, nullptr, nullptr, &good, d.stream),
                 CT_INVALID);
    CHECK_STATUS(ct_moe_route(ids.buffer, nullptr, nullptr, floats.buffer, nullptr, nullptr, &good, d.stream),
                 CT_INVALID);
    CHECK_STATUS(ct_moe_route(ids.buffer, y.buffer, nullptr, nullptr, nullptr, nullptr, &good, d.stream), CT_INVALID);
    CHECK_STATUS(ct_moe_route(ids.buffer, y.buffer, nullptr, floats.buffer, nullptr, nullptr, nullptr, d.stream),
                 CT_INVALID);
    refuses_route(&ct_moe_route_params::num_tokens, 5);
    refuses_route(&ct_moe_route_params::logits_stride, 7);
    refuses_route(&ct_moe_route_params::num_experts, 513);
    refuses_route(&ct_moe_route_params::top_k, 9);
    refuses_route(&ct_moe_route_params::scores, 3);
    refuses_route(&ct_moe_route_params::num_groups, 3);
    refuses_route(&ct_moe_route_params::num_groups, -1);
    refuses_route(&ct_moe_route_params::top_groups, 0, 4);
    refuses_route(&ct_moe_route_params::top_groups, 5, 4);
    refuses_route(&ct_moe_route_params::top_k, 3, 4);
    refuses_route(&ct_moe_route_params::group_score, 2, 4);
    refuses_route(&ct_moe_route_params::renormalize, 2);
    refuses_route(&ct_moe_route_params::scale, kNan);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        routesEveryWay(d);
        routesTiesAndBrokenRows(d);
        routesRowsAlone(d);
        routesNoPadding(d);
        plansEveryWay(d);
        combinesEveryWay(d);
        expertsOfEveryShape(d);
        expertsOfEveryLoad(d);
        expertsOfEveryFormat(d);
    });
    refusesWrongArguments();
    return finish("moe");
}
