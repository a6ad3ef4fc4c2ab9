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
    private final long maxWaitingTokens;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition empty = lock.newCondition();
    private final Condition room = lock.newCondition();
    private int liveSeqs;
    private int waitingRequests;
    private long waitingTokens;
    private long refusedByRequests;
    private long refusedByTokens;
    private @Nullable EngineException shut;

    /**
     * @param maxWaiting requests that may wait while all maxNumSeqs places are taken
     * @param maxWaitingTokens tokens of prompts that may wait, unless one prompt alone has more; 0:
     *     any number
     */
    Door(int maxNumSeqs, int maxWaiting, long maxWaitingTokens) {
        this.maxNumSeqs = maxNumSeqs;
        this.maxWaiting = maxWaiting;
        this.maxWaitingTokens = maxWaitingTokens;
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

    /** Lets a request of n sequences that share a prompt in. */
    void enter(int n, int promptTokens) {
        lock.lock();
        try {
            requireOpen();
            if (isFull(n)) {
                refusedByRequests++;
                throw full(
                        "too many requests wait: waiting=%d limit=%d"
                                .formatted(waitingRequests, maxWaiting));
            }
            if (isFullOfTokens(promptTokens)) {
                refusedByTokens++;
                throw full(
                        "too many prompt tokens wait: waiting_tokens=%d prompt_tokens=%d limit=%d"
                                .formatted(waitingTokens, promptTokens, maxWaitingTokens));
            }
            let(n, promptTokens);
        } finally {
            lock.unlock();
        }
    }

    private static EngineException full(String message) {
        return new EngineException(EngineException.Code.QUEUE_FULL, message);
    }

    private void let(int n, int promptTokens) {
        liveSeqs += n;
        waitingRequests++;
        waitingTokens += promptTokens;
    }

    /** The same, for more of a batch that was let in before: waits while there are too many. */
    void enterOnceThereIsRoom(int n, int promptTokens) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            requireOpen();
            while (isFull(n) || isFullOfTokens(promptTokens)) {
                room.await();
                requireOpen();
            }
            let(n, promptTokens);
        } finally {
            lock.unlock();
        }
    }

    private boolean isFull(int n) {
        return liveSeqs + n > maxNumSeqs && waitingRequests >= maxWaiting;
    }

    private boolean isFullOfTokens(int promptTokens) {
        return maxWaitingTokens > 0
                && waitingTokens > 0
                && waitingTokens + promptTokens > maxWaitingTokens;
    }

    private void tellRoom() {
        if (lock.hasWaiters(room)) {
            room.signalAll();
        }
    }

    /** A request waits no longer: it runs, or it ended before it did. */
    void started(int promptTokens) {
        lock.lock();
        try {
            waitingRequests--;
            waitingTokens -= promptTokens;
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

    /** Tokens of the prompts that wait. */
    long waitingTokens() {
        lock.lock();
        try {
            return waitingTokens;
        } finally {
            lock.unlock();
        }
    }

    /** Requests refused for the number of those that wait, since the start. */
    long refusedByRequests() {
        lock.lock();
        try {
            return refusedByRequests;
        } finally {
            lock.unlock();
        }
    }

    /** Requests refused for the tokens that wait, since the start. */
    long refusedByTokens() {
        lock.lock();
        try {
            return refusedByTokens;
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
