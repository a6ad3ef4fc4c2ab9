package io.cortado.engine;

import io.cortado.api.KvEvent;
import io.cortado.api.KvEvent.BlockKey;
import io.cortado.api.KvEventStream;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.BlockListener;
import io.cortado.kv.BlockPool;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The last events of a prefix cache, in a ring that one thread writes and never waits for: readers
 * find by an event's number whether it has been overwritten.
 */
final class KvEventLog implements BlockListener {
    /** Events kept: each is a block, of about 200 bytes. */
    static final int KEPT = 1 << 16;

    private final AtomicReferenceArray<@Nullable KvEvent> ring;
    private final BlockKeys shared;
    private final Set<Thread> waiting = ConcurrentHashMap.newKeySet();
    private volatile long next;
    private volatile boolean closed;

    /**
     * @param shared any keys of requests that share with all others
     */
    KvEventLog(BlockKeys shared, int kept) {
        this.shared = shared;
        ring = new AtomicReferenceArray<>(kept);
    }

    @Override
    public void stored(
            Tier tier,
            long high,
            long low,
            long parentHigh,
            long parentLow,
            int[] tokens,
            int first) {
        put(
                new KvEvent.Stored(
                        next,
                        new BlockKey(high, low),
                        shared.isRoot(parentHigh, parentLow)
                                ? null
                                : new BlockKey(parentHigh, parentLow),
                        Arrays.copyOfRange(tokens, first, first + BlockPool.BLOCK_TOKENS),
                        told(tier)));
    }

    @Override
    public void removed(Tier tier, long high, long low) {
        put(new KvEvent.Removed(next, new BlockKey(high, low), told(tier)));
    }

    @Override
    public void cleared() {
        put(new KvEvent.Cleared(next));
    }

    private static KvEvent.Tier told(Tier tier) {
        return switch (tier) {
            case DEVICE -> KvEvent.Tier.DEVICE;
            case HOST -> KvEvent.Tier.HOST;
        };
    }

    private void put(KvEvent event) {
        ring.set(place(event.number()), event);
        next = event.number() + 1; // one writer
        wake();
    }

    private int place(long number) {
        return (int) (number % ring.length());
    }

    private void wake() {
        if (!waiting.isEmpty()) {
            waiting.forEach(LockSupport::unpark);
        }
    }

    /** All readers find the end once they have read what there is. Any thread. */
    void close() {
        closed = true;
        wake();
    }

    /**
     * @param after number of the last event known; -1: none
     */
    KvEventStream read(long after) {
        return new Reader(after + 1);
    }

    private final class Reader implements KvEventStream {
        private long number;
        private volatile boolean isClosed;

        Reader(long number) {
            this.number = number;
        }

        @Override
        public @Nullable KvEvent next() throws InterruptedException {
            while (!isClosed) {
                long end = next;
                if (number < end) {
                    return take(end);
                }
                if (closed) {
                    return null;
                }
                await();
            }
            return null;
        }

        /** Who is in the set before it looks again cannot miss being woken. */
        private void await() throws InterruptedException {
            Thread self = Thread.currentThread();
            waiting.add(self);
            try {
                while (number >= next && !closed && !isClosed) {
                    if (Thread.interrupted()) {
                        throw new InterruptedException();
                    }
                    LockSupport.park(this);
                }
            } finally {
                waiting.remove(self);
            }
        }

        private KvEvent take(long end) {
            KvEvent event = ring.get(place(number));
            if (event != null && event.number() == number) {
                number++;
                return event;
            }
            long first = number; // overwritten: go on where a quarter of the ring is still ahead
            number = Math.max(number + 1, end - ring.length() + ring.length() / 4);
            return new KvEvent.Missed(first, number - first);
        }

        @Override
        public void close() {
            isClosed = true;
            wake();
        }
    }
}
