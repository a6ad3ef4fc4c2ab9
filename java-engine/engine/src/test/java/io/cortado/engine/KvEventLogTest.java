package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.KvEvent;
import io.cortado.api.KvEventStream;
import io.cortado.kv.BlockListener.Tier;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class KvEventLogTest {
    private static final int KEPT = 64;

    private final KvEventLog log = new KvEventLog(PrefixKeys.shared("model"), KEPT);

    private static CompletableFuture<@Nullable KvEvent> later(KvEventStream stream) {
        CompletableFuture<@Nullable KvEvent> next = new CompletableFuture<>();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        next.complete(stream.next());
                    } catch (InterruptedException | RuntimeException e) {
                        next.completeExceptionally(e);
                    }
                });
        return next;
    }

    @Test
    void givesEventsInOrderFromTheOldestOrBehindAnyOther() throws Exception {
        int[] tokens = new int[40];
        tokens[20] = 9;
        log.stored(Tier.DEVICE, 1, 2, 3, 4, tokens, 16);
        log.removed(Tier.HOST, 5, 6);
        log.cleared();
        KvEventStream all = log.read(-1);
        KvEvent.Stored stored = assertInstanceOf(KvEvent.Stored.class, all.next());
        assertEquals("00000000000000010000000000000002", stored.block().toString());
        assertEquals(new KvEvent.BlockKey(3, 4), stored.parent());
        assertArrayEquals(
                new int[] {0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, stored.tokens());
        assertEquals(
                new KvEvent.Removed(1, new KvEvent.BlockKey(5, 6), KvEvent.Tier.HOST), all.next());
        assertEquals(new KvEvent.Cleared(2), all.next());
        assertEquals(new KvEvent.Cleared(2), log.read(1).next());
    }

    @Test
    void wakesAReaderThatWaits() throws Exception {
        CompletableFuture<@Nullable KvEvent> next = later(log.read(-1));
        log.cleared();
        assertEquals(new KvEvent.Cleared(0), next.get(30, TimeUnit.SECONDS));
    }

    @Test
    void endsReadersWhenTheyOrTheLogAreClosed() throws Exception {
        KvEventStream one = log.read(-1);
        CompletableFuture<@Nullable KvEvent> first = later(one);
        one.close();
        assertNull(first.get(30, TimeUnit.SECONDS));
        CompletableFuture<@Nullable KvEvent> second = later(log.read(-1));
        log.close();
        assertNull(second.get(30, TimeUnit.SECONDS));
        assertNull(log.read(-1).next());
    }

    @Test
    void tellsAReaderThatFellBehindWhatItMissed() throws Exception {
        KvEventStream late = log.read(-1);
        for (int i = 0; i < 3 * KEPT; i++) {
            log.cleared();
        }
        KvEvent.Missed missed = assertInstanceOf(KvEvent.Missed.class, late.next());
        assertEquals(0, missed.number());
        assertTrue(missed.count() >= 2 * KEPT, missed.toString());
        for (long number = missed.count(); number < 3 * KEPT; number++) {
            assertEquals(new KvEvent.Cleared(number), late.next());
        }
        assertInstanceOf(KvEvent.Missed.class, log.read(5).next());
    }

    /** A fast writer never waits; each reader's numbers have no gap that it was not told of. */
    @Test
    void accountsForEveryEventUnderARace() throws Exception {
        int count = 200_000;
        List<CompletableFuture<Long>> readers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            CompletableFuture<Long> seen = new CompletableFuture<>();
            readers.add(seen);
            Thread.ofVirtual().start(() -> seen.complete(follow(log.read(-1))));
        }
        for (int i = 0; i < count; i++) {
            log.cleared();
        }
        log.close();
        for (CompletableFuture<Long> reader : readers) {
            assertEquals(count, reader.get(30, TimeUnit.SECONDS));
        }
    }

    /** How many events there were, missed ones included; -1 at a gap that nobody told of. */
    private static long follow(KvEventStream events) {
        long expected = 0;
        try {
            for (KvEvent event = events.next(); event != null; event = events.next()) {
                if (event.number() != expected) {
                    return -1;
                }
                expected += event instanceof KvEvent.Missed missed ? missed.count() : 1;
            }
        } catch (InterruptedException e) {
            return -1;
        }
        return expected;
    }
}
