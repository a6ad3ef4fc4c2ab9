package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.gang.RankMain.Command;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Ranks in processes of their own, over shared memory and over TCP. {@code
 * -Dcortado.gang.rounds=200} fails ranks that often instead of 20 times.
 */
@Timeout(value = 60, unit = TimeUnit.MINUTES)
class UcxGangTest {
    private static final int MAX_RANKS = 4;
    private static final long LONG_MILLIS = 30_000;
    private static final long SHORT_MILLIS = 1_000;
    private static final int FOREVER = 1 << 20;
    private static final int ROUNDS = Integer.getInteger("cortado.gang.rounds", 20);

    @TempDir private Path folder;

    private final List<RankProcess> pool = new ArrayList<>();

    @BeforeAll
    static void needsUcx() {
        String absence = UcxTransport.absence();
        assumeTrue(absence == null, absence);
    }

    /** How a gang is harmed. */
    private enum Harm {
        KILLED_BEFORE,
        KILLED_DURING_RENDEZVOUS,
        KILLED_BETWEEN,
        KILLED_INSIDE,
        STOPPED_INSIDE,
        OTHER_VERSION,
        OTHER_SIZE;

        boolean isTold() {
            return this == OTHER_VERSION || this == OTHER_SIZE;
        }

        boolean isEarly() {
            return this == KILLED_BEFORE || this == KILLED_DURING_RENDEZVOUS;
        }

        boolean isInside() {
            return this == KILLED_INSIDE || this == STOPPED_INSIDE;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"all", "tcp,self"})
    void ranksGetWhatWasSentThemAndSurviveTheFailureOfAny(String transports) throws Exception {
        long seed = Long.getLong("cortado.seed", 1);
        Random random = new Random(seed);
        try {
            fillPool(transports);
            for (int size : new int[] {2, 4, 3}) {
                everyByteArrives(size, place(random), random.nextLong());
            }
            for (int round = 0; round < ROUNDS / 2; round++) {
                Harm harm = Harm.values()[round % Harm.values().length];
                String what =
                        "round %d, %s over %s (re-run with -Dcortado.seed=%d)"
                                .formatted(round, harm, transports, seed);
                harm(harm, what, random);
                fillPool(transports);
            }
            everyByteArrives(MAX_RANKS, place(random), random.nextLong());
            for (RankProcess process : pool) {
                assertEquals(0, process.end());
            }
        } finally {
            pool.forEach(RankProcess::close);
        }
    }

    /** Starts what is missing; the others go on, whatever they have been through. */
    private void fillPool(String transports) throws IOException, InterruptedException {
        pool.removeIf(process -> !process.isAlive());
        List<RankProcess> started = new ArrayList<>();
        while (pool.size() < MAX_RANKS) {
            RankProcess process = new RankProcess(transports);
            pool.add(process);
            started.add(process);
        }
        for (RankProcess process : started) {
            assertEquals("READY", process.await("READY"));
        }
    }

    /** A port, or always the same folder with what earlier gangs have left in it. */
    private String place(Random random) throws IOException {
        if (random.nextBoolean()) {
            return folder.toString();
        }
        return FreePort.next().toString();
    }

    private void everyByteArrives(int size, String place, long seed) throws InterruptedException {
        for (int rank = 0; rank < size; rank++) {
            boolean large = false;
            pool.get(rank)
                    .run(
                            new Command(
                                    rank,
                                    size,
                                    place,
                                    Hello.VERSION,
                                    LONG_MILLIS,
                                    LONG_MILLIS,
                                    100,
                                    seed,
                                    large));
        }
        for (int rank = 0; rank < size; rank++) {
            assertEquals("DONE", pool.get(rank).result(), "rank " + rank + " of " + size);
        }
    }

    private void harm(Harm harm, String what, Random random) throws Exception {
        int size = 2 + random.nextInt(MAX_RANKS - 1);
        int victim = random.nextInt(size);
        String place = place(random);
        long joinMillis = harm.isEarly() ? SHORT_MILLIS : LONG_MILLIS;
        Command plain =
                new Command(
                        0,
                        size,
                        place,
                        Hello.VERSION,
                        joinMillis,
                        SHORT_MILLIS,
                        FOREVER,
                        random.nextLong(),
                        harm.isInside());
        RankProcess harmed = pool.get(victim);
        if (harm == Harm.KILLED_BEFORE) {
            harmed.kill();
        }
        for (int rank = 0; rank < size; rank++) {
            if (rank != victim || harm != Harm.KILLED_BEFORE) {
                pool.get(rank).run(command(plain, rank, rank == victim ? harm : null));
            }
        }
        switch (harm) {
            case KILLED_DURING_RENDEZVOUS -> killAfter(harmed, "JOINING", random, 60);
            case KILLED_BETWEEN -> killAfter(harmed, "BETWEEN " + random.nextInt(50), random, 1);
            case KILLED_INSIDE -> killAfter(harmed, "INSIDE " + random.nextInt(5), random, 5);
            case STOPPED_INSIDE -> {
                pauseAfter(harmed, "INSIDE " + random.nextInt(5), random, 5);
                harmed.signal("STOP");
            }
            case KILLED_BEFORE, OTHER_VERSION, OTHER_SIZE -> {}
        }
        for (int rank = 0; rank < size; rank++) {
            if (rank != victim) {
                assertFailed(harm, pool.get(rank).result(), what + ", rank " + rank);
            }
        }
        if (harm == Harm.STOPPED_INSIDE) {
            harmed.signal("CONT");
            assertFailed(harm, harmed.result(), what + ", the stopped rank " + victim);
        } else if (harm.isTold()) {
            assertFailed(harm, harmed.result(), what + ", rank " + victim);
        }
    }

    private static Command command(Command plain, int rank, @Nullable Harm harm) {
        return new Command(
                rank,
                plain.size() + (harm == Harm.OTHER_SIZE ? MAX_RANKS : 0),
                plain.place(),
                plain.version() + (harm == Harm.OTHER_VERSION ? 1 : 0),
                plain.joinMillis(),
                plain.exchangeMillis(),
                plain.exchanges(),
                plain.seed(),
                plain.large());
    }

    private static void killAfter(RankProcess process, String line, Random random, int millis)
            throws InterruptedException {
        pauseAfter(process, line, random, millis);
        process.kill();
    }

    /** A moment of its own for each round. */
    private static void pauseAfter(RankProcess process, String line, Random random, int millis)
            throws InterruptedException {
        process.await(line);
        LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(millis)));
    }

    private static void assertFailed(Harm harm, String result, String what) {
        String begin = harm.isTold() ? "FAILED MISMATCH " : "FAILED ";
        assertTrue(result.startsWith(begin), () -> what + ": " + result);
    }
}
