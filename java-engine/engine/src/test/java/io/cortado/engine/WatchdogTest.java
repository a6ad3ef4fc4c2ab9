package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.SamplingParams;
import io.cortado.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WatchdogTest {
    private static final int BLOCKS = 16;
    private static final long LIMIT = TimeUnit.SECONDS.toNanos(16);
    private static final long LOOK = TimeUnit.SECONDS.toNanos(1);

    private final CountDownLatch blocked = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);
    private final AtomicLong now = new AtomicLong(1);
    private final Door door = new Door(2, 4, 0);

    @TempDir java.nio.file.Path folder;

    /** A device that does not come back from one of its calls. */
    private final class Stuck extends SimulatedExecutor {
        private final boolean inSubmit;
        private int calls = 3;

        Stuck(boolean inSubmit) {
            super(1000, BLOCKS);
            this.inSubmit = inSubmit;
        }

        @Override
        public void submit(Batch batch, KvCache cache) {
            super.submit(batch, cache);
            block(inSubmit);
        }

        @Override
        public void await(Batch batch) {
            super.await(batch);
            block(!inSubmit);
        }

        private void block(boolean here) {
            if (here && --calls == 0) {
                blocked.countDown();
                uninterrupted(released);
            }
        }
    }

    private static void uninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private EngineLoop loop(Executor executor) {
        return new EngineLoop(
                new KvCache(BLOCKS),
                Limits.of(2, 64, BLOCKS),
                OrderedQueue.fcfs(),
                executor,
                door,
                now::get);
    }

    private List<Request> requests(EngineLoop loop, int count) {
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            door.enter(1, 20);
            RequestSpec spec = Requests.spec(Requests.prompt(20), 1, 30, i);
            requests.add(new Request(spec, "req-" + i + "\n", door, 1));
            loop.put(requests.getLast());
        }
        return requests;
    }

    private boolean lookAfter(Watchdog watchdog, long nanos) {
        now.addAndGet(nanos);
        return watchdog.look();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void endsTheEngineWhenAStepIsStuckAndTheLoopTouchesNothingAfter(boolean inSubmit)
            throws Exception {
        EngineLoop loop = loop(new Stuck(inSubmit));
        Watchdog watchdog = new Watchdog(loop, LIMIT, now::get);
        List<Request> requests = requests(loop, 4); // two run, two wait
        Thread thread = Thread.ofPlatform().start(loop);
        blocked.await();
        for (int i = 0; i < 8; i++) {
            assertFalse(loop.watch().isSlow());
            assertTrue(lookAfter(watchdog, LOOK));
        }
        assertTrue(lookAfter(watchdog, LOOK));
        assertTrue(loop.counters().snapshot().guards().isStepSlow());
        assertEquals(8 * LOOK, loop.counters().snapshot().guards().stepAgeNanos());
        assertNull(loop.failure());
        for (int i = 0; i < 7; i++) {
            assertTrue(lookAfter(watchdog, LOOK));
        }
        assertFalse(lookAfter(watchdog, LOOK));
        EngineException why = loop.failure();
        assertNotNull(why);
        assertEquals(EngineException.Code.DEVICE_LOST, why.code());
        String told = String.valueOf(why.getMessage());
        assertTrue(told.contains("sequences=2 "), told);
        assertTrue(told.contains("step_ms=16000 step-timeout-ms=16000"), told);
        assertTrue(told.endsWith("requests=[req-0? req-1?]"), told);
        for (Request request : requests) {
            assertEquals(why, request.failure());
            assertTrue(request.hasEnded());
        }
        assertThrows(EngineException.class, door::requireOpen);
        assertTrue(door.awaitEmpty(0));
        assertEquals(0, loop.counters().snapshot().blocksUsed());
        assertEquals(1, loop.counters().snapshot().guards().slowSteps());
        released.countDown();
        thread.join();
        assertEquals(why, loop.failure());
        assertEquals(0, loop.counters().snapshot().blocksUsed());
    }

    @Test
    void takesNoStoppedProcessForAStuckStep() throws Exception {
        EngineLoop loop = loop(new Stuck(false));
        Watchdog watchdog = new Watchdog(loop, LIMIT, now::get);
        Request request = requests(loop, 1).getFirst();
        Thread thread = Thread.ofPlatform().start(loop);
        blocked.await();
        watchdog.look();
        assertTrue(lookAfter(watchdog, TimeUnit.HOURS.toNanos(1)));
        assertEquals(2 * LOOK, loop.watch().ageNanos());
        assertFalse(loop.watch().isSlow());
        released.countDown();
        while (!request.hasEnded()) {
            Thread.sleep(1);
        }
        assertNull(request.failure());
        loop.close();
        thread.join();
        assertFalse(watchdog.look());
    }

    @Test
    void tellsTheFlightRecorder() throws Exception {
        try (Recording recording = new Recording()) {
            recording.start();
            EngineLoop loop = loop(new Stuck(false));
            Watchdog watchdog = new Watchdog(loop, LIMIT, now::get);
            requests(loop, 1);
            Thread.ofPlatform().daemon().start(loop);
            blocked.await();
            while (lookAfter(watchdog, LOOK)) {
                assertNull(loop.failure());
            }
            recording.stop();
            java.nio.file.Path file = folder.resolve("stuck.jfr");
            recording.dump(file);
            List<RecordedEvent> events =
                    RecordingFile.readAllEvents(file).stream()
                            .filter(e -> e.getEventType().getName().equals("io.cortado.StuckStep"))
                            .toList();
            assertEquals(2, events.size());
            assertEquals(1, events.stream().filter(e -> e.getBoolean("isGivenUp")).count());
            assertTrue(events.getFirst().getString("content").contains("requests=[req-0?]"));
        }
        released.countDown();
    }

    @Test
    void closingInAStepThatTakesLongTellsEveryRequest() throws Exception {
        EngineLoop loop = loop(new Stuck(false));
        Request request = requests(loop, 1).getFirst();
        Thread thread = Thread.ofPlatform().start(loop);
        blocked.await();
        loop.close();
        EngineException closed = new EngineException(EngineException.Code.CLOSED, "closed");
        assertTrue(loop.giveUp(loop.watch().call(), closed));
        assertFalse(loop.giveUp(loop.watch().call(), closed));
        assertEquals(closed, request.failure());
        assertNull(loop.failure(), "to be closed is no fault");
        released.countDown();
        thread.join();
    }

    /** The whole engine: its own clock, its own threads, the device's memory. */
    private static final class Stopping implements Executor {
        private final Executor device;
        private final CountDownLatch released;
        final CountDownLatch closed = new CountDownLatch(1);
        private int steps = 5;

        Stopping(Executor device, CountDownLatch released) {
            this.device = device;
            this.released = released;
        }

        @Override
        public void submit(Batch batch, KvCache cache) {
            device.submit(batch, cache);
        }

        @Override
        public void await(Batch batch) {
            device.await(batch);
            if (--steps == 0) {
                uninterrupted(released);
            }
        }

        @Override
        public void close() {
            device.close();
            closed.countDown();
        }
    }

    @Test
    void anEngineThatIsStuckFailsItsCallersAndCloses() throws Exception {
        List<Stopping> made = new ArrayList<>();
        Engine engine =
                DemoEngine.open(
                        DemoEngine.options().stepTimeoutMs(200),
                        device -> {
                            made.add(new Stopping(device, released));
                            return made.getFirst();
                        });
        Answers answers =
                DemoEngine.ask(
                        engine,
                        Requests.prompt(3),
                        SamplingParams.greedy(40).toBuilder().ignoreEos(true).build());
        assertNotNull(answers.failure);
        assertEquals(EngineException.Code.DEVICE_LOST, answers.failure.code());
        assertNotNull(engine.failure());
        engine.close();
        assertEquals(1, made.getFirst().closed.getCount(), "the device may still write");
        released.countDown();
        made.getFirst().closed.await();
    }
}
