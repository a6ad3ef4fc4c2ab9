package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InProcessGangTest {
    private static final long LONG = 60_000_000_000L;
    private static final long SHORT = 100_000_000L;

    /** What a rank does in a gang. */
    private interface Body {
        void run(Transport rank) throws Exception;
    }

    private static void onAll(Transport[] ranks, Body body) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks.length)) {
            List<Future<?>> all = new ArrayList<>();
            for (Transport rank : ranks) {
                all.add(
                        threads.submit(() -> {
                            body.run(rank);
                            return null;
                        }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
    }

    private static int count(int exchange, int from, int to) {
        int drawn = new Random(exchange * 1_000_003L + from * 131 + to).nextInt(200);
        return drawn < 60 ? 0 : drawn;
    }

    private static byte value(int exchange, int from, int to, int i) {
        return (byte) (exchange * 7 + from * 31 + to * 17 + i);
    }

    @Test
    void bringsEachRankItsPart() throws Exception {
        Transport[] ranks = InProcessGang.create(4);
        onAll(
                ranks,
                rank -> {
                    try (Arena arena = Arena.ofConfined()) {
                        Parts send = Parts.even(arena.allocate(800), 4, 200);
                        Parts receive = Parts.even(arena.allocate(800), 4, 200);
                        for (int exchange = 0; exchange < 300; exchange++) {
                            exchange(rank, exchange, send, receive);
                        }
                    }
                });
    }

    private static void exchange(Transport rank, int exchange, Parts send, Parts receive) {
        int me = rank.rank();
        for (int to = 0; to < 4; to++) {
            int count = count(exchange, me, to);
            send.fill(to, count);
            for (int i = 0; i < count; i++) {
                byte sent = value(exchange, me, to, i);
                send.memory().set(ValueLayout.JAVA_BYTE, send.offset(to) + i, sent);
            }
        }
        rank.exchange(exchange % 5, send, receive, LONG);
        for (int from = 0; from < 4; from++) {
            int count = count(exchange, from, me);
            assertEquals(count, receive.bytes(from));
            for (int i = 0; i < count; i++) {
                byte came = receive.memory().get(ValueLayout.JAVA_BYTE, receive.offset(from) + i);
                assertEquals(value(exchange, from, me, i), came);
            }
        }
    }

    /** Memory that is reused at once, by ranks that come early or late. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void bringsLargePartsFromWhereTheyAre(boolean isConfined) throws Exception {
        int longs = (int) InProcessGang.LENT_BYTES / Long.BYTES;
        Transport[] ranks = InProcessGang.create(3);
        onAll(
                ranks,
                rank -> {
                    Transport late = new LateTransport(rank, 5);
                    int me = rank.rank();
                    try (Arena arena = isConfined ? Arena.ofConfined() : Arena.ofShared()) {
                        long most = (longs + 1L) * Long.BYTES;
                        Parts send = Parts.even(arena.allocate(3 * most, 8), 3, most);
                        Parts receive = Parts.even(arena.allocate(3 * most, 8), 3, most);
                        for (int exchange = 0; exchange < 200; exchange++) {
                            for (int to = 0; to < 3; to++) {
                                long count = longs - 1L + (exchange + me + to) % 3;
                                send.fill(to, count * Long.BYTES);
                                fill(send, to, count, exchange * 9L + me * 3 + to);
                            }
                            late.exchange(exchange % 5, send, receive, LONG);
                            send.memory().fill((byte) 0x55);
                            for (int from = 0; from < 3; from++) {
                                long count = longs - 1L + (exchange + from + me) % 3;
                                assertEquals(count * Long.BYTES, receive.bytes(from));
                                check(receive, from, count, exchange * 9L + from * 3 + me);
                            }
                        }
                    }
                });
    }

    private static void fill(Parts parts, int rank, long count, long seed) {
        for (long i = 0; i < count; i++) {
            long at = parts.offset(rank) + i * Long.BYTES;
            parts.memory().set(ValueLayout.JAVA_LONG, at, seed * 31 + i);
        }
    }

    private static void check(Parts parts, int rank, long count, long seed) {
        long wrong = 0;
        for (long i = 0; i < count; i++) {
            long at = parts.offset(rank) + i * Long.BYTES;
            wrong += parts.memory().get(ValueLayout.JAVA_LONG, at) == seed * 31 + i ? 0 : 1;
        }
        assertEquals(0, wrong);
    }

    /** One fails by its deadline; the memory that it lent is closed before the others come. */
    @Test
    void takesBackWhatNobodyHasTaken() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        long bytes = InProcessGang.LENT_BYTES;
        GangException late;
        try (Arena arena = Arena.ofShared()) {
            late = lends(ranks[0], arena, bytes, SHORT);
        }
        assertEquals(GangException.Kind.DEADLINE, late.kind());
        try (Arena arena = Arena.ofShared()) {
            GangException told = lends(ranks[1], arena, bytes, LONG);
            assertEquals(GangException.Kind.DEADLINE, told.kind());
        }
    }

    private static GangException lends(Transport rank, Arena arena, long bytes, long deadline) {
        Parts send = Parts.even(arena.allocate(2 * bytes), 2, bytes);
        Parts receive = Parts.even(arena.allocate(2 * bytes), 2, bytes);
        send.fill(1 - rank.rank(), bytes);
        return assertThrows(GangException.class, () -> rank.exchange(1, send, receive, deadline));
    }

    /** A rank that has no room for what is lent fails both, at once. */
    @Test
    void failsWhereMoreIsLentThanFits() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        onAll(
                ranks,
                rank -> {
                    try (Arena arena = Arena.ofShared()) {
                        long bytes = InProcessGang.LENT_BYTES;
                        Parts send = Parts.even(arena.allocate(2 * bytes), 2, bytes);
                        Parts receive = Parts.even(arena.allocate(2 * bytes), 2, bytes);
                        send.fill(1 - rank.rank(), bytes);
                        receive.set(1 - rank.rank(), 0, bytes - 1);
                        GangException e =
                                assertThrows(
                                        GangException.class,
                                        () -> rank.exchange(1, send, receive, LONG));
                        assertEquals(GangException.Kind.MISMATCH, e.kind());
                    }
                });
    }

    private static GangException fails(Transport rank, int kind, long bytes, long deadline) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(64);
            Parts send = Parts.even(memory, 2, 16);
            Parts receive = Parts.even(memory.asSlice(32), 2, 16);
            send.fill(1 - rank.rank(), bytes);
            receive.set(1 - rank.rank(), 16, 8);
            return assertThrows(
                    GangException.class, () -> rank.exchange(kind, send, receive, deadline));
        }
    }

    @Test
    void failsByTheDeadline() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        GangException late = fails(ranks[0], 1, 0, SHORT);
        assertEquals(GangException.Kind.DEADLINE, late.kind());
        assertTrue(late.toString().contains("rank 1"), late.toString());
        assertEquals(GangException.Kind.DEADLINE, fails(ranks[1], 1, 0, LONG).kind());
    }

    @Test
    void failsWhereKindsDiffer() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        onAll(
                ranks,
                rank ->
                        assertEquals(
                                GangException.Kind.MISMATCH,
                                fails(rank, 1 + rank.rank(), 0, LONG).kind()));
    }

    @Test
    void failsWhereMoreComesThanFits() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        onAll(
                ranks,
                rank -> assertEquals(GangException.Kind.MISMATCH, fails(rank, 1, 9, LONG).kind()));
    }

    @Test
    void tellsThoseWhoWaitThatARankHasLeft() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        onAll(
                ranks,
                rank -> {
                    if (rank.rank() == 0) {
                        GangException left = fails(rank, 1, 0, LONG);
                        assertEquals(GangException.Kind.ABORTED, left.kind());
                        assertTrue(left.toString().contains("rank 1"), left.toString());
                    } else {
                        rank.close();
                    }
                });
    }

    @Test
    void refusesSizesThatNoGangHas() {
        assertThrows(IllegalArgumentException.class, () -> InProcessGang.create(0));
        assertThrows(IllegalArgumentException.class, () -> InProcessGang.create(65));
    }
}
