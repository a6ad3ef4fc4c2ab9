package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.Engine;
import io.cortado.api.GenerationStream;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenRules;
import io.cortado.api.Xtc;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The loop's thread allocates nothing while sequences with all options decode on a device. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SamplingAllocationTest {
    private static final int OUTPUT = 900;
    private static final int WINDOW_TOKENS = 120;

    /** Until all that a step runs is compiled. */
    private static final int ROUNDS = 20;

    @TempDir Path folder;

    private static SamplingParams params(int caller) {
        SamplingParams.Builder params =
                SamplingParams.builder()
                        .temperature(0.8f)
                        .seed((long) caller)
                        .dynamicTemperature(new DynamicTemperature(0.2f, 1))
                        .penalties(new Penalties(1.1f, 0.1f, 0.1f))
                        .tokens(
                                new TokenRules(
                                        Map.of(3, 1f, 4, -100f), List.of(1, 2, 3, 5), List.of()))
                        .maxTokens(OUTPUT)
                        .minTokens(OUTPUT)
                        .stopTokenIds(List.of(2));
        switch (caller) {
            case 0 -> params.topK(3).topP(0.9f).minP(0.01f);
            case 1 -> params.xtc(new Xtc(0.5f, 0.1f));
            case 2 -> params.mirostat(new Mirostat(2, 3, 0.1f));
            default -> params.dry(new Dry(1, 1.5f, 2, -1, List.of()));
        }
        return params.build();
    }

    @Test
    void stepsWithEveryOptionWithoutAllocating() throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Engine engine =
                Engine.open(
                        TinyModel.in(folder),
                        TinyModel.options("cpu").maxModelLen(1024).maxNumSeqs(4))) {
            long loop = loopThread();
            long least = Long.MAX_VALUE;
            int windows = 0;
            for (int round = 0; round < ROUNDS && least > 0; round++) {
                List<GenerationStream> streams = new ArrayList<>();
                for (int caller = 0; caller < 4; caller++) {
                    streams.add(engine.generate(SamplingRulesTest.request(caller, params(caller))));
                }
                long start = engine.stats().generationTokens();
                awaitTokens(engine, start + 100);
                while (engine.stats().generationTokens() < start + 3000) {
                    long before = threads.getThreadAllocatedBytes(loop);
                    awaitTokens(engine, engine.stats().generationTokens() + WINDOW_TOKENS);
                    least = Math.min(least, threads.getThreadAllocatedBytes(loop) - before);
                    windows++;
                }
                streams.forEach(GenerationStream::close);
            }
            assertTrue(windows > 0);
            assertEquals(0, least, "bytes of " + WINDOW_TOKENS + " tokens");
        }
    }

    private static long loopThread() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("cortado-engine") && thread.isAlive())
                .mapToLong(Thread::threadId)
                .max()
                .orElseThrow();
    }

    private static void awaitTokens(Engine engine, long tokens) throws InterruptedException {
        while (engine.stats().generationTokens() < tokens) {
            Thread.sleep(1);
        }
    }
}
