package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What goes wrong with one request, or with who asked for it, ends that request alone. */
class IsolationTest {
    private static final int BLOCKS = 64;
    private static final int VICTIM = 2;

    private final KvCache cache = new KvCache(BLOCKS);
    private final Door door = new Door(8, 8, 0);
    private final AtomicLong now = new AtomicLong(1);

    /** Where and how the victim's own part of the work fails. */
    enum Plant {
        WHEN_IT_COMES(() -> new IllegalStateException("planted")),
        AT_ITS_TOKEN(() -> new IllegalStateException("planted")),
        OUT_OF_MEMORY_WHEN_IT_COMES(() -> new OutOfMemoryError("planted")),
        OUT_OF_MEMORY_AT_ITS_TOKEN(() -> new OutOfMemoryError("planted")),
        TOO_DEEP_AT_ITS_TOKEN(() -> new StackOverflowError("planted"));

        private final Supplier<Throwable> fault;

        Plant(Supplier<Throwable> fault) {
            this.fault = fault;
        }

        boolean isEarly() {
            return name().endsWith("COMES");
        }

        void fail() {
            switch (fault.get()) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new AssertionError(e);
            }
        }
    }

    /** A queue that falls over when it sees the victim. */
    private record Planted(AdmissionQueue real, Plant plant) implements AdmissionQueue {
        private static boolean isVictim(Sequence sequence) {
            return sequence.seed == Seeds.ofAnswer(VICTIM, 0);
        }

        @Override
        public int size() {
            return real.size();
        }

        @Override
        public void add(Sequence sequence) {
            if (plant.isEarly() && isVictim(sequence)) {
                plant.fail();
            }
            real.add(sequence);
        }

        @Override
        public boolean remove(Sequence sequence) {
            return real.remove(sequence);
        }

        @Override
        public void begin() {
            real.begin();
        }

        @Override
        public @Nullable Sequence next() {
            return real.next();
        }

        @Override
        public void take() {
            real.take();
        }

        @Override
        public void end() {
            real.end();
        }

        @Override
        public void admitted(Sequence sequence, int promptTokens) {
            real.admitted(sequence, promptTokens);
        }

        @Override
        public void generated(Sequence sequence) {
            if (!plant.isEarly() && isVictim(sequence) && sequence.answer.size() == 3) {
                plant.fail();
            }
            real.generated(sequence);
        }

        @Override
        public void ended(Sequence sequence) {
            real.ended(sequence);
        }

        @Override
        public long victimRank(Sequence sequence) {
            return real.victimRank(sequence);
        }
    }

    private EngineLoop loop(AdmissionQueue queue) {
        return new EngineLoop(
                cache,
                Limits.of(8, 64, BLOCKS),
                queue,
                new SimulatedExecutor(1000, BLOCKS),
                door,
                now::get);
    }

    @ParameterizedTest
    @EnumSource(Plant.class)
    void aPlantedFaultFailsItsRequestAlone(Plant plant) throws InterruptedException {
        EngineLoop loop = loop(new Planted(OrderedQueue.fcfs(), plant));
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            requests.add(Requests.request(door, 20, 1, 8, i));
            loop.put(requests.getLast());
        }
        runToTheEnd(loop);
        for (int i = 0; i < requests.size(); i++) {
            EngineException failure = requests.get(i).failure();
            if (i == VICTIM) {
                assertNotNull(failure);
                assertEquals(EngineException.Code.INTERNAL, failure.code());
                assertTrue(requests.get(i).hasEnded());
            } else {
                assertNull(failure);
                assertEquals(8, requests.get(i).sequences[0].answer.size());
            }
        }
        assertEquals(0, cache.pool().used());
        assertTrue(door.awaitEmpty(0));
        assertEquals(0, door.waitingTokens());
    }

    private static void runToTheEnd(EngineLoop loop) {
        for (int i = 0; i < 1000 && loop.step(); i++) {
            assertNull(loop.failure());
        }
    }

    private RequestStream stream(EngineLoop loop, int output) {
        Request request = Requests.request(door, 20, 1, output, 1);
        loop.put(request);
        Logprobs logprobs = new Logprobs(null);
        AnswerReader reader = new AnswerReader(request.sequences[0], null, logprobs, false, null);
        return new RequestStream(request, new AnswerReader[] {reader}, logprobs, loop);
    }

    @Test
    void cancelsWhatNobodyReadsAndNothingElse() throws InterruptedException {
        long limit = TimeUnit.SECONDS.toNanos(60);
        EngineLoop loop = loop(OrderedQueue.fcfs());
        loop.limitUnread(limit);
        try (RequestStream read = stream(loop, 200);
                RequestStream unread = stream(loop, 200)) {
            loop.step();
            loop.step();
            assertInstanceOf(GenerationEvent.Started.class, unread.next());
            for (int look = 0; look < 8; look++) {
                now.addAndGet(limit / 4);
                loop.sweepReaders();
                loop.step();
                assertNotNull(read.next());
            }
            assertEquals(1, loop.counters().snapshot().guards().unread());
            assertEquals(1, loop.counters().snapshot().running());
            FinishReason reason = null;
            for (GenerationEvent e = unread.next(); e != null; e = unread.next()) {
                reason = e instanceof GenerationEvent.Finished f ? f.reason() : reason;
            }
            assertInstanceOf(FinishReason.Cancelled.class, reason);
        }
        loop.step();
        assertEquals(0, cache.pool().used());
    }
}
