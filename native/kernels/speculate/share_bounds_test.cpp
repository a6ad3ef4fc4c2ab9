// share_bounds_test.cpp: the bounds of a row's mass hold, and what is decided by them is what the exact mass decides: coins
// at a share and a few doubles beside it, draws at the ends of tokens.
#include <algorithm>
#include <memory>

#include "kernels/speculate/taken_row.h"
#include "tests/kernel_testing.h"

namespace {

using namespace testing;
using ct::Look;

int64_t exact_masses = 0;  // that were asked for
int64_t bands = 0;         // of them with a part of the row apart
const ct::SamplingPasses* counted = nullptr;

uint64_t counting_mass(const float* logits, const float* maxima, int64_t n, const ct::Weigher& weigher, float low,
                       float high) {
    ++exact_masses;
    return counted->mass(logits, maxima, n, weigher, low, high);
}

ct::Masses counting_masses(const void* logits, int32_t dtype, const float* maxima, int64_t n,
                           const ct::Weigher& weigher, float split) {
    ++exact_masses;
    bands += split < FLT_MAX;
    return counted->masses(logits, dtype, maxima, n, weigher, split);
}

// A row of logits with all that a TakenRow of it needs.
struct Bench {
    Bench(const ct::SamplingPasses& of_isa, std::vector<float> of, bool halves, float temperature, float top_p)
        : passes(of_isa), logits(std::move(of)), memory(ct::RowMemory::bytes(size()) / 8 + 8) {
        counted = &of_isa;
        passes.mass = counting_mass;
        passes.masses = counting_masses;
        for (float& v : logits) narrow.push_back(ct::from_float<ct::bf16>(v));
        p.forced = p.state_slot = p.mask_row = p.allowed_row = -1;
        p.temperature = temperature;
        p.top_p = top_p;
        args.rows = &p;
        args.logits = halves ? static_cast<const void*>(narrow.data()) : logits.data();
        args.logits_dtype = halves ? CT_BF16 : CT_F32;
        args.num_rows = 1;
        args.vocab_size = args.logits_stride = size();
        args.max_top = INT64_MAX;
        args.shares_slots = true;
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    int64_t size() const { return static_cast<int64_t>(logits.size()); }

    // A row looked at anew.
    ct::TakenRow& take(Look look, int32_t status = CT_SAMPLE_OK, int64_t expected = -1) {
        taken = std::make_unique<ct::TakenRow>(args, passes, ct::RowMemory::at(memory.data(), size()));
        CHECK(taken->take(0, false, look, expected) == status);
        return *taken;
    }

    ct::SamplingPasses passes;
    std::vector<float> logits;
    std::vector<ct::bf16> narrow;
    std::vector<uint64_t> memory;
    ct_sample_row p{};
    ct::SampleArgs args{};
    std::unique_ptr<ct::TakenRow> taken;
};

std::vector<float> some_logits(Random& random, int64_t n) {
    const float scales[] = {0.01f, 1, 3, 30};
    const float scale = scales[random.below(4)];
    const float middle = random.normal(random.below(2) == 0 ? 0.0f : 60.0f);
    std::vector<float> logits;
    for (int64_t i = 0; i < n; ++i) {
        logits.push_back(middle + random.normal(scale));
        if (random.below(16) == 0) logits.back() = -std::numeric_limits<float>::infinity();
    }
    const int64_t order = random.below(3);
    if (order == 1) std::sort(logits.begin(), logits.end());
    if (order == 2) std::sort(logits.begin(), logits.end(), std::greater<float>());
    logits[static_cast<size_t>(random.below(n))] = middle;
    return logits;
}

double some_temperature(Random& random) {
    const double temperatures[] = {0.05, 0.7, 1, 4};
    return temperatures[random.below(4)];
}

Bench some_bench(Random& random, const ct::SamplingPasses& passes, int64_t n, float top_p = 1) {
    return {passes, some_logits(random, n), random.below(2) == 0, static_cast<float>(some_temperature(random)), top_p};
}

void boundsHold(const ct::SamplingPasses& passes, int64_t n, int rounds) {
    Random random(static_cast<uint64_t>(n));
    int64_t rough = 0;
    for (int round = 0; round < rounds; ++round) {
        Bench bench = some_bench(random, passes, n);
        const uint64_t exact = bench.take(Look::kExact).row().mass();
        for (Look look : {Look::kLoose, Look::kTight}) {
            ct::Row& row = bench.take(look).row();
            for (Look then : {look, Look::kTight}) {
                const ct::MassBounds bounds = row.mass_bounds(then);
                CHECK(bounds.low <= exact && exact <= bounds.high);
                const double apart = static_cast<double>(bounds.high - bounds.low) / static_cast<double>(exact);
                CHECK(apart < (then == Look::kLoose ? 0.07 : 4e-6));
                rough += bounds.low != bounds.high;
            }
            CHECK(row.mass_bounds(Look::kExact).low == exact);
        }
    }
    CHECK(n < 64 || rough > rounds);
}

// Tokens that are all equally deep below one, at a temperature whose rate is far from its float32.
void boundsHoldFarDown(const ct::SamplingPasses& passes, int rounds) {
    constexpr int64_t n = 131072;
    auto off_rate = [](float temperature) {
        const double rate = ct::kLog2E / static_cast<double>(temperature);
        return std::fabs(static_cast<double>(static_cast<float>(rate)) / rate - 1);
    };
    Random random(11);
    for (int round = 0; round < rounds; ++round) {
        float temperature = 1.3f;
        for (int i = 0; i < 100; ++i) {
            const float other = 1.3f + static_cast<float>(random.below(100000)) * 1e-6f;
            if (off_rate(other) > off_rate(temperature)) temperature = other;
        }
        std::vector<float> logits(static_cast<size_t>(n), -12 - static_cast<float>(random.below(1000)) * 1e-3f);
        logits[static_cast<size_t>(random.below(n))] = 0;
        Bench bench(passes, logits, false, temperature, 1);
        const uint64_t exact = bench.take(Look::kExact).row().mass();
        const ct::MassBounds bounds = bench.take(Look::kTight).row().mass_bounds(Look::kTight);
        CHECK(bounds.low <= exact && exact <= bounds.high);
    }
}

void tellsOfBadLogits(const ct::SamplingPasses& passes, int64_t n) {
    const float kInf = std::numeric_limits<float>::infinity();
    const float kNan = std::numeric_limits<float>::quiet_NaN();
    Random random(4);
    for (bool halves : {false, true}) {
        for (Look look : {Look::kLoose, Look::kTight}) {
            for (float bad : {kInf, kNan, -kNan}) {
                for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
                    std::vector<float> logits(static_cast<size_t>(n), 1.0f);
                    logits[static_cast<size_t>(at)] = bad;
                    if (at > 0) logits[0] = -kInf;
                    Bench(passes, logits, halves, 1, 1).take(look, CT_SAMPLE_NOT_FINITE);
                }
            }
            Bench(passes, std::vector<float>(static_cast<size_t>(n), -kInf), halves, 1, 1).take(look, CT_SAMPLE_EMPTY);
            // Finite, and their sums are not.
            std::vector<float> large(static_cast<size_t>(n));
            for (float& v : large) v = random.below(2) == 0 ? 3e38f : -3e38f;
            large[static_cast<size_t>(n / 2)] = 3e38f;
            Bench bench(passes, large, halves, 1, 1);
            const uint64_t exact = bench.take(Look::kExact).row().mass();
            const ct::MassBounds bounds = bench.take(look).row().mass_bounds(look);
            CHECK(bounds.low <= exact && exact <= bounds.high);
        }
    }
}

double beside(double value, int64_t steps) {
    for (; steps > 0; --steps) value = std::nextafter(value, 2.0);
    for (; steps < 0; ++steps) value = std::nextafter(value, -1.0);
    return value;
}

// Coins against p / q of two rows; returns how many of them asked for an exact mass.
int64_t coinsFallAsTheExactOnes(const ct::SamplingPasses& passes, int64_t n, int rounds, bool at_share) {
    Random random(static_cast<uint64_t>(n) + (at_share ? 1 : 2));
    int64_t asked = 0;
    for (int round = 0; round < rounds; ++round) {
        const std::vector<float> logits = some_logits(random, n);
        std::vector<float> near = logits;
        for (float& v : near) v += random.normal(0.3f);
        const bool halves = random.below(2) == 0;
        const auto temperature = static_cast<float>(some_temperature(random));
        Bench target(passes, logits, halves, temperature, 1);
        Bench draft(passes, near, halves, temperature, 1);
        const auto likely = std::max_element(draft.logits.begin(), draft.logits.end()) - draft.logits.begin();
        const int64_t id = random.below(2) == 0 ? likely : random.below(n);
        const double exact = ct::share_of(target.take(Look::kExact).share_of(id, Look::kExact).low,
                                          draft.take(Look::kExact).share_of(id, Look::kExact).low);
        const double coin =
            at_share ? beside(exact, random.below(7) - 3) : std::fabs(static_cast<double>(random.normal(1)));
        ct::TakenRow& of_target = target.take(Look::kLoose);
        ct::TakenRow& of_draft = draft.take(Look::kLoose);
        ct::Share p = of_target.share_of(id, Look::kLoose);
        ct::Share q = of_draft.share_of(id, Look::kLoose);
        const int64_t before = exact_masses;
        const bool below = ct::is_below_share(coin, p, q, [&](Look look) {
            p = of_target.share_of(id, look);
            q = of_draft.share_of(id, look);
        });
        CHECK(below == (coin < exact));
        asked += exact_masses > before;
    }
    return asked;
}

// Draws at shares of the mass; returns how many asked for the exact mass.
int64_t drawsAsTheExactMass(const ct::SamplingPasses& passes, int64_t n, int rounds, bool at_end, float top_p) {
    Random random(static_cast<uint64_t>(n) + (at_end ? 3 : 4));
    int64_t asked = 0;
    for (int round = 0; round < rounds; ++round) {
        Bench bench = some_bench(random, passes, n, top_p);
        ct::Row& exact = bench.take(Look::kExact).row();
        const uint64_t mass = exact.mass();
        double share = std::fmod(std::fabs(static_cast<double>(random.normal(1))), 1.0);
        if (at_end) {
            const ct::Reached reached = exact.key_at_mass(ct::target_of(share * static_cast<double>(mass), mass));
            share = beside(static_cast<double>(reached.mass) / static_cast<double>(mass), random.below(7) - 3);
        }
        const ct::Reached expected =
            bench.take(Look::kExact).row().key_at_mass(ct::target_of(share * static_cast<double>(mass), mass));
        const ct::KeyRange range = bench.taken->row().range;
        const int64_t before = exact_masses;
        ct::Row& row = bench.take(Look::kTight).row();
        CHECK(row.range.low == range.low && row.range.high == range.high);
        const ct::Reached reached = row.key_at_share(share, 0);
        CHECK(reached.key == expected.key && reached.mass == expected.mass);
        asked += exact_masses > before;
    }
    return asked;
}

// All tokens of a row in their order, each with the mass up to it.
struct InOrder {
    InOrder(ct::Row& row, int64_t n) {
        for (int64_t id = 0; id < n; ++id) {
            const uint64_t key = row.key_of(id);
            if (key != 0) keys.push_back(key);
        }
        std::sort(keys.begin(), keys.end(), std::greater<uint64_t>());
        uint64_t mass = 0;
        for (uint64_t key : keys) ends.push_back(mass += row.weight_of(key));
    }
    // What of them reaches a share of all.
    size_t reached(double share) const {
        const uint64_t target = ct::target_of(share * static_cast<double>(ends.back()), ends.back());
        return static_cast<size_t>(std::lower_bound(ends.begin(), ends.end(), target) - ends.begin());
    }
    std::vector<uint64_t> keys, ends;
};

// Logits that mostly have equals. Of some rows 128 runs of 16 tokens, which are what is sampled, stand apart.
std::vector<float> grained_logits(Random& random, int64_t n) {
    const float scale = random.below(2) == 0 ? 3.0f : 4.5f;
    const float grain = random.below(2) == 0 ? 0.25f : 0x1p-10f;
    const float aparts[] = {0, 0, -1.5f, 1.5f};
    const float apart = aparts[random.below(4)];
    std::vector<float> logits;
    for (int64_t i = 0; i < n; ++i) {
        logits.push_back(std::nearbyint(random.normal(scale) / grain) * grain);
        if (i * 128 / n * n / 128 + 16 > i) logits.back() += apart;
    }
    return logits;
}

// Draws of tokens that stand so deep that bounds do not tell them apart; returns how many were looked for in a band.
int64_t drawsFarDown(const ct::SamplingPasses& passes, int64_t n, int rounds, bool at_end) {
    Random random(static_cast<uint64_t>(n) + (at_end ? 9 : 10));
    const int64_t before = bands;
    for (int round = 0; round < rounds; ++round) {
        Bench bench(passes, grained_logits(random, n), random.below(2) == 0, 1, 1);
        const InOrder order(bench.take(Look::kExact).row(), n);
        double share = 1 - std::exp2(-4 - static_cast<double>(random.below(16))) * std::fabs(random.normal(1));
        if (at_end) {
            const auto end = static_cast<double>(order.ends[order.reached(share)]);
            share = beside(end / static_cast<double>(order.ends.back()), random.below(7) - 3);
        }
        const uint64_t expected = order.keys[order.reached(share)];
        CHECK(bench.taken->row().key_at_share(share, 0).key == expected);
        const int64_t asked = exact_masses;
        ct::Row& row = bench.take(Look::kTight).row();
        CHECK(row.token_at_share(share) == expected);
        CHECK(exact_masses <= asked + 1);
        // What was found on the way is not taken for the row's beginning.
        CHECK(row.key_at_count(1) == order.keys[0]);
        CHECK(row.key_at_share(1e-3, 0).key == order.keys[order.reached(1e-3)]);
    }
    return bands - before;
}

// A token that is expected where it is what a share of the mass reaches, or beside it; returns how often that was sure.
int64_t expectedAreDrawn(const ct::SamplingPasses& passes, int64_t n, int rounds, bool at_end) {
    Random random(static_cast<uint64_t>(n) + (at_end ? 5 : 6));
    int64_t sure = 0;
    for (int round = 0; round < rounds; ++round) {
        Bench bench = some_bench(random, passes, n);
        const uint64_t mass = bench.take(Look::kExact).row().mass();
        const ct::KeyCode code = bench.taken->row().code;
        double share = std::fmod(std::fabs(static_cast<double>(random.normal(1))), 1.0);
        auto reached_by = [&](double of) {
            return bench.take(Look::kExact).row().key_at_mass(ct::target_of(of * static_cast<double>(mass), mass));
        };
        const int64_t id = code.id(reached_by(share).key);
        if (at_end) {
            const auto end = static_cast<double>(reached_by(share).mass);
            share = beside(end / static_cast<double>(mass), random.below(7) - 3);
        }
        const bool is_drawn = code.id(reached_by(share).key) == id;
        const int64_t before = exact_masses;
        const bool surely = bench.take(Look::kTight, CT_SAMPLE_OK, id).row().surely_reaches(share);
        CHECK(exact_masses == before);
        CHECK(is_drawn || !surely);
        sure += surely;
    }
    return sure;
}

// A top-p that is put off: shares within their bounds, coins that fall as the exact ones, and then the same tokens are kept.
// Returns how many coins did not need it.
int64_t putOffSharesHold(const ct::SamplingPasses& passes, int64_t n, int rounds, bool at_share) {
    Random random(static_cast<uint64_t>(n) + (at_share ? 7 : 8));
    int64_t without = 0;
    for (int round = 0; round < rounds; ++round) {
        const float top_ps[] = {0.05f, 0.5f, 0.9f, 0.999f};
        Bench bench = some_bench(random, passes, n, top_ps[random.below(4)]);
        const auto likely = std::max_element(bench.logits.begin(), bench.logits.end()) - bench.logits.begin();
        const int64_t id = random.below(2) == 0 ? likely : random.below(n);
        ct::TakenRow& whole = bench.take(Look::kExact);
        const double exact = whole.share_of(id, Look::kExact).low;
        const ct::KeyRange range = whole.row().range;
        ct::TakenRow& x = bench.take(Look::kLoose, CT_SAMPLE_OK, id);
        ct::Share p = x.share_of(id, Look::kLoose);
        CHECK(p.low <= exact && exact <= p.high);
        bool needed = false;
        const double coin =
            at_share ? beside(exact, random.below(7) - 3) : std::fabs(static_cast<double>(random.normal(0.5)));
        const bool below = ct::is_below_share(coin, p, ct::kCertain, [&](Look look) {
            needed = true;
            p = x.share_of(id, look);
        });
        CHECK(below == (coin < exact));
        without += !needed;
        CHECK(x.row().range.low == range.low && x.row().range.high == range.high);
        CHECK(x.share_of(id, Look::kExact).low == exact && x.share_of(id, Look::kExact).high == exact);
    }
    return without;
}

}  // namespace

int main() {
    for_devices([](Device&, int32_t isa) {
        const ct::SamplingPasses& passes = isa == CT_ISA_AVX512 ? ct::kSamplingAvx512
                                           : isa == CT_ISA_AVX2 ? ct::kSamplingAvx2
                                                                : ct::kSamplingScalar;
        const int rounds = reduced() ? 20 : 200;
        for (int64_t n : {1, 2, 7, 63, 64, 65, 128, 255, 256, 257, 700, 4099}) {
            boundsHold(passes, n, n > 1000 ? rounds / 4 : rounds);
        }
        boundsHoldFarDown(passes, reduced() ? 5 : 20);
        for (int64_t n : {5, 64, 256, 300, 1500}) tellsOfBadLogits(passes, n);
        const int draws = reduced() ? 60 : 200;
        for (int64_t n : {3, 70, 1100}) {
            // At the share all ask for the exact masses but those of tokens that have no chance; elsewhere few do.
            CHECK(coinsFallAsTheExactOnes(passes, n, draws, true) > draws / 2);
            CHECK(coinsFallAsTheExactOnes(passes, n, draws, false) <= draws / 20);
            CHECK(drawsAsTheExactMass(passes, n, draws, true, 1) > draws / 2);
            CHECK(drawsAsTheExactMass(passes, n, draws, false, 1) <= draws / 5);
            CHECK(drawsAsTheExactMass(passes, n, draws, false, 0.9f) <= draws / 5);
            CHECK(drawsFarDown(passes, n, draws / 2, true) > (n > 1000 ? draws / 8 : -1));
            CHECK(drawsFarDown(passes, n, draws / 2, false) > (n > 1000 ? draws / 8 : -1));
            CHECK(expectedAreDrawn(passes, n, draws, true) < draws / 5);
            CHECK(expectedAreDrawn(passes, n, draws, false) > draws / 2);
            CHECK(putOffSharesHold(passes, n, draws, true) < draws * 4 / 5);
            CHECK(putOffSharesHold(passes, n, draws, false) > draws / 2);
        }
        // Of which a sample does not see all.
        CHECK(drawsFarDown(passes, 4500, draws / 2, true) > draws / 8);
        CHECK(drawsFarDown(passes, 4500, draws / 2, false) > draws / 8);
    });
    return finish("share_bounds");
}
