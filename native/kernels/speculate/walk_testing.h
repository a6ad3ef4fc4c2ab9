// walk_testing.h: a Tree (walk.h) of plain doubles, whose chances a test decides.
#pragma once

#include "kernels/speculate/walk.h"
#include "tests/kernel_testing.h"

namespace testing {

using Law = std::vector<double>;

// A request as the walk sees it: row 0 is the root.
struct PlainTree {
    std::vector<int32_t> parents, tokens;  // of every row; the root's mean nothing
    std::vector<Law> p;                    // of every row; empty: it fails
    std::vector<Law> q;                    // of every node; empty: without a draft row
    bool block = false;
    int32_t most = 1000;
};

struct Emitted {
    std::vector<int32_t> tokens, path;
    int32_t status = CT_SAMPLE_OK;
};

// Chance has
//   bool accepts(i, use, share);  int32_t draw(i, law);  int32_t draw_rest(i, r, left)
template <typename Chance>
class PlainWalk {
public:
    PlainWalk(const PlainTree& tree, Chance& chance) : t_(tree), chance_(chance) {}

    Emitted run() {
        ct::walk(*this);
        return out_;
    }

    int32_t size() const { return static_cast<int32_t>(t_.parents.size()); }
    int32_t most() const { return t_.most; }
    int32_t parent(int32_t j) const { return t_.parents[at(j)]; }
    int32_t token(int32_t j) const { return t_.tokens[at(j)]; }
    bool is_candidate(int32_t j) const { return token(j) >= 0; }
    bool has_draft(int32_t j) const { return !t_.q[at(j)].empty(); }
    bool is_block() const { return t_.block; }
    int32_t status(int32_t i) const { return t_.p[at(i)].empty() ? CT_SAMPLE_NOT_FINITE : CT_SAMPLE_OK; }
    double p(int32_t j) const { return t_.p[at(parent(j))][at(token(j))]; }
    double q(int32_t j) const { return has_draft(j) ? t_.q[at(j)][at(token(j))] : 1; }
    bool stands(int32_t i, int32_t j) { return accepts(i, 0, ct::share_of(p(j), q(j))); }
    bool accepts(int32_t i, uint32_t use, double share) { return chance_.accepts(i, use, share); }
    int32_t draw(int32_t i) { return chance_.draw(i, t_.p[at(i)]); }
    void begin(int32_t i, double scale) {
        rest_ = t_.p[at(i)];
        for (double& v : rest_) v *= scale;
        left_ = 1;
    }
    void subtract(int32_t j) {
        for (size_t x = 0; x < rest_.size(); ++x) {
            const double off = has_draft(j) ? t_.q[at(j)][x] : x == at(token(j)) ? 1.0 : 0.0;
            rest_[x] = std::max(0.0, rest_[x] - left_ * off);
        }
        left_ = 0;
        for (double v : rest_) left_ += v;
    }
    double left() const { return left_; }
    double rest(int32_t j) const { return rest_[at(token(j))]; }
    int32_t draw_rest(int32_t i) { return chance_.draw_rest(i, rest_, left_); }
    void enter(int32_t i) { out_.path.push_back(i); }
    void emit(int32_t token) { out_.tokens.push_back(token); }
    void end(int32_t status) { out_.status = status; }

private:
    static size_t at(int32_t i) { return static_cast<size_t>(i); }

    const PlainTree& t_;
    Chance& chance_;
    Law rest_;
    double left_ = 1;
    Emitted out_;
};

// Takes every way that chance can go, one after the other.
class EveryChance {
public:
    // body(emitted, probability) for every way.
    template <typename Body>
    static void each(const PlainTree& tree, const Body& body) {
        EveryChance chance;
        do {
            chance.next_ = 0;
            chance.probability_ = 1;
            const Emitted emitted = PlainWalk<EveryChance>(tree, chance).run();
            body(emitted, chance.probability_);
        } while (chance.turn());
    }

    bool accepts(int32_t, uint32_t, double share) {
        const double yes = std::min(1.0, std::max(0.0, share));
        return choose({yes, 1 - yes}) == 0;
    }
    int32_t draw(int32_t, const Law& law) { return choose(law); }
    int32_t draw_rest(int32_t, const Law& rest, double left) {
        Law law = rest;
        for (double& v : law) v /= left;
        return choose(law);
    }

private:
    struct Choice {
        Law law;
        size_t taken;
    };

    // The one to take now; what chance cannot take is passed over.
    int32_t choose(const Law& law) {
        if (next_ == choices_.size()) {
            size_t taken = 0;
            while (taken < law.size() && !(law[taken] > 0)) ++taken;
            choices_.push_back({law, taken < law.size() ? taken : 0});
        }
        const Choice& choice = choices_[next_++];
        // Where rounding has left nothing to take, the way here had no chance either.
        probability_ *= choice.law[choice.taken] > 0 ? choice.law[choice.taken] : 0.0;
        return static_cast<int32_t>(choice.taken);
    }

    // To the next way; false: there is none.
    bool turn() {
        while (!choices_.empty()) {
            Choice& last = choices_.back();
            do {
                ++last.taken;
            } while (last.taken < last.law.size() && !(last.law[last.taken] > 0));
            if (last.taken < last.law.size()) return true;
            choices_.pop_back();
        }
        return false;
    }

    std::vector<Choice> choices_;
    size_t next_ = 0;
    double probability_ = 1;
};

}  // namespace testing
