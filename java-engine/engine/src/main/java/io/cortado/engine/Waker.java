package io.cortado.engine;

import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Wakes consumers on a thread of its own: unparking a virtual thread allocates and takes locks of
 * its scheduler, too much for the loop to do for each request of a step. The loop pays one unpark a
 * step; until {@link #start} and after {@link #close} the caller wakes.
 */
final class Waker implements Runnable {
    /** A stack through {@link Request#wakeBelow}; a request is in it at most once. */
    private final AtomicReference<@Nullable Request> top = new AtomicReference<>();

    private volatile boolean closing;
    private @Nullable Thread thread;

    void start() {
        thread = Thread.ofPlatform().daemon().name("cortado-waker").start(this);
    }

    /** Notes a request whose consumer has something to read. */
    void add(Request request) {
        // If it is noted already then it will be woken later than now: enough.
        if (request.wakeNoted.compareAndSet(false, true)) {
            Request below;
            do {
                below = top.get();
                request.wakeBelow = below;
            } while (!top.compareAndSet(below, request));
        }
    }

    /** Has all noted ones woken. */
    void flush() {
        if (thread == null) {
            wakeAll();
        } else if (top.get() != null) {
            LockSupport.unpark(thread);
        }
    }

    /** Ends the thread, after it has woken all that are noted. */
    void close() {
        Thread ending = thread;
        thread = null;
        closing = true;
        if (ending != null) {
            LockSupport.unpark(ending);
        }
    }

    @Override
    public void run() {
        while (!closing) {
            if (top.get() == null) {
                LockSupport.park(this);
            }
            wakeAll();
        }
        wakeAll();
    }

    private void wakeAll() {
        Request request = top.getAndSet(null);
        while (request != null) {
            Request below = request.wakeBelow;
            request.wakeBelow = null;
            request.wakeNoted.set(false); // before the wake: what is noted from here on wakes again
            request.wake();
            request = below;
        }
    }
}
