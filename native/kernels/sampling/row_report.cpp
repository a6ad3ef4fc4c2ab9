// row_report.cpp: one row of ct_sample on the CPU: the token's logprob and rank, and the likeliest tokens.
#include <algorithm>
#include <functional>

#include "kernels/sampling/row.h"

namespace ct {

namespace {

constexpr float kInfinity = __builtin_inff();
constexpr auto kFirst = std::greater<uint64_t>();

}  // namespace

void Row::report(int64_t token) {
    if (p_.flags & CT_SAMPLE_PROCESSED) {
        report_processed(token);
    } else {
        report_raw(token);
    }
}

void Row::write_tops(uint64_t* keys, int64_t n, float largest, double rate, double log_mass) {
    const int64_t wanted = std::min<int64_t>(p_.num_top, n);
    if (wanted <= 0) return;
    std::partial_sort(keys, keys + wanted, keys + n, kFirst);
    for (int64_t i = 0; i < wanted; ++i) {
        const double depth = static_cast<double>(largest) - static_cast<double>(code.logit(keys[i]));
        a_.top_ids[r_ * a_.max_top + i] = static_cast<int32_t>(code.id(keys[i]));
        a_.top_logprobs[r_ * a_.max_top + i] = static_cast<float>(-depth * rate - log_mass);
    }
}

void Row::report_raw(int64_t token) {
    const float largest = passes_.largest_of(allowed_maxima_, chunks_);
    const Weigher w{static_cast<double>(largest), kLog2E, code.id_bits};
    const bool known = plain_mass_ != 0 && allowed_ == values_;
    const uint64_t mass = known ? plain_mass_ : passes_.masses(allowed_, CT_F32, allowed_maxima_, n_, w, FLT_MAX).all;
    const double log_mass = std::log(static_cast<double>(mass) / w.unit());
    const float logit = allowed_[token];
    a_.logprob[r_] = static_cast<float>(static_cast<double>(logit) - w.top - log_mass);
    const float above = ordered_float(ordered_bits(logit) + 1);
    const int64_t before = passes_.count(allowed_, allowed_maxima_, 0, n_, above, FLT_MAX) +
                           passes_.count(allowed_, allowed_maxima_, 0, token, logit, logit);
    a_.rank[r_] = static_cast<int32_t>(before + 1);
    const int64_t wanted = std::min<int64_t>(p_.num_top, n_);
    if (wanted <= 0) return;
    const float bound = bound_of(passes_, allowed_maxima_, chunks_, wanted);
    const int64_t size = passes_.gather(m_.keys, allowed_, allowed_maxima_, n_, code, bound, FLT_MAX);
    write_tops(m_.keys, size, largest, 1, log_mass);
}

void Row::report_processed(int64_t token) {
    settle();
    const double log_mass = std::log(static_cast<double>(mass()) / unit_of(code));
    uint64_t own = 0;
    uint64_t before = 0;
    each_key([&](uint64_t key, float) { own = code.id(key) == token ? key : own; });
    if (own != 0) each_key([&](uint64_t key, float) { before += key > own; });
    const double depth = static_cast<double>(top) - static_cast<double>(code.logit(own));
    a_.logprob[r_] = own != 0 ? static_cast<float>(-depth / temperature - log_mass) : -kInfinity;
    a_.rank[r_] = static_cast<int32_t>((own != 0 ? before : count()) + 1);
    if (p_.num_top <= 0) return;
    const int64_t size = gather_first(std::min<int64_t>(p_.num_top, n_));
    write_tops(m_.keys, size, top, 1 / temperature, log_mass);
}

}  // namespace ct
