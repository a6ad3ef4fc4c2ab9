package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ranks over UCX, for once within one process. */
@Timeout(120)
class UcxTransportTest {
    private static final int SIZE = 2;
    private static final long LARGE = 1_000_000;
    private static final long LONG = TimeUnit.SECONDS.toNanos(60);

    @TempDir private Path folder;

    private final ExecutorService threads = Executors.newFixedThreadPool(SIZE);
    private final List<Transport> ranks = new ArrayList<>();

    @BeforeAll
    static void needsUcx() {
        String absence = UcxTransport.absence();
        assumeTrue(absence == null, absence);
    }

    @BeforeEach
    void join() throws Exception {
        List<Future<Transport>> joining = new ArrayList<>();
        for (int rank = 0; rank < SIZE; rank++) {
            var settings =
                    new GangSettings(rank, SIZE, new GangSettings.Place.Folder(folder.toString()));
            joining.add(threads.submit(() -> Rendezvous.join(settings, new byte[0], 50, LONG)));
        }
        for (Future<Transport> rank : joining) {
            ranks.add(rank.get());
        }
    }

    @AfterEach
    void close() {
        ranks.forEach(Transport::close);
        threads.close();
    }

    /** Each rank sends each its own number. */
    private static long exchange(Transport rank, int kind, long deadlineNanos) {
        try (Arena arena = Arena.ofConfined()) {
            Parts send = new Parts(arena.allocate(8, 8), SIZE);
            Parts receive = Parts.even(arena.allocate(8L * SIZE, 8), SIZE, 8);
            send.memory().set(ValueLayout.JAVA_LONG, 0, rank.rank() + 10);
            for (int peer = 0; peer < SIZE; peer++) {
                send.set(peer, 0, 8);
                send.fill(peer, 8);
            }
            rank.exchange(kind, send, receive, deadlineNanos);
            long sum = 0;
            for (int peer = 0; peer < SIZE; peer++) {
                assertEquals(8, receive.bytes(peer));
                long value = receive.memory().getAtIndex(ValueLayout.JAVA_LONG, peer);
                assertEquals(peer + 10, value);
                sum += value;
            }
            return sum;
        }
    }

    @Test
    void ranksOfOneProcessExchange() throws Exception {
        for (int i = 0; i < 100; i++) {
            Future<Long> other = threads.submit(() -> exchange(ranks.get(1), 3, LONG));
            assertEquals(21, exchange(ranks.get(0), 3, LONG));
            assertEquals(21, other.get());
        }
        assertEquals(1, ranks.get(1).rank());
        assertEquals(SIZE, ranks.get(1).size());
    }

    /**
     * What one sends lies in memory that its peer reads, and is the rank's own again afterwards.
     */
    @Test
    void partsInMemoryOfTheTransportArrive() throws Exception {
        List<MemorySegment> memory = new ArrayList<>();
        for (Transport rank : ranks) {
            memory.add(rank.allocate(3 * LARGE));
        }
        for (int i = 0; i < 20; i++) {
            byte round = (byte) (2 * i);
            Future<?> other = threads.submit(() -> sendLarge(ranks.get(1), memory.get(1), round));
            sendLarge(ranks.get(0), memory.get(0), round);
            other.get();
        }
        ranks.get(0).close();
        assertThrows(
                IllegalStateException.class,
                () -> memory.get(0).set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
        assertThrows(GangException.class, () -> ranks.get(0).allocate(1));
    }

    private static void sendLarge(Transport rank, MemorySegment memory, byte round) {
        try (Arena arena = Arena.ofConfined()) {
            Parts send = new Parts(memory, SIZE);
            Parts receive = Parts.even(arena.allocate(LARGE * SIZE), SIZE, LARGE);
            int peer = 1 - rank.rank();
            send.set(peer, LARGE + rank.rank(), LARGE);
            send.fill(peer, LARGE);
            memory.asSlice(send.offset(peer), LARGE).fill((byte) (round + rank.rank()));
            rank.exchange(3, send, receive, LONG);
            memory.fill((byte) -1);
            MemorySegment got = receive.memory().asSlice(receive.offset(peer), LARGE);
            MemorySegment expected = arena.allocate(LARGE).fill((byte) (round + peer));
            assertEquals(-1, got.mismatch(expected));
        }
    }

    /** The JVM's own handler of the signal makes the exception. */
    @Test
    @SuppressWarnings("NullAway")
    void theJvmKeepsItsSignals() {
        Path[] nothing = {null};
        for (int i = 0; i < 10_000; i++) {
            assertThrows(NullPointerException.class, () -> nothing[0].getFileName());
        }
    }

    @Test
    void abortEndsTheExchangeThatWaits() throws Exception {
        Future<GangException> waiting =
                threads.submit(() ->
                        assertThrows(GangException.class, () -> exchange(ranks.get(0), 3, LONG)));
        ranks.get(1).abort("the lamp is out");
        for (int rank = 0; rank < SIZE; rank++) {
            Transport own = ranks.get(rank);
            var e = assertThrows(GangException.class, () -> exchange(own, 3, LONG));
            assertEquals(GangException.Kind.ABORTED, e.kind());
            assertTrue(String.valueOf(e.getMessage()).contains("the lamp is out"), e.getMessage());
        }
        assertEquals(GangException.Kind.ABORTED, waiting.get().kind());
    }

    @Test
    void closeEndsTheExchangeThatWaits() throws Exception {
        Future<GangException> waiting =
                threads.submit(() ->
                        assertThrows(GangException.class, () -> exchange(ranks.get(0), 3, LONG)));
        ranks.get(0).close();
        assertEquals(GangException.Kind.ABORTED, waiting.get().kind());
        var e = assertThrows(GangException.class, () -> exchange(ranks.get(1), 3, LONG));
        assertEquals(GangException.Kind.ABORTED, e.kind());
        ranks.get(0).abort("nobody is there");
        ranks.get(0).close();
    }

    @Test
    void whatIsWrongIsRefusedBeforeAnythingIsSent() throws Exception {
        Transport rank = ranks.get(0);
        Parts none = new Parts(MemorySegment.NULL, SIZE);
        Parts heap = new Parts(MemorySegment.ofArray(new byte[8]), SIZE);
        Parts three = new Parts(MemorySegment.NULL, 3);
        for (int kind : new int[] {-1, 256}) {
            assertThrows(
                    IllegalArgumentException.class, () -> rank.exchange(kind, none, none, LONG));
        }
        assertThrows(IllegalArgumentException.class, () -> rank.exchange(1, heap, none, LONG));
        assertThrows(IllegalArgumentException.class, () -> rank.exchange(1, none, heap, LONG));
        assertThrows(IllegalArgumentException.class, () -> rank.exchange(1, three, none, LONG));
        ranksOfOneProcessExchange();
    }
}
