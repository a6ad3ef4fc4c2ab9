// block_edits.h: what a block does to a row before the chain and within it, and to the state of its request.
#pragma once

#include "kernels/sampling/block_row.h"

namespace gpu {
namespace {

// ---- edits ---------------------------------------------------------------------------------------------------------

__device__ inline int32_t BlockRow::begin() {
    if (maxima_) {
        uint64_t first = 0;
        for (int piece = 0; piece < pieces_; ++piece) {
            const uint64_t key = maxima_[static_cast<int64_t>(piece) * blockDim.x + threadIdx.x];
            first = key > first ? key : first;
        }
        s.maxima[threadIdx.x] = first;
        bottom_ = -FLT_MAX;
        best = largest_of(s, first);
    } else {
        best = look(raw_);
    }
    if (best == kNotFinite) return CT_SAMPLE_NOT_FINITE;
    if (best < ct::whole_range(code).low) return CT_SAMPLE_EMPTY;
    const bool banned = p.mask_row >= 0 || p.allowed_row >= 0;
    if (!banned && p.bias_begin == p.bias_end && !edits(CT_STEP_DRY) && !edits(CT_STEP_PENALTIES)) return CT_SAMPLE_OK;
    own_row();
    add_entries(p.bias_begin, p.bias_end, false, true);
    if (p.flags & CT_SAMPLE_LOGPROBS || p.forced >= 0) {
        // Bans alone may leave nothing, which the sums hide from no one: a ban is final.
        uint64_t any = 0;
        values_.each([&](float logit, int64_t) { any |= !(logit < -FLT_MAX); });
        if (largest_of(s, any) == 0) return CT_SAMPLE_EMPTY;
    }
    return CT_SAMPLE_OK;
}

// This block's row: the logits as they come, masked.
__device__ inline void BlockRow::own_row() {
    const int32_t* mask = p.mask_row >= 0 ? a.masks + p.mask_row * a.mask_stride : nullptr;
    const int32_t* allowed = p.allowed_row >= 0 ? a.masks + p.allowed_row * a.mask_stride : nullptr;
    raw_.each([&](float logit, int64_t id) {
        const uint32_t bit = 1u << (id % 32);
        const bool banned = (mask && (static_cast<uint32_t>(mask[id / 32]) & bit) == 0) ||
                            (allowed && (static_cast<uint32_t>(allowed[id / 32]) & bit) == 0);
        mine_[id] = banned ? -infinity() : logit;
    });
    __syncthreads();
    values_ = {mine_, a.vocab_size, false, true};
    edited_ = true;
}

// Adds the row's entries in their order where an id comes more than once: all of them, or the bans alone.
__device__ inline void BlockRow::add_entries(int64_t begin, int64_t end, bool bans, bool all) {
    for (; begin < end; begin += kFew) {
        const int n = static_cast<int>(end - begin < kFew ? end - begin : kFew);
        share(n, [&](int i) {
            s.bias_ids[i] = a.bias_ids[begin + i];
            s.bias_values[i] = a.bias_values[begin + i];
        });
        __syncthreads();
        share(n, [&](int i) {
            const int32_t id = s.bias_ids[i];
            if (id < 0 || id >= a.vocab_size) return;
            // The first entry of an id adds them all.
            int j = 0;
            while (s.bias_ids[j] != id) ++j;
            if (j < i) return;
            float logit = mine_[id];
            for (; j < n; ++j) {
                if (s.bias_ids[j] != id) continue;
                if (all || (s.bias_values[j] < -FLT_MAX) == bans) logit = ct::biased(logit, s.bias_values[j]);
            }
            mine_[id] = logit;
        });
        __syncthreads();
    }
}

__device__ inline void BlockRow::edit(int step) {
    if (!edits(step)) return;
    if (has_run_ && listed_ >= 0) return edit_list(step);
    if (has_run_) {
        values_.each(
            [&](float logit, int64_t id) { mine_[id] = range.contains(code.key(logit, id)) ? logit : -infinity(); });
        __syncthreads();
        overwritten_ = true;
    }
    edit_row(step);
}

__device__ inline void BlockRow::edit_row(int step) {
    if (step == CT_STEP_DRY) return add_entries(p.dry_begin, p.dry_end, false, true);
    const int32_t* slot = a.state + p.state_slot * ct::slot_words(a.vocab_size);
    const int32_t* counts = slot + ct::kSlotHead;
    const int32_t* distinct = counts + ct::padded_vocab(a.vocab_size);
    share(slot[ct::kSlotDistinct], [&](int i) {
        const int32_t id = distinct[i];
        mine_[id] = ct::penalised(mine_[id], assumed_.on(static_cast<uint32_t>(counts[id]), id), p);
    });
    share(assumed_.size, [&](int i) {
        const int32_t id = assumed_.ids[i];
        if (id < 0 || id >= a.vocab_size || counts[id] != 0 || !assumed_.is_first(i)) return;
        mine_[id] = ct::penalised(mine_[id], assumed_.add(0, id), p);
    });
    __syncthreads();
}

__device__ inline void BlockRow::edit_list(int step) {
    // Biases (DRY) come without a slot.
    const bool penalises = step == CT_STEP_PENALTIES;
    const int32_t* counts = penalises ? a.state + p.state_slot * ct::slot_words(a.vocab_size) + ct::kSlotHead : nullptr;
    share(listed_, [&](int i) {
        const uint64_t key = s.list[i];
        if (!range.contains(key)) {
            s.list[i] = 0;  // below every range
            return;
        }
        const int64_t id = code.id(key);
        float logit = code.logit(key);
        if (penalises) {
            logit = ct::penalised(logit, assumed_.on(static_cast<uint32_t>(counts[id]), static_cast<int32_t>(id)), p);
        } else {
            for (int64_t j = p.dry_begin; j < p.dry_end; ++j) {
                if (a.bias_ids[j] == id) logit = ct::biased(logit, a.bias_values[j]);
            }
        }
        s.list[i] = code.key(logit, id);
    });
    __syncthreads();
}

// ---- the state -----------------------------------------------------------------------------------------------------

__device__ inline void note(int32_t* slot, int64_t vocab_size, int32_t id, bool of_prompt) {
    if (id < 0 || id >= vocab_size) return;
    auto* word = reinterpret_cast<uint32_t*>(slot + ct::kSlotHead + id);
    uint32_t old = atomic_add(word, of_prompt ? 0u : 1u);
    while (of_prompt && (old & ct::kInPrompt) == 0) {
        const uint32_t seen = atomic_cas(word, old, old | ct::kInPrompt);
        if (seen == old) break;
        old = seen;
    }
    if (old != 0) return;
    const int32_t at = atomic_add(slot + ct::kSlotDistinct, 1);
    slot[ct::kSlotHead + ct::padded_vocab(vocab_size) + at] = id;
}

__device__ inline void take_up(const ct::SampleArgs& a, const ct_sample_row& p) {
    int32_t* slot = a.state + p.state_slot * ct::slot_words(a.vocab_size);
    int32_t* distinct = slot + ct::kSlotHead + ct::padded_vocab(a.vocab_size);
    if (p.flags & CT_SAMPLE_RESET) {
        share(slot[ct::kSlotDistinct], [&](int i) { slot[ct::kSlotHead + distinct[i]] = 0; });
        __syncthreads();
        if (threadIdx.x == 0) {
            slot[ct::kSlotDistinct] = 0;
            slot[ct::kSlotMu] = static_cast<int32_t>(float_bits(2 * p.mirostat_tau));
        }
        __syncthreads();
    }
    share(p.history_end - p.prompt_begin, [&](int i) {
        const int32_t at = p.prompt_begin + i;
        note(slot, a.vocab_size, a.history_ids[at], at < p.output_begin);
    });
    __syncthreads();
}

}  // namespace
}  // namespace gpu
