package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.ExpertLoad;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ExpertLoadsTest {
    private static final int LAYERS = 5;
    private static final int EXPERTS = 8;
    private static final int TOP_K = 2;
    private static final int OUTPUT = 6;

    /** Once the loop has told all it knows. */
    static List<ExpertLoad> await(Engine engine, long total) throws InterruptedException {
        for (int i = 0; i < 500 && engine.expertLoads().getLast().total() < total; i++) {
            Thread.sleep(10);
        }
        return engine.expertLoads();
    }

    /** Three at once: a graph's batch is filled up to four. The last token is not computed. */
    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void everyLayerCountsEachComputedTokenOncePerExpertOfIt(String device) throws Exception {
        Devices.assumePresent(device);
        Path model = DemoEngine.moeFolder();
        EngineOptions options =
                DemoEngine.options().device(device).maxModelLen(128).prefixCaching(false);
        SamplingParams params = SamplingParams.greedy(OUTPUT).toBuilder().ignoreEos(true).build();
        try (Engine engine = Engine.open(model, options)) {
            List<GenerationStream> streams = new ArrayList<>();
            long computed = 0;
            for (DemoEngine.Golden golden : DemoEngine.goldens(model).subList(0, 3)) {
                computed += golden.prompt().length + OUTPUT - 1;
                streams.add(
                        engine.generate(
                                new GenerationRequest(Prompt.tokens(golden.prompt()), params)));
            }
            for (GenerationStream stream : streams) {
                assertNull(Answers.read(stream).failure);
            }
            List<ExpertLoad> loads = await(engine, computed * TOP_K);
            assertEquals(
                    IntStream.range(0, LAYERS).boxed().toList(),
                    loads.stream().map(ExpertLoad::layer).toList());
            for (ExpertLoad load : loads) {
                assertEquals(EXPERTS, load.tokens().size());
                assertEquals(computed * TOP_K, load.total(), load.toString());
                assertTrue(load.most() <= computed, load.toString());
                assertTrue(load.imbalance() > 1 && load.imbalance() <= EXPERTS, load.toString());
            }
        }
    }

    @Test
    void comeAlongWithStepsWhileTheEngineIsBusy() throws Exception {
        SamplingParams endless = SamplingParams.greedy(1500).toBuilder().ignoreEos(true).build();
        try (Engine engine = Engine.open(DemoEngine.moeFolder(), DemoEngine.options());
                GenerationStream stream =
                        engine.generate(
                                new GenerationRequest(
                                        Prompt.tokens(Requests.prompt(5)), endless))) {
            long last = 0;
            int growths = 0;
            for (int i = 0; i < 1000 && growths < 2; i++) {
                assertTrue(engine.stats().running() <= 1);
                long now = engine.expertLoads().getFirst().total();
                assertTrue(now >= last);
                growths += now > last ? 1 : 0;
                last = now;
                Thread.sleep(10);
            }
            assertEquals(2, growths, "counts that came while it ran");
            stream.cancel();
        }
    }

    @Test
    void aDenseModelHasNone() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options().maxModelLen(64))) {
            assertEquals(List.of(), engine.expertLoads());
        }
    }

    @Test
    void imbalanceIsTheLargestOverTheMean() {
        assertEquals(1, new ExpertLoad(0, List.of(3L, 3L, 3L)).imbalance());
        assertEquals(2, new ExpertLoad(0, List.of(0L, 8L, 4L, 4L)).imbalance());
        assertEquals(4, new ExpertLoad(0, List.of(0L, 0L, 7L, 0L)).imbalance());
        assertEquals(1, new ExpertLoad(0, List.of(0L, 0L)).imbalance());
    }
}
