// row_edits.cpp: one row of ct_sample on the CPU: masks, bias and penalties.
#include <algorithm>

#include "kernels/sampling/row.h"

namespace ct {

namespace {

constexpr float kInfinity = __builtin_inff();
constexpr int64_t kAhead = 32;  // tokens

// No logit becomes larger by them.
bool only_lowers(const ct_sample_row& p) {
    return !(p.repetition_penalty > 0 && p.repetition_penalty < 1) && p.frequency_penalty >= 0 &&
           p.presence_penalty >= 0;
}

}  // namespace

bool Row::edits(int step) const {
    return step == CT_STEP_DRY ? p_.dry_begin < p_.dry_end : p_.state_slot >= 0 && has_penalties(p_);
}

int32_t Row::begin(Look look, int64_t expected) {
    expected_.id = expected;
    const bool masked = p_.mask_row >= 0 || p_.allowed_row >= 0;
    const bool biased = p_.bias_begin < p_.bias_end;
    const int64_t at = r_ * a_.logits_stride;
    if (!found_maxima_ && look_roughly(look)) {
        // So it has looked.
    } else if (a_.logits_dtype == CT_BF16) {
        const bf16* halves = static_cast<const bf16*>(a_.logits) + at;
        const bool needs_values = masked || biased || (p_.flags & CT_SAMPLE_LOGPROBS) != 0;
        passes_.chunk_maxima_bf16(m_.maxima, needs_values ? m_.values : nullptr, halves, n_);
        halves_ = needs_values ? nullptr : halves;
        values_ = m_.values;
        maxima_ = m_.maxima;
    } else {
        values_ = static_cast<const float*>(a_.logits) + at;
        maxima_ = found_maxima_;
        if (masked || biased || !maxima_) {
            passes_.chunk_maxima(m_.maxima, masked || biased ? m_.values : nullptr, values_, n_);
            if (masked || biased) values_ = m_.values;
            maxima_ = m_.maxima;
        }
    }
    float largest = passes_.largest_of(maxima_, chunks_);
    if (largest == kInfinity) return CT_SAMPLE_NOT_FINITE;
    if (masked) {
        for (int32_t row : {p_.mask_row, p_.allowed_row}) {
            if (row >= 0) passes_.mask(m_.values, a_.masks + row * a_.mask_stride, n_);
        }
        passes_.chunk_maxima(m_.maxima, nullptr, m_.values, n_);
    }
    add_bias(p_.bias_begin, p_.bias_end, true);
    if (masked || biased) largest = passes_.largest_of(maxima_, chunks_);
    if (largest < -FLT_MAX) return CT_SAMPLE_EMPTY;
    allowed_ = values_;
    allowed_maxima_ = maxima_;
    if (biased) {
        own();
        add_bias(p_.bias_begin, p_.bias_end, false);
    }
    return CT_SAMPLE_OK;
}

// Makes values_ and maxima_ the row's, to be edited, and keeps apart what will be reported.
void Row::own() {
    if (values_ != m_.values) {
        std::copy_n(values_, n_, m_.values);
        values_ = m_.values;
    } else if (reports_raw() && allowed_ == m_.values) {
        std::copy_n(m_.values, n_, m_.allowed);
        allowed_ = m_.allowed;
    }
    if (maxima_ != m_.maxima) {
        std::copy_n(maxima_, chunks_, m_.maxima);
        maxima_ = m_.maxima;
    } else if (reports_raw() && allowed_maxima_ == m_.maxima) {
        std::copy_n(m_.maxima, chunks_, m_.reported);
        allowed_maxima_ = m_.reported;
    }
}

void Row::add_bias(int64_t begin, int64_t end, bool bans) {
    for (int64_t i = begin; i < end; ++i) {
        const int32_t id = a_.bias_ids[i];
        const float bias = a_.bias_values[i];
        if (id >= 0 && id < n_ && (bias < -FLT_MAX) == bans) put(id, biased(m_.values[id], bias));
    }
}

void Row::put(int64_t id, float logit) {
    const float before = m_.values[id];
    m_.values[id] = logit;
    float& largest = m_.maxima[id / kChunk];
    if (!(logit < kInfinity)) {
        not_finite_ = true;
    } else if (logit >= largest) {
        largest = logit;
    } else if (before >= largest) {
        const int64_t begin = id / kChunk * kChunk;
        largest = *std::max_element(m_.values + begin, m_.values + std::min(n_, begin + kChunk));
    }
}

void Row::edit(int step) {
    if (!edits(step)) return;
    if (has_run_) return rekey(step);
    const bool lowers = step == CT_STEP_PENALTIES && only_lowers(p_) && !pending_;
    if (lowers) {
        pending_ = true;
        return;
    }
    settle();
    own();
    if (step == CT_STEP_PENALTIES) return penalise_row();
    for (int64_t i = p_.dry_begin; i < p_.dry_end; ++i) {
        const int32_t id = a_.bias_ids[i];
        if (id >= 0 && id < n_) put(id, biased(m_.values[id], a_.bias_values[i]));
    }
}

void Row::penalise_row() {
    const int32_t* counts = slot() + kSlotHead;
    const int32_t* distinct = counts + padded_vocab(n_);
    const int64_t n = slot()[kSlotDistinct];
    for (int64_t i = 0; i < n; ++i) {
        const int32_t id = distinct[i];
        // The counts are all over the slot: memory's latency must not be waited for one by one.
        if (i + kAhead < n) __builtin_prefetch(counts + distinct[i + kAhead]);
        put(id, penalised(m_.values[id], word_of(counts, id), p_));
    }
    for (int32_t i = 0; i < assumed_.size; ++i) {
        const int32_t id = assumed_.ids[i];
        if (id < 0 || id >= n_ || counts[id] != 0 || !assumed_.is_first(i)) continue;
        put(id, penalised(m_.values[id], word_of(counts, id), p_));
    }
}

void Row::penalise_keys(int64_t size) {
    const int32_t* counts = slot() + kSlotHead;
    for (int64_t i = 0; i < std::min(size, kAhead); ++i) __builtin_prefetch(counts + code.id(m_.keys[i]));
    for (int64_t i = 0; i < size; ++i) {
        const uint64_t key = m_.keys[i];
        if (i + kAhead < size) __builtin_prefetch(counts + code.id(m_.keys[i + kAhead]));
        const uint32_t word = word_of(counts, code.id(key));
        if (word != 0) m_.keys[i] = code.key(penalised(code.logit(key), word, p_), code.id(key));
    }
}

// What needs every logit needs the penalties in every logit.
void Row::settle() {
    if (is_list()) return;
    widen();
    if (!pending_) return;
    pending_ = false;
    gathered_ = 0;
    own();
    penalise_row();
}

// Edits what is kept, as a list.
void Row::rekey(int step) {
    if (!is_list()) {
        settle();
        listed_ = gather(low_logit(), high_logit());
    }
    const int32_t* counts = step == CT_STEP_PENALTIES ? slot() + kSlotHead : nullptr;
    if (!counts) {
        for (int64_t i = p_.dry_begin; i < p_.dry_end; ++i) {
            if (a_.bias_ids[i] >= 0 && a_.bias_ids[i] < n_) m_.kept[a_.bias_ids[i]] = __builtin_nanf("");
        }
        each_key([&](uint64_t key, float logit) { m_.kept[code.id(key)] = logit; });
        for (int64_t i = p_.dry_begin; i < p_.dry_end; ++i) {
            if (a_.bias_ids[i] < 0 || a_.bias_ids[i] >= n_) continue;
            float& logit = m_.kept[a_.bias_ids[i]];
            if (!std::isnan(logit)) logit = biased(logit, a_.bias_values[i]);
        }
    }
    for (int64_t i = 0; i < listed_; ++i) {
        const int64_t id = code.id(m_.keys[i]);
        const float logit = counts ? penalised(code.logit(m_.keys[i]), word_of(counts, id), p_) : m_.kept[id];
        not_finite_ = not_finite_ || !(logit < kInfinity);
        m_.keys[i] = code.key(logit, id);
    }
}

}  // namespace ct
