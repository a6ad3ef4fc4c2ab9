// rest.h: what is left of a row of the target once drafts have been taken off it, on the CPU.
#pragma once

#include <algorithm>

#include "kernels/sampling/row.h"
#include "kernels/speculate/verify.h"

namespace ct {

inline constexpr int64_t kRestBlock = 1024;  // tokens of r that share a sum

// A thread's memory for what is left of a row.
struct RestMemory {
    uint64_t* rest;  // one a token
    uint64_t* sums;  // one a block
    int32_t* ids;    // one a token

    static size_t blocks_of(int64_t vocab_size) { return static_cast<size_t>((vocab_size + kRestBlock - 1) / kRestBlock); }
    static size_t bytes(int64_t vocab_size) {
        return static_cast<size_t>(vocab_size) * (sizeof(uint64_t) + sizeof(int32_t)) +
               blocks_of(vocab_size) * sizeof(uint64_t);
    }
    static RestMemory at(unsigned char* memory, int64_t vocab_size) {
        auto* rest = reinterpret_cast<uint64_t*>(memory);
        uint64_t* sums = rest + vocab_size;
        return {rest, sums, reinterpret_cast<int32_t*>(sums + blocks_of(vocab_size))};
    }
};

// r of a row: of every token, or of the few that the row keeps, by ascending id. Sums of blocks, so that a draw looks into
// one block alone.
class Rest {
public:
    Rest(const RestMemory& memory, const SamplingPasses& passes) : m_(memory), passes_(passes) {}

    // x: stays as it is until the next subtract or remove.
    void begin(Row& x, int64_t vocab_size, double scale) {
        rate_ = rest_rate(scale, x.mass());
        is_list_ = x.listed() >= 0;
        size_ = 0;
        left_ = 1;
        if (!is_list_) {
            size_ = vocab_size;
            begun_ = &x;
            return;
        }
        x.each_weight([&](int64_t id, uint64_t) { m_.ids[size_++] = static_cast<int32_t>(id); });
        std::sort(m_.ids, m_.ids + size_);
        x.each_weight([&](int64_t id, uint64_t weight) { m_.rest[place_of(id)] = rest_of(weight, rate_); });
    }

    void subtract(Row& y) {
        const double rate = rest_rate(left_, y.mass());
        if (!is_list_ && y.listed() < 0) return subtract_row(y, rate);
        settle();
        auto take = [&](int64_t at, uint64_t weight) {
            const uint64_t off = rest_of(weight, rate);
            m_.rest[at] = m_.rest[at] > off ? m_.rest[at] - off : 0;
        };
        if (y.listed() < 0) {
            for (int64_t i = 0; i < size_; ++i) {
                const uint64_t key = y.key_of(m_.ids[i]);
                if (key != 0) take(i, y.weight_of(key));
            }
        } else {
            y.each_weight([&](int64_t id, uint64_t weight) {
                const int64_t at = place_of(id);
                if (at >= 0) take(at, weight);
            });
        }
        add_up();
    }

    void remove(int64_t id) {
        settle();
        const int64_t at = place_of(id);
        if (at >= 0) m_.rest[at] = 0;
        add_up();
    }

    double left() const { return left_; }

    double of(int64_t id) const {
        const int64_t at = place_of(id);
        return at < 0 ? 0 : static_cast<double>(m_.rest[at]) / kWholeRest;
    }

    int64_t draw(double uniform) const {
        const uint64_t target = target_of(uniform * static_cast<double>(sum_), sum_);
        uint64_t sum = 0;
        const uint64_t* block = m_.sums;
        for (; sum + *block < target; ++block) sum += *block;
        int64_t at = (block - m_.sums) * kRestBlock;
        while ((sum += m_.rest[at]) < target) ++at;
        return is_list_ ? m_.ids[at] : at;
    }

private:
    int64_t place_of(int64_t id) const {
        if (!is_list_) return id;
        const int32_t* found = std::lower_bound(m_.ids, m_.ids + size_, static_cast<int32_t>(id));
        return found < m_.ids + size_ && *found == id ? found - m_.ids : -1;
    }

    template <typename Body>
    void each_block(const Body& body) const {
        for (int64_t begin = 0; begin < size_; begin += kRestBlock) body(begin, std::min(size_, begin + kRestBlock));
    }

    // r of one block of the row that it begins with.
    void begin_block(int64_t begin, int64_t end) const {
        begun_->each_band(begin, end, [&](int64_t from, int64_t to, const Weigher& w, float low, float high) {
            passes_.begin_rest(m_.rest + from, begun_->logits() + from, to - from, w, low, high, rate_);
        });
    }

    // Writes r of what it begins with.
    void settle() {
        if (!begun_) return;
        each_block([&](int64_t begin, int64_t end) { begin_block(begin, end); });
        begun_ = nullptr;
    }

    // Both rows block by block.
    void subtract_row(Row& y, double rate) {
        sum_ = 0;
        each_block([&](int64_t begin, int64_t end) {
            if (begun_) begin_block(begin, end);
            uint64_t sum = 0;
            y.each_band(begin, end, [&](int64_t from, int64_t to, const Weigher& w, float low, float high) {
                sum += passes_.subtract_rest(m_.rest + from, y.logits() + from, to - from, w, low, high, rate);
            });
            m_.sums[begin / kRestBlock] = sum;
            sum_ += sum;
        });
        begun_ = nullptr;
        left_ = static_cast<double>(sum_) / kWholeRest;
    }

    void add_up() {
        sum_ = 0;
        each_block([&](int64_t begin, int64_t end) {
            uint64_t sum = 0;
            for (int64_t i = begin; i < end; ++i) sum += m_.rest[i];
            m_.sums[begin / kRestBlock] = sum;
            sum_ += sum;
        });
        left_ = static_cast<double>(sum_) / kWholeRest;
    }

    const RestMemory m_;
    const SamplingPasses& passes_;
    Row* begun_ = nullptr;  // the row whose r is not written yet, by rate_
    double rate_ = 0;
    bool is_list_ = false;
    int64_t size_ = 0;
    uint64_t sum_ = 0;
    double left_ = 1;  // sum_, of kWholeRest
};

}  // namespace ct
