// handle.cpp: ct_experts: the matrices of a layer's experts under one handle.
#include <algorithm>
#include <memory>
#include <vector>

#include "core/stream.h"
#include "kernels/linear/weights.h"
#include "kernels/moe/moe.h"

namespace {

// The three matrices of an expert by name, for checks.
struct Role {
    const char* name;
    const ct_weights* ct_experts::Matrices::* matrix;
};
constexpr Role kRoles[] = {
    {"gate", &ct_experts::Matrices::gate}, {"up", &ct_experts::Matrices::up}, {"down", &ct_experts::Matrices::down}};

struct Destroy {
    void operator()(ct_experts* experts) const {
        if (experts->on_device) {
            const auto* runtime = ct::runtime_of(experts->device);
            if (runtime) {
                runtime->release(experts->device->context, experts->on_device, false);
            } else {
                delete[] experts->on_device;
            }
        }
        delete[] experts->matrices;
        delete experts;
    }
};

// Whether one call can run both: the same shape, stored in the same way.
bool is_alike(const ct_weights& a, const ct_weights& b) {
    if (a.rows != b.rows || a.cols != b.cols || a.dtype != b.dtype) return false;
    if (a.device->backend) return a.format == b.format && a.group_shift == b.group_shift;
    const ct::WeightsSegment& s = a.segments[0];
    const ct::WeightsSegment& t = b.segments[0];
    return s.storage == t.storage &&
           (s.storage != ct::linear::kStoreCodes || (s.format == t.format && s.sub_block == t.sub_block));
}

int32_t check_matrix(const char* function, const ct_experts& experts, int32_t e, const Role& role) {
    const ct_weights* w = experts.matrices[e].*role.matrix;
    const auto refuse = [&](const char* what) {
        return ct::fail(CT_INVALID, "%s: %s[%d] %s", function, role.name, static_cast<int>(e), what);
    };
    if (!w) return refuse("is null, but not all three matrices of the expert");
    if (w->device != experts.device) return refuse("is of another device");
    if (w->use == CT_WEIGHTS_EMBEDDING) return refuse("is for CT_WEIGHTS_EMBEDDING");
    if (!w->device->backend && w->num_segments != 1) return refuse("has parts of different formats");
    if (!is_alike(*w, *(experts.first->*role.matrix))) return refuse("has not the shape and format of the others");
    return CT_OK;
}

int32_t check_all(const char* function, ct_experts& experts) {
    const auto is_absent = [](const ct_experts::Matrices& m) { return !m.gate && !m.up && !m.down; };
    const ct_experts::Matrices* end = experts.matrices + experts.num_experts;
    experts.first = std::find_if_not(experts.matrices, experts.matrices + experts.num_experts, is_absent);
    if (experts.first == end)
        return ct::fail(CT_INVALID, "%s: none of %d experts is there", function, static_cast<int>(experts.num_experts));
    for (const Role& role : kRoles) {
        if (!(experts.first->*role.matrix)) {
            return ct::fail(CT_INVALID, "%s: %s[%d] is null, but not all three matrices of the expert", function,
                            role.name, static_cast<int>(experts.first - experts.matrices));
        }
    }
    for (int32_t e = 0; e < experts.num_experts; ++e) {
        if (is_absent(experts.matrices[e])) continue;
        for (const Role& role : kRoles) CT_TRY(check_matrix(function, experts, e, role));
    }
    const ct_experts::Matrices& m = *experts.first;
    experts.hidden = m.gate->cols;
    experts.inner = m.gate->rows;
    const auto is = [](const ct_weights& w, int64_t rows, int64_t cols) { return w.rows == rows && w.cols == cols; };
    if (is(*m.up, experts.inner, experts.hidden) && is(*m.down, experts.hidden, experts.inner)) return CT_OK;
    return ct::fail(CT_INVALID, "%s: gate is [%lld][%lld], so up must be as large and down the other way round",
                    function, static_cast<long long>(experts.inner), static_cast<long long>(experts.hidden));
}

// The table of addresses for a backend's device.
int32_t upload_table(ct_experts& experts) {
    const auto count = static_cast<size_t>(experts.num_experts);
    std::vector<ct::ExpertMatrices> table(count);
    for (size_t e = 0; e < count; ++e) {
        const ct_experts::Matrices& m = experts.matrices[e];
        if (m.gate) table[e] = {m.gate->data, m.up->data, m.down->data};
    }
    const auto* runtime = ct::runtime_of(experts.device);
    if (!runtime) {
        experts.on_device = new ct::ExpertMatrices[count];
        std::copy(table.begin(), table.end(), experts.on_device);
        return CT_OK;
    }
    const auto bytes = static_cast<int64_t>(count * sizeof(ct::ExpertMatrices));
    void* address = nullptr;
    CT_TRY(runtime->allocate(experts.device->context, &address, bytes, false));
    experts.on_device = static_cast<ct::ExpertMatrices*>(address);
    return runtime->upload(experts.device->context, address, table.data(), bytes);
}

}  // namespace

extern "C" int32_t ct_experts_create(ct_experts** experts, ct_device* device, const ct_weights* const* gate,
                                     const ct_weights* const* up, const ct_weights* const* down, int32_t num_experts)
    CT_GUARD({
        CT_REQUIRE(experts, "experts is null");
        CT_REQUIRE(device, "device is null");
        CT_REQUIRE(gate && up && down, "gate, up or down is null");
        CT_REQUIRE(num_experts >= 1 && num_experts <= CT_MAX_EXPERTS, "num_experts=%d must be in [1, %d]",
                   static_cast<int>(num_experts), CT_MAX_EXPERTS);
        std::unique_ptr<ct_experts, Destroy> made(new ct_experts());
        made->device = device;
        made->num_experts = num_experts;
        made->matrices = new ct_experts::Matrices[static_cast<size_t>(num_experts)];
        for (int32_t e = 0; e < num_experts; ++e) made->matrices[e] = {gate[e], up[e], down[e]};
        CT_TRY(check_all(__func__, *made));
        CT_TRY(ct::check_device(__func__, device));
        if (device->backend) CT_TRY(upload_table(*made));
        device->children.fetch_add(1);
        *experts = made.release();
        return ct::ok();
    })

        extern "C" int32_t ct_experts_destroy(ct_experts* experts) {
    CT_REQUIRE(experts, "experts is null");
    experts->device->children.fetch_sub(1);
    Destroy()(experts);
    return ct::ok();
}
