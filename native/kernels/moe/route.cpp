// route.cpp: ct_moe_route.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/moe/moe.h"

namespace ct::moe {
namespace {

constexpr int64_t kPieceTokens = 16;  // that one thread takes at a time
constexpr float kLeastSum = 1e-20f;

// The first of the order (key descending, id ascending); ids come in ascending order.
class Best {
public:
    Best(int32_t* ids, int32_t wanted) : ids_(ids), wanted_(wanted) {}
    void offer(int32_t id, float key) {
        int32_t at = count_ - 1;
        if (count_ < wanted_) {
            at = count_++;
        } else if (at < 0 || !(key > keys_[at])) {
            return;
        }
        for (; at > 0 && key > keys_[at - 1]; --at) {
            keys_[at] = keys_[at - 1];
            ids_[at] = ids_[at - 1];
        }
        keys_[at] = key;
        ids_[at] = id;
    }

private:
    int32_t* ids_;
    int32_t wanted_;
    int32_t count_ = 0;
    float keys_[CT_MAX_EXPERTS] = {};
};

struct Route {
    int32_t* ids;
    float* weights;
    int64_t* counts;
    const float* logits;
    const float* bias;
    const int64_t* slot_mapping;
    ct_moe_route_params p;
    const Functions* functions;

    void run(int64_t token) const;

private:
    bool needs_scores() const { return bias || p.group_score == CT_MOE_GROUP_BEST_TWO; }
    bool is_regular(float* largest, const float* row) const;
    bool find_keys(float* keys, const float* row, const float* scores) const;
    void choose(int32_t* chosen, const float* keys) const;
    float group_score(const float* keys) const;
    void weigh(float* out, const int32_t* chosen, const float* row, const float* scores) const;
};

bool Route::is_regular(float* largest, const float* row) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    *largest = -kInfinity;
    bool regular = true;
    for (int32_t e = 0; e < p.num_experts; ++e) {
        regular &= row[e] < kInfinity;  // false for NaN
        *largest = std::max(*largest, row[e]);
    }
    return regular && *largest > -kInfinity;
}

// False where one is NaN.
bool Route::find_keys(float* keys, const float* row, const float* scores) const {
    bool regular = true;
    for (int32_t e = 0; e < p.num_experts; ++e) {
        keys[e] = needs_scores() ? scores[e] + (bias ? bias[e] : 0.0f) : row[e];
        regular &= keys[e] == keys[e];
    }
    return regular;
}

float Route::group_score(const float* keys) const {
    const int32_t size = p.num_experts / p.num_groups;
    float best = keys[0];
    float second = -std::numeric_limits<float>::infinity();
    for (int32_t e = 1; e < size; ++e) {
        second = std::max(second, std::min(best, keys[e]));
        best = std::max(best, keys[e]);
    }
    return p.group_score == CT_MOE_GROUP_BEST_TWO ? best + second : best;
}

void Route::choose(int32_t* chosen, const float* keys) const {
    Best best(chosen, p.top_k);
    if (p.top_groups == p.num_groups) {
        for (int32_t e = 0; e < p.num_experts; ++e) best.offer(e, keys[e]);
        return;
    }
    const int32_t size = p.num_experts / p.num_groups;
    int32_t groups[CT_MAX_EXPERTS] = {};
    Best best_groups(groups, p.top_groups);
    for (int32_t g = 0; g < p.num_groups; ++g) best_groups.offer(g, group_score(keys + g * size));
    std::sort(groups, groups + p.top_groups);
    for (int32_t i = 0; i < p.top_groups; ++i) {
        for (int32_t e = groups[i] * size; e < (groups[i] + 1) * size; ++e) best.offer(e, keys[e]);
    }
}

void Route::weigh(float* out, const int32_t* chosen, const float* row, const float* scores) const {
    if (p.scores == CT_MOE_SOFTMAX_CHOSEN) {
        float logits_chosen[CT_MAX_EXPERTS];
        float largest = -std::numeric_limits<float>::infinity();
        for (int32_t j = 0; j < p.top_k; ++j) {
            logits_chosen[j] = row[chosen[j]];
            largest = std::max(largest, logits_chosen[j]);
        }
        functions->softmax(out, logits_chosen, p.top_k, largest);
    } else {
        for (int32_t j = 0; j < p.top_k; ++j) out[j] = scores[chosen[j]];
    }
    if (p.renormalize) {
        float sum = 0.0f;
        for (int32_t j = 0; j < p.top_k; ++j) sum += out[j];
        for (int32_t j = 0; j < p.top_k; ++j) out[j] /= sum + kLeastSum;
    }
    for (int32_t j = 0; j < p.top_k; ++j) out[j] *= p.scale;
}

void Route::run(int64_t token) const {
    const float* row = logits + token * p.logits_stride;
    int32_t* chosen = ids + token * p.top_k;
    float* out = weights + token * p.top_k;
    if (slot_mapping && slot_mapping[token] < 0) {
        std::fill(chosen, chosen + p.top_k, -1);
        std::fill(out, out + p.top_k, 0.0f);
        return;
    }
    float largest = 0;
    bool regular = is_regular(&largest, row);
    float scores[CT_MAX_EXPERTS];
    float keys[CT_MAX_EXPERTS];
    if (regular) {
        if (p.scores == CT_MOE_SOFTMAX) {
            functions->softmax(scores, row, p.num_experts, largest);
        } else if (p.scores == CT_MOE_SIGMOID) {
            functions->sigmoid(scores, row, p.num_experts);
        } else {
            std::copy(row, row + p.num_experts, scores);
        }
        regular = find_keys(keys, row, scores);
    }
    if (!regular) {
        for (int32_t j = 0; j < p.top_k; ++j) chosen[j] = j;
        std::fill(out, out + p.top_k, std::numeric_limits<float>::quiet_NaN());
        return;
    }
    choose(chosen, keys);
    weigh(out, chosen, row, scores);
    if (!counts) return;
    for (int32_t j = 0; j < p.top_k; ++j) {
        std::atomic_ref<int64_t>(counts[chosen[j]]).fetch_add(1, std::memory_order_relaxed);
    }
}

int32_t read_route_params(const char* function, ct_moe_route_params* p, const ct_moe_route_params* params) {
    CT_TRY(read_params(function, p, sizeof *p, params));
    const auto refuse = [&](const char* name, int64_t value, const char* must) {
        return fail(CT_INVALID, "%s: %s=%lld must be %s", function, name, static_cast<long long>(value), must);
    };
    CT_TRY(check_slots(function, p->num_tokens, p->top_k, p->num_experts));
    if (p->top_k > p->num_experts) return refuse("top_k", p->top_k, "at most num_experts");
    if (p->scores < CT_MOE_SOFTMAX || p->scores > CT_MOE_SOFTMAX_CHOSEN) {
        return refuse("scores", p->scores, "a ct_moe_scores");
    }
    if (p->num_groups < 0) return refuse("num_groups", p->num_groups, "at least 0");
    if (p->group_score < CT_MOE_GROUP_BEST || p->group_score > CT_MOE_GROUP_BEST_TWO) {
        return refuse("group_score", p->group_score, "a ct_moe_group_score");
    }
    if (p->renormalize != 0 && p->renormalize != 1) return refuse("renormalize", p->renormalize, "0 or 1");
    if (!std::isfinite(p->scale)) return fail(CT_INVALID, "%s: scale=%g must be finite", function, p->scale);
    if (p->scale == 0) p->scale = 1;
    if (p->num_groups <= 1) {
        p->num_groups = p->top_groups = 1;
        p->group_score = CT_MOE_GROUP_BEST;
        return CT_OK;
    }
    const int32_t groups = p->num_groups;
    if (p->num_experts % groups != 0) return refuse("num_groups", groups, "a divisor of num_experts");
    if (p->top_groups < 1 || p->top_groups > groups) return refuse("top_groups", p->top_groups, "in [1, num_groups]");
    const int32_t size = p->num_experts / groups;
    if (p->top_groups * size < p->top_k) return refuse("top_k", p->top_k, "at most the experts of top_groups groups");
    if (p->group_score == CT_MOE_GROUP_BEST_TWO && size < 2) {
        return refuse("num_groups", groups, "at most num_experts / 2 where groups are chosen by their best two");
    }
    return CT_OK;
}

}  // namespace
}  // namespace ct::moe

extern "C" int32_t ct_moe_route(ct_buffer* ids, ct_buffer* weights, ct_buffer* counts, const ct_buffer* logits,
                                const ct_buffer* bias, const ct_buffer* slot_mapping, const ct_moe_route_params* params,
                                ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    ct_moe_route_params p;
    CT_TRY(ct::moe::read_route_params(__func__, &p, params));
    const int64_t slots = p.num_tokens * p.top_k;
    CT_TRY(ct::check_buffer(__func__, "ids", ids, stream, slots, sizeof(int32_t)));
    CT_TRY(ct::check_buffer(__func__, "weights", weights, stream, slots, sizeof(float)));
    if (counts) CT_TRY(ct::check_buffer(__func__, "counts", counts, stream, p.num_experts, sizeof(int64_t)));
    CT_TRY(ct::check_matrix(__func__, "logits", logits, stream, p.num_tokens, p.num_experts, p.logits_stride,
                            sizeof(float)));
    if (bias) CT_TRY(ct::check_buffer(__func__, "bias", bias, stream, p.num_experts, sizeof(float)));
    if (slot_mapping) {
        CT_TRY(ct::check_buffer(__func__, "slot_mapping", slot_mapping, stream, p.num_tokens, sizeof(int64_t)));
    }
    if (p.num_tokens == 0) return ct::ok();
    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::moe_route,
                          {ct::data<int32_t>(ids), ct::data<float>(weights), ct::data<uint64_t>(counts),
                           ct::data<float>(logits), ct::data<float>(bias), ct::data<int64_t>(slot_mapping), p});
    }
    using namespace ct::moe;
    const Route route = {ct::data<int32_t>(ids),
                         ct::data<float>(weights),
                         ct::data<int64_t>(counts),
                         ct::data<float>(logits),
                         ct::data<float>(bias),
                         ct::data<int64_t>(slot_mapping),
                         p,
                         &ct::variant(stream, kScalar, kAvx2, kAvx512)};
    CT_TRY(ct::enqueue(stream, [route](ct::Team& team) {
        const int64_t tokens = route.p.num_tokens;
        team.run((tokens + kPieceTokens - 1) / kPieceTokens, [&](int64_t part, int) {
            const int64_t end = std::min(tokens, (part + 1) * kPieceTokens);
            for (int64_t token = part * kPieceTokens; token < end; ++token) route.run(token);
        });
    }));
    return ct::ok();
}
