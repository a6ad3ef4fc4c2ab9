// taken_row.h: a row of ct_verify as its chain has left it, on the CPU, and coins against what it says of a token.
#pragma once

#include <optional>

#include "kernels/sampling/row.h"
#include "kernels/speculate/verify.h"

namespace ct {

// A row as its chain has left it, in a memory of its own.
class TakenRow {
public:
    TakenRow(const SampleArgs& rows, const SamplingPasses& passes, const RowMemory& memory)
        : rows_(rows), passes_(passes), memory_(memory) {}

    // A ct_sample_status. owns: the row may change its slot. look: what is asked of its mass first. expected: a token that
    // will be asked about first; -1: none.
    int32_t take(int64_t r, bool owns, Look look, int64_t expected = -1) {
        if (r == at_) return status_;
        at_ = r;
        x_.reset();
        // What such a row points at may not be there.
        if (!can_verify(rows_, rows_.rows[r], owns)) return status_ = CT_SAMPLE_INVALID;
        row_ = &x_.emplace(rows_, passes_, memory_, r, nullptr);
        status_ = row_->begin(look, expected);
        expected_ = expected;
        if (status_ == CT_SAMPLE_OK) status_ = run_chain(*row_, rows_.rows[r], 0);
        return status_;
    }

    // Of the row that was taken, which has not failed.
    Row& row() {
        row_->complete();
        return *row_;
    }
    // How probable a token is. A quotient of doubles rises and falls as its exact one does, or stays.
    Share share_of(int64_t id, Look look) {
        Share found{};
        if (row_->is_put_off() && look == Look::kLoose && id == expected_ &&
            row_->put_off_share(&found.low, &found.high)) {
            return found;
        }
        row_->complete();
        const uint64_t key = row_->key_of(id);
        if (key == 0) return {0, 0};
        const auto weight = static_cast<double>(row_->weight_of(key));
        const MassBounds mass = row_->mass_bounds(look);
        return {weight / static_cast<double>(mass.high), weight / static_cast<double>(mass.low)};
    }
    int32_t draw() {
        const ct_sample_row& p = rows_.rows[at_];
        row_->complete();
        if (row_->surely_reaches(uniform_of(p.seed, p.position, p.stream_tag, kUseDraw))) {
            return static_cast<int32_t>(expected_);
        }
        return static_cast<int32_t>(row_->code.id(ct::draw(*row_, p)));
    }

private:
    const SampleArgs& rows_;
    const SamplingPasses& passes_;
    const RowMemory memory_;
    std::optional<Row> x_;
    Row* row_ = nullptr;  // in x_
    int64_t at_ = -1;
    int64_t expected_ = -1;
    int32_t status_ = CT_SAMPLE_INVALID;
};

// Whether a coin is below the share of a draft of probability p in its parent's row and q in its own. know(look) looks at the
// rows again, as well as it is told, and leaves p and q.
template <typename Know>
bool is_below_share(double coin, const Share& p, const Share& q, const Know& know) {
    for (Look look : {Look::kTight, Look::kExact}) {
        if (coin < share_of(p.low, q.high)) return true;
        if (!(coin < share_of(p.high, q.low))) return false;
        know(look);
    }
    return coin < share_of(p.low, q.low);
}

}  // namespace ct
