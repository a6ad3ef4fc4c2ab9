package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Many callers at once, and what goes wrong among them. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineUnderLoadTest {
    private static final int CALLERS = 64;
    private static final int VICTIM = 5;

    private static int[] prompt(int caller) {
        int[] prompt = Requests.prompt(5 + caller % 40);
        prompt[0] = 300 + caller;
        return prompt;
    }

    private static SamplingParams params(int caller) {
        return SamplingParams.builder()
                .temperature(caller % 2)
                .seed((long) caller)
                .maxTokens(40)
                .ignoreEos(true)
                .build();
    }

    private static <T> List<T> atOnce(Engine engine, int callers, Caller<T> caller)
            throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            CountDownLatch start = new CountDownLatch(callers);
            List<Future<T>> futures = new ArrayList<>();
            for (int i = 0; i < callers; i++) {
                int at = i;
                Callable<T> task =
                        () -> {
                            start.countDown();
                            start.await();
                            return caller.call(engine, at);
                        };
                futures.add(threads.submit(task));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> future : futures) {
                results.add(future.get());
            }
            return results;
        }
    }

    private interface Caller<T> {
        T call(Engine engine, int caller) throws Exception;
    }

    private static Answers ask(Engine engine, int caller) throws InterruptedException {
        return DemoEngine.ask(engine, prompt(caller), params(caller));
    }

    @ParameterizedTest
    @EnumSource
    void sharesBatchesAndGivesEachCallerTheTokensOfARunAlone(DemoEngine.Model model)
            throws Exception {
        try (Engine engine = model.open(DemoEngine.options())) {
            List<Answers> together = atOnce(engine, CALLERS, EngineUnderLoadTest::ask);
            assertTrue(engine.stats().meanBatch() > 16, () -> "" + engine.stats());
            for (int i = 0; i < CALLERS; i++) {
                assertEquals(ask(engine, i).ids(), together.get(i).ids(), "caller " + i);
            }
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    @Test
    void freesTheBlocksOfCancelledCallersAndLeavesTheOthersAlone() throws Exception {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random random = new Random(seed);
        int[] cancelAfter = new int[CALLERS];
        for (int i = 0; i < 20; i++) {
            cancelAfter[i * 3] = 1 + random.nextInt(30);
        }
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            List<Answers> got =
                    atOnce(engine, CALLERS, (e, i) -> askAndLeave(e, i, cancelAfter[i]));
            for (int i = 0; i < CALLERS; i++) {
                assertNull(got.get(i).failure);
                if (cancelAfter[i] == 0) {
                    assertEquals(40, got.get(i).ids().size(), "cortado.seed=" + seed);
                }
            }
            long cancelled =
                    got.stream().filter(a -> a.reason() instanceof FinishReason.Cancelled).count();
            assertTrue(cancelled > 0, "nobody was cancelled, cortado.seed=" + seed);
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine), "cortado.seed=" + seed);
        }
    }

    private static Answers askAndLeave(Engine engine, int caller, int cancelAfter)
            throws InterruptedException {
        GenerationStream stream =
                engine.generate(
                        new GenerationRequest(Prompt.tokens(prompt(caller)), params(caller)));
        return Answers.read(cancelAfter == 0 ? stream : new Leaving(stream, cancelAfter));
    }

    /** Cancels after some events and reads on. */
    private static final class Leaving implements GenerationStream {
        private final GenerationStream stream;
        private int left;

        Leaving(GenerationStream stream, int events) {
            this.stream = stream;
            left = events;
        }

        @Override
        public @Nullable GenerationEvent next() throws InterruptedException {
            if (--left == 0) {
                stream.cancel();
            }
            return stream.next();
        }

        @Override
        public void cancel() {
            stream.cancel();
        }

        @Override
        public void close() {
            stream.close();
        }
    }

    @Test
    void endsEveryStreamWithAClearEventWhenClosed() throws Exception {
        Engine engine = DemoEngine.open(DemoEngine.options());
        Thread.startVirtualThread(() -> {
            while (engine.stats().generationTokens() < 200) {
                Thread.yield();
            }
            engine.close();
        });
        SamplingParams endless =
                SamplingParams.builder().maxTokens(Integer.MAX_VALUE).ignoreEos(true).build();
        List<Answers> got =
                atOnce(engine, CALLERS, (e, i) -> DemoEngine.ask(e, Requests.prompt(3), endless));
        for (Answers answers : got) {
            assertNotNull(answers.failure);
            assertEquals(EngineException.Code.CLOSED, answers.failure.code());
        }
        EngineException e = assertThrows(EngineException.class, () -> ask(engine, 0));
        assertEquals(EngineException.Code.CLOSED, e.code());
    }

    @Test
    void failsOnlyTheRequestWhoseLogitsAreNotFinite() throws Exception {
        Engine engine = DemoEngine.open(DemoEngine.options(), BadIds::new);
        try (engine) {
            List<Answers> got = atOnce(engine, 16, EngineUnderLoadTest::ask);
            assertOnlyTheVictimFails(got, EngineException.Code.NOT_FINITE);
            assertEquals(ask(engine, 1).ids(), got.get(1).ids());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    private static void assertOnlyTheVictimFails(List<Answers> got, EngineException.Code code) {
        for (int i = 0; i < got.size(); i++) {
            EngineException failure = got.get(i).failure;
            if (i == VICTIM) {
                assertNotNull(failure);
                assertEquals(code, failure.code());
            } else {
                assertNull(failure);
                assertEquals(40, got.get(i).ids().size());
            }
        }
    }

    private static boolean isVictim(Sequence sequence) {
        return sequence.prompt[0] == 300 + VICTIM;
    }

    /** Gives the victim's 30th token an id that makes its hidden state NaN. */
    private record BadIds(Executor device) implements Executor {
        @Override
        public void submit(Batch batch, KvCache cache) {
            for (int i = 0; i < batch.numSeqs(); i++) {
                int first = batch.cuSeqlensQ[i];
                if (isVictim(batch.sequence(i)) && batch.positions[first] == 30) {
                    batch.ids[first] = -1;
                    batch.fedRows[first] = Batch.KNOWN;
                }
            }
            device.submit(batch, cache);
        }

        @Override
        public void await(Batch batch) {
            device.await(batch);
        }

        @Override
        public void close() {
            device.close();
        }
    }

    @Test
    void failsOnlyTheRequestWhoseTextCannotBeMade() throws Exception {
        Engine engine = DemoEngine.open(DemoEngine.options(), OddTokens::new);
        try (engine) {
            List<Answers> got = atOnce(engine, 8, EngineUnderLoadTest::askWithStop);
            assertOnlyTheVictimFails(got, EngineException.Code.INTERNAL);
            assertNull(engine.failure());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    private static Answers askWithStop(Engine engine, int caller) throws InterruptedException {
        SamplingParams stopping =
                params(caller).toBuilder().stop(List.of("never in this text")).build();
        return DemoEngine.ask(engine, prompt(caller), stopping);
    }

    /** Draws an id for the victim that is no token. */
    private record OddTokens(Executor device) implements Executor {
        @Override
        public void submit(Batch batch, KvCache cache) {
            device.submit(batch, cache);
        }

        @Override
        public void await(Batch batch) {
            device.await(batch);
            for (int row = 0; row < batch.numRows(); row++) {
                if (isVictim(batch.sequence(batch.rowSequence[row]))) {
                    batch.token[row] = 1 << 30;
                }
            }
        }

        @Override
        public void close() {
            device.close();
        }
    }

    @Test
    void failsEveryRequestAndTakesNoMoreWhenTheDeviceFails() throws Exception {
        Engine engine = DemoEngine.open(DemoEngine.options(), Dying::new);
        try (engine) {
            for (Answers answers : atOnce(engine, 8, EngineUnderLoadTest::ask)) {
                assertNotNull(answers.failure);
                assertEquals(EngineException.Code.INTERNAL, answers.failure.code());
            }
            EngineException e = assertThrows(EngineException.class, () -> ask(engine, 0));
            assertEquals(EngineException.Code.INTERNAL, e.code());
        }
    }

    private static final class Dying implements Executor {
        private final Executor device;
        private int steps = 10;

        Dying(Executor device) {
            this.device = device;
        }

        @Override
        public void submit(Batch batch, KvCache cache) {
            device.submit(batch, cache);
        }

        @Override
        public void await(Batch batch) {
            device.await(batch);
            if (--steps == 0) {
                throw new IllegalStateException("the device fell over");
            }
        }

        @Override
        public void close() {
            device.close();
        }
    }

    @Test
    void refusesWhatWouldWaitBeyondTheBoundAndDrains() throws Exception {
        var options = DemoEngine.options().maxNumSeqs(1).maxWaiting(1);
        try (Engine engine = DemoEngine.open(options)) {
            var request =
                    new GenerationRequest(
                            Prompt.tokens(1, 2),
                            SamplingParams.greedy(200).toBuilder().ignoreEos(true).build());
            GenerationStream first = engine.generate(request);
            while (engine.stats().running() == 0) {
                Thread.sleep(1);
            }
            GenerationStream second = engine.generate(request);
            EngineException full =
                    assertThrows(EngineException.class, () -> engine.generate(request).close());
            assertEquals(EngineException.Code.QUEUE_FULL, full.code());
            assertFalse(engine.drain(1));
            EngineException drains =
                    assertThrows(EngineException.class, () -> engine.generate(request).close());
            assertEquals(EngineException.Code.CLOSED, drains.code());
            second.cancel();
            assertEquals(200, Answers.read(first).ids().size());
            assertTrue(engine.drain(10_000));
        }
    }

    @Test
    void cancelsTheRequestOfAnInterruptedCaller() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            CountDownLatch running = new CountDownLatch(3);
            CountDownLatch interrupted = new CountDownLatch(1);
            Thread caller =
                    Thread.startVirtualThread(
                            () -> readUntilInterrupted(engine, running, interrupted));
            running.await();
            caller.interrupt();
            interrupted.await();
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    @SuppressWarnings("try") // left open on purpose: the interrupt alone must free it
    private static void readUntilInterrupted(
            Engine engine, CountDownLatch running, CountDownLatch interrupted) {
        SamplingParams params = SamplingParams.greedy(400).toBuilder().ignoreEos(true).build();
        GenerationStream stream =
                engine.generate(new GenerationRequest(Prompt.tokens(1, 2, 3), params));
        try {
            while (stream.next() != null) {
                running.countDown();
            }
        } catch (InterruptedException _) {
            interrupted.countDown();
        }
    }
}
