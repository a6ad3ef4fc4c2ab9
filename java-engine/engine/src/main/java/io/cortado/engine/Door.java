package io.cortado.engine;

import io.cortado.api.EngineException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Lets requests in, up to a bound, and counts them out. Any thread. */
final class Door {
    private final int maxNumSeqs;
    private final int maxWaiting;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition empty = lock.newCondition();
    private final Condition room = lock.newCondition();
    private int liveSeqs;
    private int waitingRequests;
    private @Nullable EngineException shut;

    /**
     * @param maxWaiting requests that may wait while all maxNumSeqs places are taken
     */
    Door(int maxNumSeqs, int maxWaiting) {
        this.maxNumSeqs = maxNumSeqs;
        this.maxWaiting = maxWaiting;
    }

    /** Fails if the engine takes no requests. */
    void requireOpen() {
        lock.lock();
        try {
            if (shut != null) {
                throw new EngineException(
                        shut.code(), String.valueOf(shut.getMessage()), shut.param(), shut);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets a request of n sequences in. */
    void enter(int n) {
        lock.lock();
        try {
            requireOpen();
            if (isFull(n)) {
                throw new EngineException(
                        EngineException.Code.QUEUE_FULL,
                        "too many requests wait: waiting="
                                + waitingRequests
                                + " limit="
                                + maxWaiting);
            }
            liveSeqs += n;
            waitingRequests++;
        } finally {
            lock.unlock();
        }
    }

    /** The same, for more of a batch that was let in before: waits while there are too many. */
    void enterOnceThereIsRoom(int n) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            requireOpen();
            while (isFull(n)) {
                room.await();
                requireOpen();
            }
            liveSeqs += n;
            waitingRequests++;
        } finally {
            lock.unlock();
        }
    }

    private boolean isFull(int n) {
        return liveSeqs + n > maxNumSeqs && waitingRequests >= maxWaiting;
    }

    private void tellRoom() {
        if (lock.hasWaiters(room)) {
            room.signalAll();
        }
    }

    /** A request waits no longer: it runs, or it ended before it did. */
    void started() {
        lock.lock();
        try {
            waitingRequests--;
            tellRoom();
        } finally {
            lock.unlock();
        }
    }

    /** A request has ended, with all its n sequences. */
    void leave(int n) {
        lock.lock();
        try {
            liveSeqs -= n;
            tellRoom();
            if (liveSeqs == 0) {
                empty.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets nobody in from now on. A failure stays the reason whatever follows it. */
    void shut(EngineException why) {
        lock.lock();
        try {
            if (shut == null || shut.code() == EngineException.Code.CLOSED) {
                shut = why;
                tellRoom();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Waits until all have left; false if the time was over before. */
    boolean awaitEmpty(long timeoutMs) throws InterruptedException {
        long left = TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        lock.lockInterruptibly();
        try {
            while (liveSeqs > 0) {
                if (left <= 0) {
                    return false;
                }
                left = empty.awaitNanos(left);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }
}
