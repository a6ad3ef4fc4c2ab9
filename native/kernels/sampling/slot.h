// slot.h: a request's slot of the state on the CPU.
#pragma once

#include "kernels/sampling/weight.h"

namespace ct {

// weight.h tells the layout.
class Slot {
public:
    Slot(const ct_sample_row& p, int32_t* state, int64_t vocab_size)
        : Slot(state + p.state_slot * slot_words(vocab_size), vocab_size) {}

    Slot(int32_t* words, int64_t vocab_size)
        : words_(words),
          counts_(words + kSlotHead),
          distinct_(words + kSlotHead + padded_vocab(vocab_size)),
          vocab_size_(vocab_size) {}

    void reset(float mu) {
        for (int32_t i = 0; i < words_[kSlotDistinct]; ++i) counts_[distinct_[i]] = 0;
        words_[kSlotDistinct] = 0;
        set_mu(mu);
    }

    // Resets it where the row says so, and notes the row's history.
    void take_up(const ct_sample_row& p, const int32_t* history_ids) {
        if (p.flags & CT_SAMPLE_RESET) reset(2 * p.mirostat_tau);
        note(history_ids + p.prompt_begin, p.output_begin - p.prompt_begin, true);
        note(history_ids + p.output_begin, p.history_end - p.output_begin, false);
    }

    void note(const int32_t* ids, int64_t n, bool of_prompt) {
        for (int64_t i = 0; i < n; ++i) {
            if (ids[i] < 0 || ids[i] >= vocab_size_) continue;
            auto word = static_cast<uint32_t>(counts_[ids[i]]);
            if (word == 0) distinct_[words_[kSlotDistinct]++] = ids[i];
            word = of_prompt ? word | kInPrompt : word + 1;
            counts_[ids[i]] = static_cast<int32_t>(word);
        }
    }

    float mu() const { return bits_float(static_cast<uint32_t>(words_[kSlotMu])); }
    void set_mu(float mu) { words_[kSlotMu] = static_cast<int32_t>(float_bits(mu)); }

private:
    int32_t* words_;
    int32_t* counts_;
    int32_t* distinct_;
    int64_t vocab_size_;
};

}  // namespace ct
