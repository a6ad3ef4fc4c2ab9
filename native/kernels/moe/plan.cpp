// plan.cpp: ct_moe_plan: the slots by expert. On the CPU one thread counts and places: a few microseconds where the
// products take milliseconds.
#include <algorithm>

#include "kernels/moe/moe.h"

namespace ct::moe {

int32_t check_slots(const char* function, int64_t num_tokens, int32_t top_k, int32_t num_experts) {
    const auto refuse = [&](const char* name, int64_t value, const char* must) {
        return fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), must);
    };
    if (num_experts < 1 || num_experts > CT_MAX_EXPERTS) return refuse("num_experts", num_experts, "in [1, 512]");
    if (top_k < 1 || top_k > CT_MAX_EXPERTS) return refuse("top_k", top_k, "in [1, 512]");
    if (num_tokens < 0) return refuse("num_tokens", num_tokens, "at least 0");
    if (num_tokens > kMostSlots / top_k) return refuse("num_tokens", num_tokens, "at most (2^31 - 2^16) / top_k");
    return CT_OK;
}

namespace {

void make_plan(const MoePlanArgs& p) {
    const int64_t slots = p.num_tokens * p.top_k;
    int32_t* offsets = p.plan;
    int32_t* sorted = offsets + p.num_experts + 1;
    const auto is_expert = [&](int32_t id) { return id >= 0 && id < p.num_experts; };
    std::fill(offsets, offsets + p.num_experts + 1, 0);
    for (int64_t slot = 0; slot < slots; ++slot) {
        if (is_expert(p.ids[slot])) ++offsets[p.ids[slot] + 1];
    }
    for (int32_t e = 0; e < p.num_experts; ++e) offsets[e + 1] += offsets[e];
    int32_t next[CT_MAX_EXPERTS];
    for (int32_t e = 0; e < p.num_experts; ++e) next[e] = offsets[e];
    for (int64_t slot = 0; slot < slots; ++slot) {
        if (is_expert(p.ids[slot])) sorted[next[p.ids[slot]]++] = static_cast<int32_t>(slot);
    }
}

}  // namespace
}  // namespace ct::moe

extern "C" int32_t ct_moe_plan_bytes(int64_t* bytes, const ct_device* device, int64_t num_tokens, int32_t top_k,
                                     int32_t num_experts) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(device, "device is null");
    CT_TRY(ct::moe::check_slots(__func__, num_tokens, top_k, num_experts));
    if (device->backend) {
        const auto call = device->backend->operations->moe_plan_bytes;
        CT_TRY(call(*device->limits, {nullptr, nullptr, num_tokens, top_k, num_experts}, bytes));
        return ct::ok();
    }
    *bytes = (num_experts + 1 + num_tokens * top_k) * static_cast<int64_t>(sizeof(int32_t));
    return ct::ok();
}

extern "C" int32_t ct_moe_plan(ct_buffer* plan, const ct_buffer* ids, int64_t num_tokens, int32_t top_k,
                               int32_t num_experts, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    int64_t bytes = 0;
    CT_TRY(ct_moe_plan_bytes(&bytes, ct::device_of(stream), num_tokens, top_k, num_experts));
    CT_TRY(ct::check_buffer(__func__, "plan", plan, stream, bytes, 1));
    CT_TRY(ct::check_buffer(__func__, "ids", ids, stream, num_tokens * top_k, sizeof(int32_t)));
    const ct::MoePlanArgs args = {ct::data<int32_t>(plan), ct::data<int32_t>(ids), num_tokens, top_k, num_experts};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::moe_plan, args);
    CT_TRY(ct::enqueue(stream, [args](ct::Team&) { ct::moe::make_plan(args); }));
    return ct::ok();
}
