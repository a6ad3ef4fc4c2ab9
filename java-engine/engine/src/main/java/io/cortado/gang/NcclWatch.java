package io.cortado.gang;

import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.NativeException;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.device.Threads;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;

/**
 * Looks from a thread of its own whether what was put into a stream comes to its end: a GPU that
 * waits for a peer waits forever. The time of a collective counts from when it was enqueued, or
 * from when the one before it was seen to have ended, whichever is later; what the stream computes
 * in between counts as well.
 */
final class NcclWatch implements AutoCloseable {
    private static final int MAX_UNDER_WAY = 1024;
    private static final long FULL_NANOS = 100_000L;
    private static final long MOST_BETWEEN_LOOKS_NANOS = 50_000_000L;

    private final ResourceStack owned = new ResourceStack();
    private final Event[] marks = new Event[MAX_UNDER_WAY];
    private final long[] enqueuedAt = new long[MAX_UNDER_WAY];
    private final long deadlineNanos;
    private final Runnable ask;
    private final LongConsumer late;
    private final Thread thread;
    private volatile long enqueued;
    private volatile long ended; // written with the lock
    private long since = System.nanoTime();
    private volatile boolean isOver;

    /**
     * @param ask made now and then
     * @param late told once, with the milliseconds, what has not ended in time
     */
    NcclWatch(Device device, long deadlineNanos, Runnable ask, LongConsumer late) {
        this.deadlineNanos = deadlineNanos;
        this.ask = ask;
        this.late = late;
        boolean isBuilt = false;
        try {
            for (int i = 0; i < MAX_UNDER_WAY; i++) {
                marks[i] = device.createEvent();
                owned.push(marks[i]::close);
            }
            isBuilt = true;
        } finally {
            if (!isBuilt) {
                owned.close();
            }
        }
        thread = Thread.ofPlatform().daemon().name("cortado-nccl-watch").start(this::run);
    }

    /** Something was put into the stream. One thread. */
    void mark(Stream stream) {
        while (enqueued - ended == MAX_UNDER_WAY && !isOver) {
            look();
            if (enqueued - ended == MAX_UNDER_WAY) {
                LockSupport.parkNanos(this, FULL_NANOS);
            }
        }
        int place = (int) (enqueued % MAX_UNDER_WAY);
        marks[place].record(stream); // may wait for room in the stream, hence without the lock
        enqueuedAt[place] = System.nanoTime();
        enqueued = enqueued + 1; // one writer
    }

    private void run() {
        long every = Math.clamp(deadlineNanos / 16, 1_000_000L, MOST_BETWEEN_LOOKS_NANOS);
        try {
            while (!isOver) {
                long waited = look();
                if (waited > deadlineNanos) {
                    isOver = true;
                    late.accept(waited / 1_000_000);
                } else {
                    ask.run();
                }
                LockSupport.parkNanos(this, every);
            }
        } catch (NativeException e) {
            isOver = true; // the device is lost, which who uses it comes to know
        }
    }

    /** How long the oldest has been waited for that has not ended. */
    private synchronized long look() {
        long now = System.nanoTime();
        while (ended < enqueued && marks[(int) (ended % MAX_UNDER_WAY)].await(0)) {
            ended = ended + 1;
            since = now;
        }
        if (ended == enqueued) {
            return 0;
        }
        long from = enqueuedAt[(int) (ended % MAX_UNDER_WAY)];
        return now - (from - since > 0 ? from : since);
    }

    /** Looks no more. Its own thread may call it. */
    void stop() {
        isOver = true;
    }

    /** After the streams have ended. */
    @Override
    public void close() {
        isOver = true;
        LockSupport.unpark(thread);
        Threads.join(List.of(thread)); // the events are its own until it has left
        owned.close();
    }
}
