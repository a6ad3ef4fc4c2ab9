// verify_test.cpp: ct_verify on the CPU, and the law that its integers give.
#include <map>

#include "kernels/speculate/verify_laws.h"

namespace {

using namespace testing;

// The walk over the kernel's integer weights emits, to 1e-6, what it emits over real ones: every coin summed.
void integersKeepTheLaw() {
    Random random(9);
    for (int round = 0; round < (reduced() ? 20 : 200); ++round) {
        const int64_t vocab = 2 + random.below(5);
        const bool chain = random.below(2) == 0;
        const Speculation request = random_speculation(random, vocab, 1 + random.below(3), chain, 8);
        const VerifyOptions options{random.below(2) == 0 ? CT_VERIFY_TOKENS : CT_VERIFY_BLOCK};
        bool sure = true;
        std::map<std::pair<std::vector<int32_t>, std::vector<int32_t>>, double> difference;
        for (bool integers : {true, false}) {
            std::vector<Expected> rows;
            for (const Row& row : request.rows) rows.push_back(Reference(row, integers).run());
            const PlainTree tree = plain_tree(request, options, rows, integers, &sure);
            EveryChance::each(tree, [&](const Emitted& e, double probability) {
                difference[{e.tokens, e.path}] += integers ? probability : -probability;
            });
        }
        double whole = 0;
        for (const auto& [what, by] : difference) whole += std::fabs(by);
        if (sure) CHECK(whole < 1e-6);
    }
}

// More threads than requests look at all rows at first, fewer at those that the walks come to: long rows, none of them as a
// list, and cut at both ends among equals.
void emitsTheSameWithMoreThreads() {
    Random random(23);
    for (int32_t method : {CT_VERIFY_TOKENS, CT_VERIFY_BLOCK}) {
        for (int round = 0; round < (reduced() ? 4 : 40); ++round) {
            const int64_t vocab = 1000 + random.below(3000);
            std::vector<Speculation> requests;
            for (int i = 0; i < 6; ++i) {
                requests.push_back(random_speculation(random, vocab, 1 + random.below(5), random.below(2) == 0, 8));
                auto soften = [&](Row& row) {
                    for (float& v : row.logits) v = std::round(v) / 4;
                    row.p.top_k = 0;
                };
                for (Row& row : requests.back().rows) soften(row);
                for (Row& row : requests.back().drafts) soften(row);
            }
            const VerifyOptions options{method};
            std::vector<std::vector<Verdict>> verdicts;
            for (int threads : {1, 6, 7}) {
                Device d(threads, CT_ISA_AUTO);
                verdicts.push_back(verify(d, requests, options));
            }
            CHECK(verdicts[0] == verdicts[1] && verdicts[0] == verdicts[2]);
            for (size_t i = 0; i < requests.size(); ++i) expect(expected_verdict(requests[i], options), verdicts[0][i]);
        }
    }
}

void refusesWrongArguments() {
    Device d, foreign;
    Array<int32_t> i(d, 64), far(foreign, 64);
    Array<float> f(d, 64);
    Array<ct_sample_row> rows(d, 2);
    Array<unsigned char> workspace(d, 4096);
    std::fill_n(i.at, 64, 0);
    ct_verify_params p{};
    p.struct_bytes = sizeof p;
    p.num_requests = 1;
    p.max_tokens = 2;
    p.vocab_size = p.logits_stride = p.draft_stride = 4;
    auto call = [&](const ct_verify_params& with, ct_buffer* tokens, ct_buffer* moves) {
        return ct_verify(tokens, i.buffer, i.buffer, i.buffer, moves, nullptr, f.buffer, rows.buffer, nullptr, nullptr,
                         nullptr, nullptr, nullptr, nullptr, i.buffer, i.buffer, nullptr, nullptr, nullptr,
                         workspace.buffer, &with, d.stream);
    };
    CHECK_OK(call(p, i.buffer, nullptr));
    CHECK_STATUS(call(p, nullptr, nullptr), CT_INVALID);
    CHECK_STATUS(call(p, far.buffer, nullptr), CT_INVALID);
    CHECK_STATUS(call(p, i.buffer, i.buffer), CT_INVALID);  // moves without slots
    auto refused = [&](auto change) {
        ct_verify_params bad = p;
        change(bad);
        CHECK_STATUS(call(bad, i.buffer, nullptr), CT_INVALID);
    };
    refused([](auto& q) { q.struct_bytes = 4; });
    refused([](auto& q) { q.num_requests = -1; });
    refused([](auto& q) { q.num_rows = -1; });
    refused([](auto& q) { q.num_rows = 1000; });
    refused([](auto& q) { q.num_draft_rows = 1; });  // without their buffers
    refused([](auto& q) { q.max_tokens = 0; });
    refused([](auto& q) { q.vocab_size = 0; });
    refused([](auto& q) { q.logits_stride = 3, q.num_rows = 2; });
    refused([](auto& q) { q.num_bias = 1; });
    refused([](auto& q) { q.num_history = 1; });
    refused([](auto& q) { q.num_masks = 1; });
    refused([](auto& q) { q.num_slots = 1; });
    refused([](auto& q) { q.num_slots = INT64_MAX; });
    refused([](auto& q) { q.logits_dtype = CT_F16; });
    refused([](auto& q) { q.draft_dtype = 17; });
    refused([](auto& q) { q.method = 2; });
    refused([](auto& q) { q.reserved = 1; });
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) { verifiesByTheRules(d, {2, 5, 17, 70, 1100}, reduced() ? 6 : 40); });
    Device d;
    if (!reduced()) {
        verifiesByTheRules(d, {3, 6, 33, 300, 4099}, 100);
        emitsByTheLaws(d, 40000);
    }
    emitsTheSameWithMoreThreads();
    integersKeepTheLaw();
    refusesWrongArguments();
    std::printf("%lld requests sure, %lld within rounding\n", static_cast<long long>(sure_requests),
                static_cast<long long>(unsure_requests));
    return finish("verify");
}
