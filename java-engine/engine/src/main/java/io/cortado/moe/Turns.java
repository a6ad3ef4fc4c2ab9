package io.cortado.moe;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** What one thread does again and again, and another waits for each time. */
final class Turns {
    /** To sleep and be woken costs more than that where a core is idle. */
    private static final long YIELD_NANOS = 100_000;

    private final BooleanSupplier isOver;
    private final AtomicLong done = new AtomicLong();

    /** By the thread that waits alone. */
    private long awaited;

    private volatile @Nullable Thread waiting;

    /**
     * @param isOver there will be no more; where it becomes true, {@link #wake} is to be called
     */
    Turns(BooleanSupplier isOver) {
        this.isOver = isOver;
    }

    /** Done once more. */
    void done() {
        done.incrementAndGet();
        wake();
    }

    void wake() {
        LockSupport.unpark(waiting);
    }

    /** Waits for the next time; false: there will be none. */
    boolean await() {
        awaited++;
        long yields = System.nanoTime() + YIELD_NANOS;
        while (done.get() < awaited) {
            if (isOver.getAsBoolean()) {
                return false;
            }
            if (System.nanoTime() < yields) {
                Thread.yield();
            } else {
                park();
            }
        }
        return true;
    }

    /** A wake after {@link #waiting} is set is not lost, and one before it is seen. */
    private void park() {
        waiting = Thread.currentThread();
        if (done.get() < awaited && !isOver.getAsBoolean()) {
            LockSupport.park(this);
        }
        waiting = null;
    }
}
