package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.device.Device;
import io.cortado.gang.ForwardingTransport;
import io.cortado.gang.GangException;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import io.cortado.gang.UcxTransport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of an engine one of whose ranks is lost, and of ranks that differ. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TensorParallelFailureTest {
    private static final int CALLERS = 4;
    private static final int DEADLINE_MS = 1000;

    @TempDir Path folder;

    /** How a rank goes. */
    private enum Loss {
        /** It tells the others. */
        ABORTS,
        /** It is not heard of any more. */
        FALLS_SILENT
    }

    /** A rank that is lost in its exchange of a number; the exchanges of all ranks are counted. */
    private static final class Mortal extends ForwardingTransport {
        private final Transport[] others;
        private final Loss loss;
        private volatile long exchangesLeft;
        private volatile long exchanges;

        Mortal(Transport[] all, Loss loss, long exchangesLeft) {
            super(all[all.length - 1]);
            others = all;
            this.loss = loss;
            this.exchangesLeft = exchangesLeft;
        }

        @Override
        public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
            if (exchangesLeft <= 0) {
                if (loss == Loss.ABORTS) {
                    ranks.abort("it dies");
                }
                throw new GangException(GangException.Kind.TRANSPORT, "this rank is dead");
            }
            exchangesLeft--;
            exchanges++;
            super.exchange(kind, send, receive, deadlineNanos);
        }
    }

    /** Ranks the last of which is mortal. */
    private static GangConnector ranks(Mortal last) {
        return (rank, size, _) -> rank == size - 1 ? last : last.others[rank];
    }

    private static Mortal mortal(int size, Loss loss, long exchanges) {
        return new Mortal(InProcessGang.create(size), loss, exchanges);
    }

    private EngineOptions options(int size) {
        return TinyModel.options("cpu")
                .tensorParallelSize(size)
                .gang(GangOptions.NONE.timeoutMs(DEADLINE_MS))
                .maxNumSeqs(2);
    }

    private static List<Answers> askAll(Engine engine) throws InterruptedException {
        List<GenerationStream> streams = new ArrayList<>();
        List<Answers> all = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            try {
                streams.add(
                        engine.generate(
                                new GenerationRequest(
                                        Prompt.tokens(TinyModel.prompt(i)),
                                        TinyModel.params(i, 40))));
            } catch (EngineException e) {
                Answers refused = new Answers();
                refused.failure = e;
                all.add(refused);
            }
        }
        for (GenerationStream stream : streams) {
            all.add(Answers.read(stream));
        }
        return all;
    }

    private static void assertLost(EngineException e) {
        assertEquals(EngineException.Code.DEVICE_LOST, e.code(), e::toString);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89})
    void aRankThatEndsTheGangFailsAllRequests(long exchanges) throws Exception {
        fails(2, Loss.ABORTS, exchanges);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 4, 30})
    void aRankThatFallsSilentFailsAllRequestsOnceTheDeadlineIsOver(long exchanges)
            throws Exception {
        fails(4, Loss.FALLS_SILENT, exchanges);
    }

    private void fails(int size, Loss loss, long exchanges) throws Exception {
        TinyModel.in(folder);
        GangConnector ranks = ranks(mortal(size, loss, exchanges));
        try (Engine engine = CortadoEngineProvider.open(folder, options(size), ranks)) {
            List<Answers> all = askAll(engine);
            assertEquals(CALLERS, all.size());
            for (Answers answers : all) {
                assertNotNull(answers.failure);
                assertLost(answers.failure);
            }
            EngineException failure = engine.failure();
            assertNotNull(failure);
            assertLost(failure);
            assertLost(
                    assertThrows(
                            EngineException.class,
                            () ->
                                    engine.generate(
                                            new GenerationRequest(
                                                    Prompt.tokens(TinyModel.prompt(0)),
                                                    TinyModel.params(0, 1)))));
        }
    }

    @Test
    void anEngineThatHasNothingToDoKeepsItsRanksAndNoticesTheirEnd() throws Exception {
        TinyModel.in(folder);
        Mortal mortal = mortal(2, Loss.ABORTS, Long.MAX_VALUE);
        EngineOptions options = options(2).gang(GangOptions.NONE.timeoutMs(3 * DEADLINE_MS));
        try (Engine engine = CortadoEngineProvider.open(folder, options, ranks(mortal))) {
            askAll(engine).forEach(answers -> assertNull(answers.failure));
            long idle = mortal.exchanges + 9; // more than two deadlines
            while (mortal.exchanges < idle && engine.failure() == null) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
            }
            assertNull(engine.failure());
            askAll(engine).forEach(answers -> assertNull(answers.failure));
            mortal.exchangesLeft = 0;
            while (engine.failure() == null) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
            }
            assertLost(engine.failure());
        }
    }

    @Test
    void theFirstRanksDeviceMayFailAnywhere() throws Exception {
        TinyModel.in(folder);
        int failures = 0;
        for (long call = 1; ; call += 29) {
            AtomicReference<Device> device = new AtomicReference<>();
            long at = call;
            boolean isOver;
            try (Engine engine =
                    CortadoEngineProvider.open(
                            folder,
                            options(2),
                            opened -> {
                                device.set(opened);
                                opened.injectFault(at);
                            },
                            executor -> executor)) {
                List<Answers> all = askAll(engine);
                isOver = all.stream().allMatch(answers -> answers.failure == null);
                for (Answers answers : all) {
                    if (answers.failure != null) {
                        assertLost(answers.failure);
                    }
                }
            } catch (EngineException e) {
                assertLost(e);
                isOver = false;
            }
            assertTrue(device.get().isClosed(), "handles are left at call " + call);
            if (isOver) {
                break;
            }
            failures++;
        }
        assertTrue(failures > 20, "failures: " + failures);
    }

    /** One of two processes. */
    private EngineOptions process(int rank, String rendezvous) {
        return options(2).gang(GangOptions.NONE.process(rank, 2, rendezvous));
    }

    /** A follower as a process has it, on a thread here. */
    private CompletableFuture<Void> follow(EngineOptions options, GangConnector connector) {
        CompletableFuture<Void> end = new CompletableFuture<>();
        Thread.ofPlatform()
                .daemon()
                .start(() -> {
                    try {
                        CortadoEngineProvider.follow(folder, options, connector);
                        end.complete(null);
                    } catch (RuntimeException | Error e) {
                        end.completeExceptionally(e);
                    }
                });
        return end;
    }

    @Test
    void ranksMayBeProcessesOfTheirOwn() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        servesWithAFollower("here", (rank, _, _) -> ranks[rank]);
    }

    @Test
    void ranksMayMeetInAFolder(@TempDir Path meeting) throws Exception {
        String absence = UcxTransport.absence();
        assumeTrue(absence == null, absence);
        EngineOptions options = options(2);
        GangOptions gang = GangOptions.NONE.process(0, 2, meeting.toString());
        servesWithAFollower(meeting.toString(), GangConnector.of(options.gang(gang)));
    }

    private void servesWithAFollower(String rendezvous, GangConnector connector) throws Exception {
        TinyModel.in(folder);
        List<List<Integer>> expected = new ArrayList<>();
        try (Engine engine = Engine.open(folder, options(1))) {
            askAll(engine).forEach(answers -> expected.add(answers.ids()));
        }
        CompletableFuture<Void> follower = follow(process(1, rendezvous).threads(1), connector);
        EngineOptions options = process(0, rendezvous);
        try (Engine engine = CortadoEngineProvider.open(folder, options, connector)) {
            List<List<Integer>> got = new ArrayList<>();
            askAll(engine).forEach(answers -> got.add(answers.ids()));
            assertEquals(expected, got);
            assertFalse(follower.isDone());
        }
        follower.get(60, TimeUnit.SECONDS);
    }

    @Test
    void ranksWithOtherOptionsAreRefused() throws IOException {
        TinyModel.in(folder);
        Transport[] ranks = InProcessGang.create(2);
        GangConnector connector = (rank, _, _) -> ranks[rank];
        CompletableFuture<Void> follower = follow(process(1, "here").maxNumSeqs(3), connector);
        EngineOptions options = process(0, "here");
        EngineException refused =
                assertThrows(
                        EngineException.class,
                        () -> CortadoEngineProvider.open(folder, options, connector).close());
        assertTrue(
                String.valueOf(refused.getMessage()).contains("runs another model or options"),
                refused::toString);
        assertThrows(ExecutionException.class, follower::get);
    }
}
