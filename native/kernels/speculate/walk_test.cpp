// walk_test.cpp: the law of what the walk emits, exactly: every draft and every coin of small requests, summed.
#include <map>

#include "kernels/speculate/walk_testing.h"

namespace {

using namespace testing;

using Tokens = std::vector<int32_t>;

// Laws of a world with memory: of the next token behind a prefix, some tokens impossible.
class World {
public:
    World(int64_t vocab, uint64_t seed) : vocab_(vocab), seed_(seed) {}

    // kind 0: the target's; others: drafts'.
    const Law& law(const Tokens& prefix, int32_t kind) {
        Tokens key = prefix;
        key.push_back(1000 + kind);
        auto [found, is_new] = laws_.try_emplace(key);
        if (is_new) found->second = make(key);
        return found->second;
    }
    int64_t vocab() const { return vocab_; }

private:
    Law make(const Tokens& key) const {
        uint64_t seed = seed_;
        for (int32_t token : key) seed = seed * 1099511628211u + static_cast<uint64_t>(token) + 1;
        Random random(seed);
        Law law;
        double sum = 0;
        for (int64_t i = 0; i < vocab_; ++i) {
            const bool none = random.below(5) == 0 && i + 1 < vocab_;
            law.push_back(none ? 0 : std::exp(static_cast<double>(random.normal(1.5f))));
            sum += law.back();
        }
        for (double& v : law) v /= sum;
        return law;
    }

    int64_t vocab_;
    uint64_t seed_;
    std::map<Tokens, Law> laws_;
};

struct Node {
    int32_t parent;
    int32_t kind;  // of the law that it is drawn from; 0: chosen without chance
};
using Shape = std::vector<Node>;  // without the root

Tokens prefix_of(const PlainTree& tree, int32_t row) {
    Tokens prefix;
    for (; row > 0; row = tree.parents[static_cast<size_t>(row)]) {
        prefix.insert(prefix.begin(), tree.tokens[static_cast<size_t>(row)]);
    }
    return prefix;
}

// body(tree, probability) for all that the drafts of a shape can be.
template <typename Body>
void each_draft(World& world, const Shape& shape, PlainTree& tree, double probability, const Body& body) {
    const auto row = static_cast<int32_t>(tree.parents.size());
    if (static_cast<size_t>(row) == shape.size() + 1) return body(tree, probability);
    const Node& node = shape[static_cast<size_t>(row) - 1];
    const Tokens before = prefix_of(tree, node.parent);
    for (int32_t token = 0; token < world.vocab(); ++token) {
        double share = 1;
        Law q;
        if (node.kind > 0) {
            q = world.law(before, node.kind);
            share = q[static_cast<size_t>(token)];
        } else if (token != (row + static_cast<int32_t>(before.size())) % static_cast<int32_t>(world.vocab())) {
            continue;
        }
        if (!(share > 0)) continue;
        tree.parents.push_back(node.parent);
        tree.tokens.push_back(token);
        tree.q.push_back(q);
        Tokens behind = before;
        behind.push_back(token);
        tree.p.push_back(world.law(behind, 0));
        each_draft(world, shape, tree, probability * share, body);
        tree.parents.pop_back();
        tree.tokens.pop_back();
        tree.q.pop_back();
        tree.p.pop_back();
    }
}

struct Measured {
    std::map<Tokens, double> law;  // of the first tokens, completed by the target where fewer were emitted
    double tokens = 0;             // emitted, expected
};

// Adds the target's continuations up to a length.
void complete(World& world, Measured& to, Tokens prefix, size_t length, double probability) {
    if (prefix.size() >= length) {
        prefix.resize(length);
        to.law[prefix] += probability;
        return;
    }
    const Law law = world.law(prefix, 0);
    for (int32_t token = 0; token < world.vocab(); ++token) {
        if (!(law[static_cast<size_t>(token)] > 0)) continue;
        Tokens longer = prefix;
        longer.push_back(token);
        complete(world, to, longer, length, probability * law[static_cast<size_t>(token)]);
    }
}

Measured measure(World& world, const Shape& shape, bool block, size_t length) {
    Measured measured;
    std::map<Tokens, double> emitted_law;
    PlainTree tree;
    tree.block = block;
    tree.parents = {0};
    tree.tokens = {-1};
    tree.q = {{}};
    tree.p = {world.law({}, 0)};
    each_draft(world, shape, tree, 1, [&](const PlainTree& drafted, double of_draft) {
        EveryChance::each(drafted, [&](const Emitted& emitted, double of_coins) {
            CHECK(emitted.tokens.size() == emitted.path.size());
            emitted_law[emitted.tokens] += of_draft * of_coins;
            measured.tokens += of_draft * of_coins * static_cast<double>(emitted.tokens.size());
        });
    });
    for (const auto& [tokens, probability] : emitted_law) complete(world, measured, tokens, length, probability);
    return measured;
}

size_t depth_of(const Shape& shape) {
    std::vector<size_t> depths = {0};
    for (const Node& node : shape) depths.push_back(depths[static_cast<size_t>(node.parent)] + 1);
    return *std::max_element(depths.begin(), depths.end());
}

// Returns the expected number of tokens.
double hasTheTargetsLaw(World& world, const Shape& shape, bool block) {
    const size_t length = depth_of(shape) + 1;
    const Measured got = measure(world, shape, block, length);
    Measured expected;
    complete(world, expected, {}, length, 1);
    double furthest = 0;
    for (const auto& [tokens, probability] : expected.law) {
        const auto found = got.law.find(tokens);
        furthest = std::max(furthest, std::fabs((found == got.law.end() ? 0 : found->second) - probability));
    }
    for (const auto& [tokens, probability] : got.law) {
        if (expected.law.find(tokens) == expected.law.end()) furthest = std::max(furthest, probability);
    }
    CHECK(furthest < 1e-12);
    return got.tokens;
}

}  // namespace

int main() {
    const int worlds = reduced() ? 2 : 8;
    for (int seed = 0; seed < worlds; ++seed) {
        for (int64_t vocab : {2, 3, 4, 6}) {
            context = "V " + std::to_string(vocab) + ", world " + std::to_string(seed);
            World world(vocab, static_cast<uint64_t>(seed) * 77 + 5);
            const Shape chains[] = {{{0, 1}}, {{0, 1}, {1, 2}}, {{0, 1}, {1, 1}, {2, 2}}};
            for (const Shape& chain : chains) {
                const double by_token = hasTheTargetsLaw(world, chain, false);
                const double by_block = hasTheTargetsLaw(world, chain, true);
                CHECK(by_block > by_token - 1e-12);
            }
            // Without draft rows; two by chance from one law, and from two; both kinds beside each other.
            hasTheTargetsLaw(world, {{0, 0}, {1, 0}, {2, 0}}, false);
            hasTheTargetsLaw(world, {{0, 0}, {0, 0}, {1, 0}, {1, 0}, {2, 0}, {3, 0}}, false);
            hasTheTargetsLaw(world, {{0, 1}, {0, 1}, {1, 1}, {2, 1}}, false);
            hasTheTargetsLaw(world, {{0, 1}, {0, 2}, {1, 0}, {2, 1}}, false);
            hasTheTargetsLaw(world, {{0, 0}, {0, 1}, {0, 2}, {1, 1}}, false);
            hasTheTargetsLaw(world, {{0, 1}, {0, 0}, {1, 1}, {3, 0}, {3, 0}}, false);
            if (vocab <= 4) hasTheTargetsLaw(world, {{0, 1}, {0, 1}, {0, 1}, {1, 2}, {4, 2}}, false);
        }
    }
    return finish("walk");
}
