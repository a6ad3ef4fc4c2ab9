package io.cortado.engine;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.LogitsProcessor;
import io.cortado.api.LogitsProcessorFactory;
import io.cortado.api.SamplingParams;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LogitsProcessorTest {
    private static final int OUTPUT = 6;

    @TempDir Path folder;

    private record Named(String name, Supplier<LogitsProcessor> maker)
            implements LogitsProcessorFactory {
        @Override
        public LogitsProcessor create() {
            return maker.get();
        }
    }

    /** Writes the number of the token that is drawn, and what the first one has left. */
    private static final Named COUNTS =
            new Named(
                    "counts",
                    () -> {
                        int[] calls = {0};
                        return (context, logits) -> {
                            assertEquals(calls[0], context.outputSize());
                            Arrays.fill(logits, Float.NEGATIVE_INFINITY);
                            logits[100 + calls[0]++] = 0;
                        };
                    });

    private static final Named SHIFTS =
            new Named(
                    "shifts",
                    () ->
                            (context, logits) ->
                                    System.arraycopy(logits, 0, logits, 1, logits.length - 1));

    private static final Named THROWS =
            new Named(
                    "throws",
                    () ->
                            (context, logits) -> {
                                if (context.outputSize() == 2) {
                                    throw new IllegalStateException("no third token");
                                }
                            });

    private static final Named NAN =
            new Named("nan", () -> (context, logits) -> logits[5] = Float.NaN);

    private static final Named NOTHING =
            new Named(
                    "nothing",
                    () -> (context, logits) -> Arrays.fill(logits, Float.NEGATIVE_INFINITY));

    private static final Named BROKEN =
            new Named(
                    "broken",
                    () -> {
                        throw new IllegalStateException("cannot be made");
                    });

    /** One that nobody gives. */
    public static final class Found implements LogitsProcessorFactory {
        @Override
        public String name() {
            return "found";
        }

        @Override
        public LogitsProcessor create() {
            return COUNTS.create();
        }
    }

    private Engine open() throws Exception {
        return Engine.open(
                TinyModel.in(folder),
                TinyModel.options("cpu")
                        .maxNumSeqs(80)
                        .maxNumBatchedTokens(256)
                        .logitsProcessors(List.of(COUNTS, SHIFTS, THROWS, NAN, NOTHING, BROKEN)));
    }

    private static GenerationRequest request(String... processors) {
        return SamplingRulesTest.request(
                1,
                SamplingParams.builder()
                        .seed(4L)
                        .logitsProcessors(List.of(processors))
                        .maxTokens(OUTPUT)
                        .ignoreEos(true)
                        .build());
    }

    @Test
    void runsThemInTheirOrderWithAStateOfEachAnswer() throws Exception {
        try (Engine engine = open()) {
            GenerationRequest counting = request("counts");
            Answers two =
                    Answers.read(
                            engine.generate(
                                    counting.params(counting.params().toBuilder().n(2).build())));
            assertNull(two.failure);
            assertEquals(List.of(100, 101, 102, 103, 104, 105), two.answers.get(0).ids);
            assertEquals(List.of(100, 101, 102, 103, 104, 105), two.answers.get(1).ids);
            Answers shifted = Answers.read(engine.generate(request("counts", "shifts")));
            assertEquals(List.of(101, 102, 103, 104, 105, 106), shifted.ids());
        }
    }

    @Test
    void findsThoseThatTheClassPathBrings(@TempDir Path jar) throws Exception {
        Path services = Files.createDirectories(jar.resolve("META-INF/services"));
        Files.writeString(
                services.resolve(LogitsProcessorFactory.class.getName()), Found.class.getName());
        Thread current = Thread.currentThread();
        ClassLoader before = current.getContextClassLoader();
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, getClass().getClassLoader())) {
            current.setContextClassLoader(loader);
            try (Engine engine = open()) {
                Answers found = Answers.read(engine.generate(request("found")));
                assertEquals(List.of(100, 101, 102, 103, 104, 105), found.ids());
            }
        } finally {
            current.setContextClassLoader(before);
        }
    }

    @Test
    void failsItsOwnRequestOnly() throws Exception {
        try (Engine engine = open()) {
            List<Integer> alone = Answers.read(engine.generate(request())).ids();
            List<GenerationStream> streams = new ArrayList<>();
            for (String name : List.of("throws", "nan", "nothing", "counts")) {
                streams.add(engine.generate(request(name)));
                streams.add(engine.generate(request()));
            }
            List<Answers> answers = new ArrayList<>();
            for (GenerationStream stream : streams) {
                answers.add(Answers.read(stream));
            }
            EngineException thrown = requireNonNull(answers.get(0).failure);
            assertEquals(EngineException.Code.INTERNAL, thrown.code());
            assertTrue(String.valueOf(thrown.getMessage()).contains("throws has failed"));
            EngineException nan = requireNonNull(answers.get(2).failure);
            assertEquals(EngineException.Code.NOT_FINITE, nan.code());
            assertTrue(String.valueOf(nan.getMessage()).contains("id=5 logit=NaN"));
            assertEquals(
                    EngineException.Code.INVALID_REQUEST,
                    requireNonNull(answers.get(4).failure).code());
            assertEquals(List.of(100, 101, 102, 103, 104, 105), answers.get(6).ids());
            for (int i = 1; i < answers.size(); i += 2) {
                assertEquals(alone, answers.get(i).ids());
            }
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** More than a step takes: the others wait for a later one. */
    @Test
    void servesMoreThanOneStepTakes() throws Exception {
        try (Engine engine = open()) {
            List<GenerationStream> streams = new ArrayList<>();
            for (int i = 0; i < 2 * LogitsProcessor.MAX_ROWS + 5; i++) {
                streams.add(engine.generate(request("counts")));
            }
            for (GenerationStream stream : streams) {
                assertEquals(List.of(100, 101, 102, 103, 104, 105), Answers.read(stream).ids());
            }
        }
    }

    @Test
    void refusesNamesThatNobodyHas() throws Exception {
        try (Engine engine = open()) {
            EngineException e =
                    assertThrows(EngineException.class, () -> engine.generate(request("nobody")));
            assertEquals("logits_processors", e.param());
            assertTrue(String.valueOf(e.getMessage()).contains("counts"), e.getMessage());
            EngineException broken =
                    assertThrows(EngineException.class, () -> engine.generate(request("broken")));
            assertEquals(EngineException.Code.INTERNAL, broken.code());
            assertEquals(OUTPUT, Answers.read(engine.generate(request())).ids().size());
        }
        for (List<LogitsProcessorFactory> wrong :
                List.<List<LogitsProcessorFactory>>of(
                        List.of(COUNTS, COUNTS), List.of(new Named("a b", COUNTS.maker())))) {
            assertThrows(
                    EngineException.class,
                    () ->
                            Engine.open(folder, TinyModel.options("cpu").logitsProcessors(wrong))
                                    .close());
        }
    }
}
