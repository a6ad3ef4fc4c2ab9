package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.KvCacheDtype;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The whole engine with a small model, the same on every device. */
@Timeout(value = 600, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineOnDevicesTest {
    private static final int OUTPUT = 12;

    @TempDir Path folder;

    private Engine open(EngineOptions options) throws IOException {
        return Engine.open(TinyModel.in(folder), options);
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void drawsTheTokensOfTheCpu(String device) throws Exception {
        Devices.assumePresent(device);
        SamplingParams greedy = SamplingParams.greedy(OUTPUT).toBuilder().logprobs(2).build();
        Answers expected;
        try (Engine cpu = open(TinyModel.options("cpu"))) {
            expected = DemoEngine.ask(cpu, TinyModel.prompt(3), greedy);
        }
        try (Engine engine = open(TinyModel.options(device))) {
            assertTrue(engine.model().device().startsWith(device), engine.model().device());
            Answers got = DemoEngine.ask(engine, TinyModel.prompt(3), greedy);
            assertNull(got.failure, () -> "" + got.failure);
            assertEquals(expected.ids(), got.ids());
            for (int i = 0; i < OUTPUT; i++) {
                TokenLogprob a = expected.answers.getFirst().logprobs.get(i);
                TokenLogprob b = got.answers.getFirst().logprobs.get(i);
                assertEquals(a.logprob(), b.logprob(), 1e-3, "token " + i);
                assertEquals(2, b.top().size());
                assertEquals(b.id(), b.top().getFirst().id());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void keepsKeysAndValuesInEveryType(String device) throws Exception {
        Devices.assumePresent(device);
        SamplingParams greedy = SamplingParams.greedy(1).toBuilder().logprobs(0).build();
        int[] prompt = Requests.prompt(70);
        float expected = firstLogprob(TinyModel.options(device), prompt, greedy);
        Map<KvCacheDtype, Double> limits =
                Map.of(
                        KvCacheDtype.F32, 0.0,
                        KvCacheDtype.F16, 0.005,
                        KvCacheDtype.BF16, 0.05,
                        KvCacheDtype.FP8_E4M3, 0.3);
        for (var limit : limits.entrySet()) {
            EngineOptions options = TinyModel.options(device).kvCacheDtype(limit.getKey());
            float got = firstLogprob(options, prompt, greedy);
            assertEquals(expected, got, limit.getValue(), limit.getKey().toString());
            assertEquals(limit.getKey() == KvCacheDtype.F32, expected == got, "not rounded");
        }
    }

    private float firstLogprob(EngineOptions options, int[] prompt, SamplingParams params)
            throws Exception {
        try (Engine engine = open(options)) {
            Answers answers = DemoEngine.ask(engine, prompt, params);
            assertNull(answers.failure, () -> "" + answers.failure);
            return answers.answers.getFirst().logprobs.getFirst().logprob();
        }
    }

    /** As many blocks as fit, whatever an element takes. */
    @Test
    void aSmallerTypeHasMoreBlocks() throws Exception {
        EngineOptions options = TinyModel.options("cpu").kvCacheBytes(1 << 20);
        int perBlock = 2 * 2 * 2 * 64 * 16;
        for (var bytes : Map.of(KvCacheDtype.AUTO, 4, KvCacheDtype.F16, 2).entrySet()) {
            assertBlocks((1 << 20) / perBlock / bytes.getValue(), options, bytes.getKey());
        }
        assertBlocks((1 << 20) / perBlock, options, KvCacheDtype.FP8_E4M3);
    }

    private void assertBlocks(int expected, EngineOptions options, KvCacheDtype type)
            throws Exception {
        try (Engine engine = open(options.kvCacheDtype(type))) {
            assertEquals(expected, engine.stats().blocksTotal(), type.toString());
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void obeysBansBiasAndStopIdsAndScoresThePrompt(String device) throws Exception {
        Devices.assumePresent(device);
        try (Engine engine = open(TinyModel.options(device))) {
            int[] prompt = TinyModel.prompt(1);
            SamplingParams params = TinyModel.params(0, OUTPUT);
            Answers free =
                    DemoEngine.ask(engine, prompt, params.toBuilder().promptLogprobs(1).build());
            assertNotNull(free.promptScores);
            assertEquals(prompt.length, free.promptScores.size());
            int third = free.ids().get(2);
            int first = free.ids().indexOf(third);
            Answers cut =
                    DemoEngine.ask(
                            engine,
                            prompt,
                            params.toBuilder().stopTokenIds(List.of(third)).build());
            assertEquals(free.ids().subList(0, first + 1), cut.ids());
            assertEquals(new FinishReason.EndToken(third), cut.reason());
            assertNotNull(cut.usage);
            assertEquals(first + 1, cut.usage.completionTokens(), "the step ahead drew one more");
            Answers later =
                    DemoEngine.ask(
                            engine,
                            prompt,
                            params.toBuilder().stopTokenIds(List.of(third)).minTokens(8).build());
            assertEquals(-1, later.ids().subList(0, 8).indexOf(third));
            Answers forced =
                    DemoEngine.ask(
                            engine,
                            prompt,
                            params.toBuilder().maxTokens(3).logitBias(Map.of(77, 100f)).build());
            assertEquals(List.of(77, 77, 77), forced.ids());
            assertInstanceOf(FinishReason.Length.class, forced.reason());
        }
    }

    /** The sampler's buffers grow between steps, and graphs do not hold them. */
    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void takesMoreBiasesThanItHasRoomForAtFirst(String device) throws Exception {
        Devices.assumePresent(device);
        Map<Integer, Float> bans = new TreeMap<>();
        for (int id = 0; id < TinyModel.VOCAB; id++) {
            bans.put(id, -100f);
        }
        List<Integer> allowed = List.of(5, 9);
        allowed.forEach(bans::remove);
        SamplingParams params = TinyModel.params(1, 3).toBuilder().n(16).build();
        try (Engine engine = open(TinyModel.options(device).maxNumSeqs(16))) {
            Answers before = DemoEngine.ask(engine, TinyModel.prompt(0), params);
            Answers banned =
                    DemoEngine.ask(
                            engine,
                            TinyModel.prompt(0),
                            params.toBuilder().logitBias(bans).build());
            assertNull(banned.failure, () -> "" + banned.failure);
            for (Answers.Answer answer : banned.answers) {
                assertEquals(3, answer.ids.size());
                assertTrue(allowed.containsAll(answer.ids), () -> "" + answer.ids);
            }
            Answers after = DemoEngine.ask(engine, TinyModel.prompt(0), params);
            for (int i = 0; i < 16; i++) {
                assertEquals(before.answers.get(i).ids, after.answers.get(i).ids);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void freesTheBlocksOfWhoLeavesInTheMiddle(String device) throws Exception {
        Devices.assumePresent(device);
        try (Engine engine = open(TinyModel.options(device))) {
            GenerationStream leaving =
                    engine.generate(
                            new GenerationRequest(
                                    Prompt.tokens(TinyModel.prompt(2)), TinyModel.params(2, 90)));
            leaving.next();
            leaving.next();
            leaving.close();
            Answers other =
                    DemoEngine.ask(engine, TinyModel.prompt(4), TinyModel.params(4, OUTPUT));
            assertEquals(OUTPUT, other.ids().size());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }
}
