package io.cortado.engine;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scoring;
import io.cortado.api.TokenRules;
import io.cortado.api.Truncation;
import io.cortado.api.Xtc;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The rules of sampling through the whole engine, against {@link ReferenceRules} and themselves.
 */
@ParameterizedClass
@MethodSource("io.cortado.engine.Devices#all")
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SamplingRulesTest {
    private static final int OUTPUT = 10;

    @Parameter private String device = "";

    @TempDir Path folder;

    private final ReferenceRules reference = new ReferenceRules();

    @BeforeEach
    void requireDevice() {
        Devices.assumePresent(device);
    }

    private EngineOptions options() {
        return TinyModel.options(device).logitsProcessors(List.of(reference));
    }

    private int count(int onCpu) {
        return device.equals("cpu") ? onCpu : onCpu / 10;
    }

    /** Some of the rules that edit logits, sampled or greedy. */
    static SamplingParams edited(Random random) {
        Map<Integer, Float> bias = new HashMap<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            bias.put(random.nextInt(TinyModel.VOCAB), random.nextBoolean() ? -100f : 3.25f);
        }
        List<Integer> allowed =
                random.nextInt(3) > 0
                        ? null
                        : IntStream.range(0, 40).map(i -> i * 7).boxed().toList();
        return SamplingParams.builder()
                .temperature(random.nextInt(3) == 0 ? 0 : 0.9f)
                .seed(random.nextLong())
                .tokens(new TokenRules(bias, allowed, List.of()))
                .penalties(
                        new Penalties(
                                random.nextBoolean() ? 1 : 0.5f + random.nextFloat(),
                                random.nextBoolean() ? 0 : 2 * random.nextFloat() - 0.5f,
                                random.nextBoolean() ? 0 : 2 * random.nextFloat() - 0.5f))
                .dry(
                        random.nextBoolean()
                                ? Dry.OFF
                                : new Dry(
                                        3,
                                        1.5f,
                                        1 + random.nextInt(2),
                                        random.nextBoolean() ? -1 : 9,
                                        List.of()))
                .maxTokens(OUTPUT)
                .ignoreEos(true)
                .build();
    }

    /** What truncates and what does not touch the logits themselves. */
    static SamplingParams shaped(Random random, SamplingParams edited) {
        SamplingParams.Builder params = edited.toBuilder();
        switch (random.nextInt(4)) {
            case 0 -> params.topK(1 + random.nextInt(30)).topP(0.3f + 0.6f * random.nextFloat());
            case 1 ->
                    params.truncation(new Truncation(0, 0.9f, 0.02f, 0.9f, 2, 1e-4f, 1e-4f, 0.9f));
            case 2 -> params.xtc(new Xtc(0.5f, 0.01f));
            default -> params.mirostat(new Mirostat(2, 3, 0.3f));
        }
        if (edited.temperature() > 0 && random.nextBoolean()) {
            params.dynamicTemperature(new DynamicTemperature(0.4f, 1));
        }
        return params.build();
    }

    static GenerationRequest request(int caller, SamplingParams params) {
        return new GenerationRequest(Prompt.tokens(TinyModel.prompt(caller % 50)), params);
    }

    private static List<Integer> ids(GenerationStream stream) throws Exception {
        Answers answers = Answers.read(stream);
        assertNull(answers.failure);
        return answers.ids();
    }

    @Test
    void editsLogitsAsTheReferenceDoes() throws Exception {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random random = new Random(seed);
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            for (int i = 0; i < count(100); i++) {
                SamplingParams params = edited(random);
                if (random.nextBoolean()) {
                    params = shaped(random, params);
                }
                String what = "re-run with -Dcortado.seed=" + seed + " i=" + i + " " + params;
                List<Integer> expected = ids(engine.generate(request(i, reference.of(params))));
                assertEquals(expected, ids(engine.generate(request(i, params))), what);
            }
        }
    }

    /** Neighbours, threads, chunks, preemption and a new engine change nothing. */
    @Test
    void aRequestsTokensAreItsOwnWithEveryOption() throws Exception {
        Random random = new Random(11);
        List<SamplingParams> params = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            params.add(shaped(random, edited(random)).toBuilder().maxTokens(20).build());
        }
        List<List<Integer>> alone = new ArrayList<>();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            for (int i = 0; i < params.size(); i++) {
                alone.add(ids(engine.generate(request(i, params.get(i)))));
            }
            assertEquals(alone, together(engine, params));
        }
        try (Engine engine =
                Engine.open(folder, options().threads(1).maxNumBatchedTokens(16).maxNumSeqs(3))) {
            assertEquals(alone, together(engine, params), "one thread, chunks");
        }
        long blockBytes = blockBytes();
        EngineOptions tight = options().maxModelLen(64).kvCacheBytes(7 * blockBytes);
        try (Engine engine = Engine.open(folder, tight)) {
            assertEquals(alone, together(engine, params), "preempted");
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** Of keys and values of 16 tokens: 2 layers, 2 heads, 64 wide, 4 bytes. */
    private static long blockBytes() {
        return 2L * 2 * 2 * 64 * 16 * 4;
    }

    private static List<List<Integer>> together(Engine engine, List<SamplingParams> params)
            throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < params.size(); i++) {
            streams.add(engine.generate(request(i, params.get(i))));
        }
        List<List<Integer>> all = new ArrayList<>();
        for (GenerationStream stream : streams) {
            all.add(ids(stream));
        }
        return all;
    }

    /** Each of the answers counts for itself. */
    @Test
    void answersOfOneRequestHaveTheirOwnCounts() throws Exception {
        SamplingParams params =
                SamplingParams.builder()
                        .seed(5L)
                        .n(4)
                        .penalties(new Penalties(1.3f, 0.7f, 0.4f))
                        .maxTokens(OUTPUT)
                        .ignoreEos(true)
                        .build();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            Answers native4 = Answers.read(engine.generate(request(3, params)));
            Answers expected = Answers.read(engine.generate(request(3, reference.of(params))));
            assertNull(native4.failure);
            for (int i = 0; i < 4; i++) {
                assertEquals(expected.answers.get(i).ids, native4.answers.get(i).ids, "" + i);
            }
        }
    }

    @Test
    void givesTheLikeliestOfItsAnswers() throws Exception {
        SamplingParams four =
                SamplingParams.builder()
                        .seed(9L)
                        .n(4)
                        .logprobs(0)
                        .maxTokens(OUTPUT)
                        .ignoreEos(true)
                        .build();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            List<Answers.Answer> all =
                    new ArrayList<>(Answers.read(engine.generate(request(1, four))).answers);
            all.sort((a, b) -> Double.compare(sum(b), sum(a)));
            SamplingParams best = four.toBuilder().n(2).bestOf(4).build();
            Answers two = Answers.read(engine.generate(request(1, best)));
            assertEquals(2, two.answers.size());
            for (int i = 0; i < 2; i++) {
                assertEquals(all.get(i).ids, two.answers.get(i).ids);
                assertNotNull(two.answers.get(i).reason);
            }
            assertEquals(4 * OUTPUT, requireNonNull(two.usage).completionTokens());
            Answers unscored =
                    Answers.read(
                            engine.generate(request(1, best.toBuilder().logprobs(null).build())));
            assertEquals(all.get(0).ids, unscored.answers.get(0).ids);
        }
    }

    private static double sum(Answers.Answer answer) {
        return answer.logprobs.stream().mapToDouble(t -> t.logprob()).sum();
    }

    @Test
    void tellsWhatWasDrawnFromWhereAsked() throws Exception {
        SamplingParams params =
                SamplingParams.builder()
                        .seed(3L)
                        .topK(3)
                        .scoring(new Scoring(10, null, Scoring.Mode.PROCESSED))
                        .maxTokens(OUTPUT)
                        .ignoreEos(true)
                        .build();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            Answers answers = Answers.read(engine.generate(request(2, params)));
            assertNull(answers.failure);
            for (var token : answers.answers.getFirst().logprobs) {
                assertEquals(3, token.top().size(), "only what was kept has a probability");
                double mass = token.top().stream().mapToDouble(t -> Math.exp(t.logprob())).sum();
                assertEquals(1, mass, 1e-5);
            }
        }
    }

    @Test
    void refusesARequestThatLeavesNothing() throws Exception {
        SamplingParams params =
                SamplingParams.builder()
                        .tokens(new TokenRules(Map.of(7, -100f), List.of(7), List.of()))
                        .build();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            EngineException e =
                    assertThrows(EngineException.class, () -> engine.generate(request(1, params)));
            assertEquals("allowed_token_ids", e.param());
        }
    }
}
