package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Tokens that a constraint leaves no choice about, as masks of answers before tell, are appended
 * without being drawn, and nothing else changes. Letters that the demo model knows by their bytes
 * only are such tokens.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ForcedTokensTest {
    private static final long BLOCK_BYTES = 1536L * 16 * Float.BYTES;

    private static final List<Constraint> CONSTRAINTS =
            List.of(
                    new Constraint.Regex("[ab]中文字中文字[cd]{1,3}漢字漢字漢字漢字[ef]"),
                    new Constraint.Choice(List.of("中文字", "中文漢", "漢漢漢漢漢漢漢漢")),
                    new Constraint.JsonSchema(
                            "{\"type\":\"object\",\"properties\":{\"中文字\":{\"enum\":[1,22]},"
                                    + "\"漢字漢\":{\"type\":\"string\",\"maxLength\":5}},"
                                    + "\"required\":[\"中文字\",\"漢字漢\"],"
                                    + "\"additionalProperties\":false}"),
                    new Constraint.Grammar("root ::= (\"漢字\" [0-9]){2,4}"));

    private static final AddedTokenMatch MATCH = AddedTokenMatch.NONE;

    private static final String LONG_PATTERN = "The name of the little dog is (Max|Spot) [.]";

    private static final List<Constraint> LONG = List.of(new Constraint.Regex(LONG_PATTERN));

    private static List<GenerationRequest> requests(SamplingParams params) {
        return requests(params, CONSTRAINTS);
    }

    private static List<GenerationRequest> requests(
            SamplingParams params, List<Constraint> constraints) {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 3 * constraints.size(); i++) {
            requests.add(
                    new GenerationRequest(
                            Prompt.text("Once upon a time " + i),
                            params.toBuilder()
                                    .seed((long) i)
                                    .n(1 + i % 2)
                                    .constraint(constraints.get(i % constraints.size()))
                                    .build()));
        }
        return requests;
    }

    private static SamplingParams params() {
        return SamplingParams.builder().temperature(1.3f).maxTokens(120).build();
    }

    /** Ids, reason and text of each answer. */
    private static List<String> run(Engine engine, SamplingParams params) throws Exception {
        List<io.cortado.api.GenerationStream> streams = new ArrayList<>();
        for (GenerationRequest request : requests(params)) {
            streams.add(engine.generate(request));
        }
        List<String> all = new ArrayList<>();
        for (var stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            int tokens = 0;
            for (Answers.Answer each : answers.answers) {
                all.add(each.ids + " " + each.reason + " " + each.text());
                tokens += each.ids.size();
            }
            assertEquals(tokens, answers.usage == null ? -1 : answers.usage.completionTokens());
        }
        return all;
    }

    /** Answers that share no step, so that steps count tokens whenever requests arrive. */
    private static void oneByOne(Engine engine, SamplingParams params) throws Exception {
        for (GenerationRequest request : requests(params)) {
            assertNull(Answers.read(engine.generate(request)).failure);
        }
    }

    private static SamplingParams drawn(SamplingParams params) {
        return params.toBuilder().logprobs(0).build(); // whose log-probability is asked for
    }

    @Test
    void theTokensAreThoseThatAreDrawnInFewerSteps() throws Exception {
        EngineOptions patient = DemoEngine.options().maskWaitMs(600_000); // no step goes without
        try (Engine engine = DemoEngine.open(patient)) {
            assertEquals(run(engine, drawn(params())), run(engine, params()));
            long before = engine.stats().steps();
            oneByOne(engine, drawn(params()));
            long drawn = engine.stats().steps() - before;
            oneByOne(engine, params());
            long steps = engine.stats().steps() - before - drawn;
            assertTrue(steps < 0.6 * drawn, "steps=" + steps + " drawn=" + drawn);
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** More at once than single tokens; every answer stays one that the constraint lets through. */
    @Test
    void jumpsForwardOverAllThatIsForced() throws Exception {
        EngineOptions patient = DemoEngine.options().maskWaitMs(600_000);
        try (Engine single = DemoEngine.open(patient);
                Engine jumping = DemoEngine.open(patient.jumpForward(true))) {
            Tokenizer tokenizer = Tokenizer.open(DemoEngine.folder());
            for (GenerationRequest request : requests(params().toBuilder().n(1).build(), LONG)) {
                Answers.Answer one = Answers.read(single.generate(request)).answers.getFirst();
                Answers.Answer all = Answers.read(jumping.generate(request)).answers.getFirst();
                assertTrue(all.text().matches(LONG_PATTERN), all.text());
                assertTrue(one.text().matches(LONG_PATTERN), one.text());
                int[] cut = tokenizer.encode("The name of the little dog", false, MATCH);
                for (int i = 0; i < cut.length; i++) {
                    assertEquals(cut[i], all.ids.get(i), "as the tokenizer cuts: " + all.ids);
                }
            }
            long few = jumping.stats().steps();
            assertTrue(2 * few < single.stats().steps(), few + " " + single.stats().steps());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(jumping));
        }
    }

    /** Limits, stop strings and end ids hold within what is forced. */
    @Test
    void aForcedTokenEndsAnAnswerAsADrawnOneDoes() throws Exception {
        List<SamplingParams> all = new ArrayList<>();
        for (int max = 1; max < 30; max += 4) {
            all.add(params().toBuilder().maxTokens(max).build());
        }
        all.add(params().toBuilder().stop(List.of("字漢")).build());
        all.add(params().toBuilder().stop(List.of("文字", "漢漢漢")).includeStop(true).build());
        all.add(params().toBuilder().stopTokenIds(List.of(230, 160)).build());
        all.add(params().toBuilder().temperature(0).build());
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            for (SamplingParams params : all) {
                assertEquals(run(engine, drawn(params)), run(engine, params), params.toString());
            }
        }
    }

    /** What the device counts, or bans, it draws. */
    @Test
    void otherRulesOfTheRequestAreKept() throws Exception {
        List<SamplingParams> all =
                List.of(
                        params().toBuilder()
                                .penalties(Penalties.NONE.repetition(1.4f).frequency(0.5f))
                                .build(),
                        params().toBuilder().logitBias(java.util.Map.of(5, 2f)).build());
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            for (SamplingParams params : all) {
                assertEquals(run(engine, drawn(params)), run(engine, params), params.toString());
            }
        }
    }

    @Test
    void chunksPreemptionAndSmallBudgetsChangeNothing() throws Exception {
        List<String> expected;
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            expected = run(engine, drawn(params()));
        }
        var tight =
                DemoEngine.options()
                        .maxModelLen(160)
                        .maxNumBatchedTokens(16)
                        .prefixCaching(false)
                        .kvCacheBytes(14 * BLOCK_BYTES);
        try (Engine engine = DemoEngine.open(tight)) {
            assertEquals(expected, run(engine, params()), "masks unknown at first");
            assertEquals(expected, run(engine, params()));
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }
}
