package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Embedding;
import io.cortado.api.EmbeddingParams;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.Activations;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Pooling;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Embeddings beside generations, on every device and with both kinds of activations. */
@ParameterizedClass
@MethodSource("io.cortado.engine.DeterminismTest#devices")
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EmbeddingTest {
    private static final int HIDDEN = 64;
    private static final int[] LENGTHS = {1, 2, 15, 16, 17, 33, 48, 49, 100, 5};

    @Parameter(0)
    private String device = "";

    @Parameter(1)
    private Activations activations = Activations.F32;

    @TempDir Path folder;

    @BeforeEach
    void requireDevice() {
        Devices.assumePresent(device);
    }

    private EngineOptions options() {
        return TinyModel.options(device).activations(activations);
    }

    private static List<Prompt> prompts() {
        List<Prompt> prompts = new ArrayList<>();
        for (int i = 0; i < LENGTHS.length; i++) {
            int[] ids = Requests.prompt(LENGTHS[i]);
            ids[0] = 200 + i;
            prompts.add(Prompt.tokens(ids));
        }
        return prompts;
    }

    private static List<float[]> embed(Engine engine, List<Prompt> prompts, EmbeddingParams params)
            throws InterruptedException {
        return engine.embed(new EmbeddingRequest(prompts, params)).stream()
                .map(Embedding::values)
                .toList();
    }

    private static EmbeddingParams pooled(@Nullable Pooling pooling) {
        return new EmbeddingParams(pooling, null, null);
    }

    private static void assertSame(List<float[]> expected, List<float[]> got, String what) {
        assertEquals(expected.size(), got.size(), what);
        for (int i = 0; i < expected.size(); i++) {
            assertTrue(Arrays.equals(expected.get(i), got.get(i)), what + ": prompt " + i);
        }
    }

    @ParameterizedTest
    @EnumSource(Pooling.class)
    void anEmbeddingsBitsAreItsPromptsOwn(Pooling pooling) throws Exception {
        List<float[]> alone = new ArrayList<>();
        List<Prompt> prompts = prompts();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            for (Prompt prompt : prompts) {
                alone.addAll(embed(engine, List.of(prompt), pooled(pooling)));
            }
            assertSame(alone, embed(engine, prompts, pooled(pooling)), "a batch");
            assertSame(alone, besideGenerations(engine, pooling), "generations");
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
        try (Engine engine = Engine.open(folder, options().maxNumBatchedTokens(16))) {
            assertSame(alone, besideGenerations(engine, pooling), "chunks of 16");
        }
        long blockBytes = 2L * 2 * 2 * 64 * 16 * (activations == Activations.F32 ? 4 : 2);
        EngineOptions tight =
                options().kvCacheBytes(8 * blockBytes).maxNumBatchedTokens(16).maxNumSeqs(4);
        try (Engine engine = Engine.open(folder, tight)) {
            assertSame(alone, besideGenerations(engine, pooling), "a tight cache");
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** Generations that grow while prompts are pooled must not change, or be changed. */
    private List<float[]> besideGenerations(Engine engine, Pooling pooling) throws Exception {
        List<GenerationStream> streams = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            SamplingParams params = TinyModel.params(i, 40);
            streams.add(
                    engine.generate(
                            new GenerationRequest(Prompt.tokens(TinyModel.prompt(i)), params)));
        }
        List<float[]> got = embed(engine, prompts(), pooled(pooling));
        for (GenerationStream stream : streams) {
            Answers answers = Answers.read(stream);
            assertNull(answers.failure);
            assertEquals(40, answers.ids().size());
        }
        return got;
    }

    @Test
    void meansAreOfAllStatesAndNormalizedUnlessToldOtherwise() throws Exception {
        Prompt prompt = prompts().get(5);
        int[] ids = ((Prompt.Tokens) prompt).ids();
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            EmbeddingParams raw = new EmbeddingParams(Pooling.LAST, false, null);
            double[] mean = new double[HIDDEN];
            for (int end = 1; end <= ids.length; end++) {
                Prompt prefix = Prompt.tokens(Arrays.copyOf(ids, end));
                float[] state = embed(engine, List.of(prefix), raw).getFirst();
                for (int i = 0; i < HIDDEN; i++) {
                    mean[i] += state[i] / (double) ids.length;
                }
            }
            float[] got =
                    embed(engine, List.of(prompt), new EmbeddingParams(Pooling.MEAN, false, null))
                            .getFirst();
            float[] normalized = embed(engine, List.of(prompt), pooled(Pooling.MEAN)).getFirst();
            double norm = Math.sqrt(Arrays.stream(mean).map(v -> v * v).sum());
            for (int i = 0; i < HIDDEN; i++) {
                assertEquals(mean[i], got[i], 1e-5);
                assertEquals(mean[i] / norm, normalized[i], 1e-5);
            }
        }
    }

    @Test
    void theFirstTokensStateIsThatOfAPromptOfOne() throws Exception {
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            for (Prompt prompt : prompts()) {
                Prompt first = Prompt.tokens(((Prompt.Tokens) prompt).ids()[0]);
                assertArrayEquals(
                        embed(engine, List.of(first), pooled(Pooling.LAST)).getFirst(),
                        embed(engine, List.of(prompt), pooled(Pooling.CLS)).getFirst());
            }
        }
    }

    @Test
    void givesFirstDimensionsOnlyWhereTheModelSaysThatItCan() throws Exception {
        Prompt prompt = prompts().get(2);
        TinyModel.in(folder);
        try (Engine engine = Engine.open(folder, options())) {
            assertRefused(engine, prompt, 16, "neither is_matryoshka nor");
        }
        Path config = folder.resolve("config.json");
        String plain = Files.readString(config);
        Files.writeString(config, plain.replace("}", ",\"is_matryoshka\":true}"));
        try (Engine engine = Engine.open(folder, options())) {
            assertRefused(engine, prompt, 65, "[1, 64]");
            assertRefused(engine, prompt, 0, "[1, 64]");
            float[] raw =
                    embed(engine, List.of(prompt), new EmbeddingParams(null, false, null))
                            .getFirst();
            float[] cut =
                    embed(engine, List.of(prompt), new EmbeddingParams(null, null, 7)).getFirst();
            assertEquals(7, cut.length);
            double squares = 0;
            for (int i = 0; i < 7; i++) {
                squares += (double) raw[i] * raw[i];
            }
            for (int i = 0; i < 7; i++) {
                assertEquals(raw[i] / Math.sqrt(squares), cut[i], 1e-6);
            }
        }
        Files.writeString(config, plain.replace("}", ",\"matryoshka_dimensions\":[8,32]}"));
        try (Engine engine = Engine.open(folder, options())) {
            assertRefused(engine, prompt, 16, "[8, 32]");
            assertEquals(
                    32,
                    embed(engine, List.of(prompt), new EmbeddingParams(null, null, 32))
                            .getFirst()
                            .length);
        }
    }

    private static void assertRefused(Engine engine, Prompt prompt, int dimensions, String why) {
        EngineException e =
                assertThrows(
                        EngineException.class,
                        () ->
                                embed(
                                        engine,
                                        List.of(prompt),
                                        new EmbeddingParams(null, null, dimensions)));
        assertEquals("dimensions", e.param());
        assertTrue(String.valueOf(e.getMessage()).contains(why), e::getMessage);
    }

    @Test
    void refusesABatchBeforeAnyOfItRuns() throws Exception {
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            Prompt right = prompts().getFirst();
            for (Prompt wrong :
                    List.of(
                            Prompt.tokens(),
                            Prompt.tokens(TinyModel.VOCAB),
                            Prompt.tokens(-1),
                            Prompt.tokens(new int[129]),
                            Prompt.text("no tokenizer"))) {
                EngineException e =
                        assertThrows(
                                EngineException.class,
                                () -> embed(engine, List.of(right, wrong), pooled(null)));
                assertEquals("input", e.param());
            }
            EngineException tooLong =
                    assertThrows(
                            EngineException.class,
                            () ->
                                    embed(
                                            engine,
                                            List.of(Prompt.tokens(new int[129])),
                                            pooled(null)));
            assertEquals(EngineException.Code.CONTEXT_LENGTH_EXCEEDED, tooLong.code());
            assertTrue(
                    String.valueOf(tooLong.getMessage()).contains("128 tokens"),
                    tooLong::getMessage);
            assertThrows(EngineException.class, () -> embed(engine, List.of(), pooled(null)));
            assertEquals(0, engine.stats().steps());
            Prompt longest = Prompt.tokens(new int[128]);
            assertEquals(1, embed(engine, List.of(longest), pooled(null)).size());
        }
    }

    @Test
    void aBatchLargerThanTheQueueWaitsForRoom() throws Exception {
        EngineOptions narrow = options().maxNumSeqs(2).maxWaiting(1);
        List<Prompt> many = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            many.add(Prompt.tokens(1 + i % 7));
        }
        try (Engine engine = Engine.open(TinyModel.in(folder), narrow)) {
            List<CompletableFuture<List<float[]>>> callers = new ArrayList<>();
            callers.add(async(engine, many));
            List<float[]> mine = callers.getFirst().get();
            assertEquals(40, mine.size());
            assertArrayEquals(mine.get(0), mine.get(7));
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    private static CompletableFuture<List<float[]>> async(Engine engine, List<Prompt> prompts) {
        CompletableFuture<List<float[]>> result = new CompletableFuture<>();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        result.complete(embed(engine, prompts, pooled(null)));
                    } catch (InterruptedException | RuntimeException e) {
                        result.completeExceptionally(e);
                    }
                });
        return result;
    }

    @Test
    void anInterruptCancelsWhatStillRuns() throws Exception {
        try (Engine engine = Engine.open(TinyModel.in(folder), options())) {
            List<Prompt> many = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                many.addAll(prompts());
            }
            CompletableFuture<Throwable> end = new CompletableFuture<>();
            Thread caller =
                    Thread.ofVirtual()
                            .start(() -> {
                                try {
                                    embed(engine, many, pooled(Pooling.MEAN));
                                    end.complete(new AssertionError("it ended by itself"));
                                } catch (Throwable e) {
                                    end.complete(e);
                                }
                            });
            while (engine.stats().steps() < 3) {
                Thread.sleep(1);
            }
            caller.interrupt();
            assertEquals(InterruptedException.class, end.get().getClass());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
            assertTrue(engine.drain(10_000), "a place was lost");
        }
    }

    @Test
    void failsWithTheEngine() throws Exception {
        Engine engine = Engine.open(TinyModel.in(folder), options());
        engine.close();
        EngineException e =
                assertThrows(EngineException.class, () -> embed(engine, prompts(), pooled(null)));
        assertEquals(EngineException.Code.CLOSED, e.code());
    }
}
