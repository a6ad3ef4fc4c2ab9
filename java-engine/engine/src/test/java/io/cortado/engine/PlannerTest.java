package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineException.Code;
import io.cortado.api.EngineOptions;
import io.cortado.api.EnginePlan;
import io.cortado.api.PlanLoad;
import io.cortado.device.Curve;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.Rate;
import io.cortado.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlannerTest {
    @TempDir Path folder;
    @TempDir Path cache;

    private static Curve rate(Rate rate) {
        return rate instanceof Rate.Peak
                ? Curve.constant(1e12)
                : new Curve(new double[] {1, 100}, new double[] {1e-8, 5e-7});
    }

    private EnginePlan plan(EngineOptions options, int prompt, int output, int concurrency)
            throws IOException {
        ModelConfig config = ModelConfig.read(TinyModel.in(folder));
        int longest = options.maxModelLen() == 0 ? config.maxPositions() : options.maxModelLen();
        PlanLoad load = new PlanLoad(prompt, output, concurrency);
        try (Device device = Device.open("cpu", 1, "auto")) {
            RateFile file = RateFile.of(cache, device.info(), "test");
            return new Planner(
                            new OpenDevices(Placement.on(device), null),
                            folder,
                            config,
                            longest,
                            options,
                            load)
                    .plan(_ -> new RateBook(device.info(), file, false, PlannerTest::rate));
        }
    }

    private static EngineOptions options() {
        return TinyModel.options("cpu").maxModelLen(512);
    }

    private static EnginePlan.Prediction predicted(EnginePlan plan) {
        assertNull(plan.refusal());
        return Objects.requireNonNull(plan.prediction());
    }

    @Test
    void predictsByTheSchedulerThatServes() throws IOException {
        EnginePlan.Prediction one = predicted(plan(options(), 32, 8, 1));
        assertEquals(1, one.runningAtOnce());
        assertEquals(0, one.preemptions());
        assertEquals(one.ttftMs(), one.lastTtftMs());
        assertEquals(one.ttftMs() + 7 * one.tpotMs(), one.e2eMs(), 1e-3);
        double first = one.firstStep().values().stream().mapToDouble(Double::doubleValue).sum();
        assertTrue(one.ttftMs() >= first && one.ttftMs() < 1.01 * first + 0.1, one.toString());
        // Six run at once, so the seventh waits for one to end.
        EnginePlan.Prediction seven = predicted(plan(options(), 32, 8, 7));
        assertEquals(6, seven.runningAtOnce());
        assertTrue(seven.lastTtftMs() > one.e2eMs(), seven.toString());
    }

    @Test
    void growsWithTheLoad() throws IOException {
        double ttft = 0;
        for (int prompt : new int[] {1, 16, 48, 49, 300}) {
            double now = predicted(plan(options(), prompt, 8, 2)).ttftMs();
            assertTrue(now > ttft, "prompt: " + prompt);
            ttft = now;
        }
        double tpot = 0;
        double last = 0;
        for (int concurrency : new int[] {1, 2, 4, 6}) {
            EnginePlan.Prediction now = predicted(plan(options(), 8, 32, concurrency));
            assertTrue(now.tpotMs() > tpot, "concurrency: " + concurrency);
            assertTrue(now.lastTtftMs() > last, "concurrency: " + concurrency);
            tpot = now.tpotMs();
            last = now.lastTtftMs();
        }
    }

    @Test
    void tellsTheMemoryThatTheEngineThenTakes() throws Exception {
        EngineOptions options = options().kvCacheBytes(1 << 20);
        EnginePlan plan = plan(options, 16, 16, 1);
        try (Engine engine = Engine.open(folder, options)) {
            assertEquals(
                    engine.stats().blocksTotal(),
                    plan.memory().kvTokens() / engine.stats().cache().blockTokens());
            assertEquals(engine.model().parameters(), plan.parameters());
            assertEquals(engine.model().device(), plan.device());
        }
        assertEquals(2 * 2 * 2 * 64 * 4, plan.memory().kvBytesPerToken());
        assertEquals(
                plan.memory().weightBytes(),
                plan.memory().weightsByFormat().values().stream().mapToLong(x -> x).sum());
    }

    @Test
    void refusesLoadsThatDoNotFit() throws IOException {
        EnginePlan tooLong = plan(options(), 500, 13, 1);
        EnginePlan.Refusal refusal = Objects.requireNonNull(tooLong.refusal());
        assertEquals(Code.CONTEXT_LENGTH_EXCEEDED, refusal.code());
        assertEquals("--max-model-len", refusal.flag());
        assertNull(tooLong.prediction());
        assertNotNull(plan(options(), 500, 12, 1).prediction());

        EngineOptions small = options().maxModelLen(0).kvCacheBytes(4 * 16 * 2048);
        EnginePlan.Refusal full = Objects.requireNonNull(plan(small, 60, 6, 1).refusal());
        assertEquals(Code.KV_DOES_NOT_FIT, full.code());
        assertTrue(full.message().contains("needs 5 blocks"), full.message());
        assertNull(plan(small, 60, 5, 1).refusal());
    }

    /** The engine refuses what the plan refuses, before it reads a weight. */
    @Test
    void openRefusesWithTheSameWordsBeforeItReadsWeights() throws IOException {
        EngineOptions options = options().kvCacheBytes(64 * 1024);
        EnginePlan.Refusal refusal = Objects.requireNonNull(plan(options, 16, 16, 1).refusal());
        assertEquals(Code.KV_DOES_NOT_FIT, refusal.code());
        EngineException e =
                assertThrows(EngineException.class, () -> Engine.open(folder, options).close());
        assertEquals(refusal.code(), e.code());
        assertEquals(refusal.message(), e.getMessage());
        assertEquals(refusal.flag(), "--" + e.param());
    }

    @Test
    void namesTheFamilyThatItDoesNotKnow() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"nosuch\"}");
        EngineException e =
                assertThrows(
                        EngineException.class,
                        () -> Engine.plan(folder, options(), PlanLoad.defaults()));
        assertEquals(Code.UNSUPPORTED_MODEL, e.code());
        assertTrue(String.valueOf(e.getMessage()).contains("model_type=nosuch"), e.getMessage());
    }

    @Test
    void boundsWhatALoadMayAsk() {
        for (int[] wrong : new int[][] {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {1 << 25, 1, 1}}) {
            assertThrows(EngineException.class, () -> new PlanLoad(wrong[0], wrong[1], wrong[2]));
        }
        assertThrows(EngineException.class, () -> new PlanLoad(1000, 1000, 100_000));
    }
}
