package io.cortado.gang;

import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.Stream;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;

/**
 * Looks from a thread of its own whether what was put into a stream comes to its end: a GPU that
 * waits for a peer waits forever. The time of a collective counts from when it was enqueued, or
 * from when the one before it was seen to have ended, whichever is later; what the stream computes
 * in between counts as well.
 */
final class NcclWatch implements AutoCloseable {
    private static final int MAX_UNDER_WAY = 256;
    private static final long MOST_BETWEEN_LOOKS_NANOS = 50_000_000L;

    private final Event[] marks = new Event[MAX_UNDER_WAY];
    private final long[] enqueuedAt = new long[MAX_UNDER_WAY];
    private final long deadlineNanos;
    private final Runnable ask;
    private final LongConsumer late;
    private final Thread thread;
    private volatile long enqueued;
    private volatile long ended;
    private volatile boolean isOver;

    /**
     * @param ask made now and then
     * @param late told once, with the milliseconds, what has not ended in time
     */
    NcclWatch(Device device, long deadlineNanos, Runnable ask, LongConsumer late) {
        this.deadlineNanos = deadlineNanos;
        this.ask = ask;
        this.late = late;
        for (int i = 0; i < MAX_UNDER_WAY; i++) {
            marks[i] = device.createEvent();
        }
        thread = Thread.ofPlatform().daemon().name("cortado-nccl-watch").start(this::run);
    }

    /** Something was put into the stream. With very much under way it waits for the oldest. */
    void mark(Stream stream) {
        while (enqueued - ended == MAX_UNDER_WAY && !isOver) {
            LockSupport.parkNanos(this, deadlineNanos / MAX_UNDER_WAY);
        }
        int place = (int) (enqueued % MAX_UNDER_WAY);
        marks[place].record(stream);
        enqueuedAt[place] = System.nanoTime();
        enqueued = enqueued + 1; // one writer
    }

    private void run() {
        long every = Math.clamp(deadlineNanos / 16, 1_000_000L, MOST_BETWEEN_LOOKS_NANOS);
        long since = System.nanoTime();
        while (!isOver) {
            long now = System.nanoTime();
            while (ended < enqueued && marks[(int) (ended % MAX_UNDER_WAY)].await(0)) {
                ended = ended + 1; // one writer
                since = now;
            }
            ask.run();
            if (ended < enqueued) {
                long from = enqueuedAt[(int) (ended % MAX_UNDER_WAY)];
                long waited = now - (from - since > 0 ? from : since);
                if (waited > deadlineNanos) {
                    isOver = true;
                    late.accept(waited / 1_000_000);
                }
            }
            LockSupport.parkNanos(this, every);
        }
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
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true; // the events are the thread's until it has left
            }
        }
        for (Event mark : marks) {
            mark.close();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
