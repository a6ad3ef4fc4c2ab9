package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ranks that serve: those that ask have threads, those that serve have steps. */
@Timeout(60)
class InProcessServeTest {
    private static final long LONG = 30_000_000_000L;
    private static final long SHORT = 100_000_000L;
    private static final int ASK = 1;
    private static final int ANSWER = 2;
    private static final int ROUNDS = 200;

    /** Answers each rank that asks with the bytes that it sent, each plus this rank. */
    private static class Adds implements ExchangeSteps {
        final Set<Thread> callers = ConcurrentHashMap.newKeySet();
        private final Transport rank;
        private final int asking;
        private final long most;
        private final Parts asked;
        private final Parts answers;
        private final Parts nothing;
        private final boolean isOnCaller;
        private int left = 2 * ROUNDS;

        Adds(Transport rank, int asking, long most, boolean isOnCaller) {
            this.rank = rank;
            this.asking = asking;
            this.most = most;
            this.isOnCaller = isOnCaller;
            int size = rank.size();
            asked = Parts.even(memory(size * most), size, most);
            answers = Parts.even(memory(size * most), size, most);
            nothing = new Parts(MemorySegment.NULL, size);
        }

        private boolean isAsk() {
            return left % 2 == 0;
        }

        @Override
        public int kind() {
            return isAsk() ? ASK : ANSWER;
        }

        @Override
        public Parts send() {
            return isAsk() ? nothing : answers;
        }

        @Override
        public Parts receive() {
            return isAsk() ? asked : nothing;
        }

        @Override
        public boolean next() {
            callers.add(Thread.currentThread());
            for (int from = 0; from < asking && isAsk(); from++) {
                assertEquals(most, asked.bytes(from));
                for (long i = 0; i < most; i++) {
                    byte value = asked.memory().get(ValueLayout.JAVA_BYTE, asked.offset(from) + i);
                    answers.memory()
                            .set(
                                    ValueLayout.JAVA_BYTE,
                                    answers.offset(from) + i,
                                    (byte) (value + rank.rank()));
                }
                answers.fill(from, most);
            }
            left--;
            return left > 0;
        }

        @Override
        public boolean computesOnCaller() {
            return isOnCaller;
        }
    }

    private static MemorySegment memory(long bytes) {
        return Arena.ofAuto().allocate(bytes, 8);
    }

    private static long ask(Transport rank, int asking, long most) {
        int size = rank.size();
        Parts questions = Parts.even(memory(size * most), size, most);
        Parts answers = Parts.even(memory(size * most), size, most);
        Parts nothing = new Parts(MemorySegment.NULL, size);
        long wrong = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte value = (byte) (3 * round + rank.rank());
            questions.memory().fill(value);
            for (int to = asking; to < size; to++) {
                questions.fill(to, most);
            }
            rank.exchange(ASK, questions, nothing, LONG);
            questions.memory().fill((byte) 0x55);
            rank.exchange(ANSWER, nothing, answers, LONG);
            for (int from = asking; from < size; from++) {
                assertEquals(most, answers.bytes(from));
                for (long i = 0; i < most; i++) {
                    byte came =
                            answers.memory().get(ValueLayout.JAVA_BYTE, answers.offset(from) + i);
                    wrong += came == (byte) (value + from) ? 0 : 1;
                }
            }
        }
        return wrong;
    }

    @ParameterizedTest
    @CsvSource({
        "1, 3, 40, true",
        "2, 2, 40, true",
        "1, 1, 70000, true",
        "2, 1, 70000, true",
        "2, 2, 40, false"
    })
    void bringsAnswers(int asking, int serving, long most, boolean isOnCaller) throws Exception {
        Transport[] ranks = InProcessGang.create(asking + serving);
        List<Adds> all = new ArrayList<>();
        List<Thread> servers = new ArrayList<>();
        List<Future<Long>> wrong = new ArrayList<>();
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            List<Future<?>> ends = new ArrayList<>();
            for (int rank = asking; rank < ranks.length; rank++) {
                Transport own = ranks[rank];
                Adds adds = new Adds(own, asking, most, isOnCaller);
                all.add(adds);
                ends.add(
                        threads.submit(() -> {
                            synchronized (servers) {
                                servers.add(Thread.currentThread());
                            }
                            own.serve(adds, LONG);
                        }));
            }
            for (int rank = 0; rank < asking; rank++) {
                Transport own = ranks[rank];
                wrong.add(threads.submit(() -> ask(own, asking, most)));
            }
            for (Future<Long> one : wrong) {
                assertEquals(0, one.get());
            }
            for (Future<?> end : ends) {
                end.get();
            }
        }
        for (Adds adds : all) {
            assertEquals(0, adds.left);
            boolean isByServer = servers.stream().anyMatch(adds.callers::contains);
            assertEquals(!isOnCaller, isByServer, "whose thread took steps");
        }
    }

    /** What a step throws ends its rank, which tells the others. */
    @Test
    void aStepThatFailsEndsItsRankAlone() throws Exception {
        GangException told =
                askOneThat(
                        rank ->
                                new Adds(rank, 1, 40, true) {
                                    @Override
                                    public boolean next() {
                                        throw new IllegalStateException("this step fails");
                                    }
                                },
                        IllegalStateException.class,
                        LONG);
        assertEquals(GangException.Kind.ABORTED, told.kind());
    }

    private static GangException askOneThat(
            Function<Transport, ExchangeSteps> steps,
            Class<? extends Throwable> ends,
            long deadline)
            throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<?> end =
                    threads.submit(() -> {
                        try {
                            ranks[1].serve(steps.apply(ranks[1]), deadline);
                        } finally {
                            ranks[1].abort("its steps are over");
                        }
                    });
            GangException told = assertThrows(GangException.class, () -> ask(ranks[0], 1, 40));
            ExecutionException e = assertThrows(ExecutionException.class, end::get);
            assertInstanceOf(ends, e.getCause());
            return told;
        }
    }

    @Test
    void whoServesWaitsForNobodyLonger() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        GangException late =
                assertThrows(
                        GangException.class,
                        () -> ranks[1].serve(new Adds(ranks[1], 1, 40, true), SHORT));
        assertEquals(GangException.Kind.DEADLINE, late.kind());
        assertTrue(late.toString().contains("rank 1 waited 100 ms for rank 0"), late.toString());
    }

    @Test
    void whoServesIsToldThatTheGangHasFailed() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<?> end =
                    threads.submit(() -> ranks[1].serve(new Adds(ranks[1], 1, 40, true), LONG));
            ranks[0].close();
            ExecutionException e = assertThrows(ExecutionException.class, end::get);
            GangException why = assertInstanceOf(GangException.class, e.getCause());
            assertEquals(GangException.Kind.ABORTED, why.kind());
        }
    }
}
