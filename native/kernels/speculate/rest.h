// rest.h: what is left of a row of the target once drafts have been taken off it, on the CPU.
#pragma once

#include <algorithm>

#include "kernels/sampling/row.h"
#include "kernels/speculate/verify.h"

namespace ct {

inline constexpr int64_t kRestBlock = 1024;  // tokens of r that share a sum
inline constexpr int64_t kNear = 16;         // places that are looked at one by one

// A thread's memory for what is left of a row.
struct RestMemory {
    uint64_t* rest;  // one a token
    uint64_t* sums;  // one a block
    int32_t* ids;    // one a token

    static size_t blocks_of(int64_t vocab_size) {
        return static_cast<size_t>((vocab_size + kRestBlock - 1) / kRestBlock);
    }
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
        begun_ = nullptr;
        if (!is_list_) {
            size_ = vocab_size;
            begun_ = &x;
            return;
        }
        x.each_weight([&](int64_t id, uint64_t) { m_.ids[size_++] = static_cast<int32_t>(id); });
        std::sort(m_.ids, m_.ids + size_);
        int64_t at = 0;
        x.each_weight([&](int64_t id, uint64_t weight) { m_.rest[at = place_from(at, id)] = rest_of(weight, rate_); });
    }

    // is_last: none follows, nobody asks for `of`, and both rows stay as they are until the draw.
    void subtract(Row& y, bool is_last) {
        const double rate = rest_rate(left_, y.mass());
        if (!is_list_ && y.listed() < 0) return subtract_row(y, rate, is_last);
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
            int64_t at = 0;
            y.each_weight([&](int64_t id, uint64_t weight) {
                at = place_from(at, id);
                if (is_at(at, id)) take(at, weight);
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
        if (begun_) {
            const int64_t end = std::min(size_, at + kRestBlock);
            begin_block(m_.rest + at, at, end);
            subtract_block(m_.rest + at, *last_, last_rate_, at, end);
        }
        while ((sum += m_.rest[at]) < target) ++at;
        return is_list_ ? m_.ids[at] : at;
    }

private:
    // Where an id stands, or would. It is likely to stand a little behind `from`: lists are mostly by id too.
    int64_t place_from(int64_t from, int64_t id) const {
        if (!is_list_) return id;
        const bool is_behind = from == 0 || m_.ids[from - 1] < id;
        int64_t at = is_behind ? from : 0;
        const int64_t near = is_behind ? std::min(size_, from + kNear) : 0;
        while (at < near && m_.ids[at] < id) ++at;
        if (at < near) return at;
        return std::lower_bound(m_.ids + at, m_.ids + size_, static_cast<int32_t>(id)) - m_.ids;
    }
    bool is_at(int64_t at, int64_t id) const { return !is_list_ || (at < size_ && m_.ids[at] == id); }
    // -1: none.
    int64_t place_of(int64_t id) const {
        const int64_t at = place_from(0, id);
        return is_at(at, id) ? at : -1;
    }

    template <typename Body>
    void each_block(const Body& body) const {
        for (int64_t begin = 0; begin < size_; begin += kRestBlock) body(begin, std::min(size_, begin + kRestBlock));
    }

    // r of one block of the row that it begins with.
    void begin_block(uint64_t* rest, int64_t begin, int64_t end) const {
        begun_->each_band(begin, end, [&](int64_t from, int64_t to, const Weigher& w, float low, float high) {
            passes_.begin_rest(rest + (from - begin), begun_->logits(from), begun_->dtype(), to - from, w, low, high,
                               rate_);
        });
    }
    // Returns the sum of what is left of it.
    uint64_t subtract_block(uint64_t* rest, Row& y, double rate, int64_t begin, int64_t end) const {
        uint64_t sum = 0;
        y.each_band(begin, end, [&](int64_t from, int64_t to, const Weigher& w, float low, float high) {
            sum +=
                passes_.subtract_rest(rest + (from - begin), y.logits(from), y.dtype(), to - from, w, low, high, rate);
        });
        return sum;
    }

    // Writes r of what it begins with.
    void settle() {
        if (!begun_) return;
        each_block([&](int64_t begin, int64_t end) { begin_block(m_.rest + begin, begin, end); });
        begun_ = nullptr;
    }

    // Both rows block by block; all in the place of the first where only sums are wanted, which a cache keeps near.
    void subtract_row(Row& y, double rate, bool is_last) {
        const bool keeps = !begun_ || !is_last;
        sum_ = 0;
        each_block([&](int64_t begin, int64_t end) {
            uint64_t* rest = m_.rest + (keeps ? begin : 0);
            if (begun_) begin_block(rest, begin, end);
            const uint64_t sum = subtract_block(rest, y, rate, begin, end);
            m_.sums[begin / kRestBlock] = sum;
            sum_ += sum;
        });
        if (keeps) {
            begun_ = nullptr;
        } else {
            last_ = &y;
            last_rate_ = rate;
        }
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
    Row* last_ = nullptr;  // where a draw finds begun_: what was taken off that, by last_rate_
    double last_rate_ = 0;
    bool is_list_ = false;
    int64_t size_ = 0;
    uint64_t sum_ = 0;
    double left_ = 1;  // sum_, of kWholeRest
};

}  // namespace ct
