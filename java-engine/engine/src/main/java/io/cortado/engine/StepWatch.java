package io.cortado.engine;

import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What the loop waits for: it notes each call into the executor and its end here, and a {@link
 * Watchdog} looks. Who gives a call up owns the loop's state from then on: the loop, should the
 * call ever return, learns it from {@link #end} and touches nothing more.
 */
final class StepWatch {
    private static final long GIVEN_UP = -1;

    /** Even: no call is under way, odd: the so many-th is. */
    private final AtomicLong state = new AtomicLong();

    private @Nullable Batch batch;
    private volatile long ageNanos;
    private volatile boolean isSlow;
    private volatile long slowCalls;

    /** The loop calls the executor about a batch. */
    void begin(Batch about) {
        batch = about;
        state.set(state.get() + 1);
    }

    /**
     * The call has returned.
     *
     * @throws IllegalStateException if it was given up: the loop's state is no longer the caller's
     */
    void end() {
        if (!endIfOwned()) {
            throw new IllegalStateException("the step was given up");
        }
    }

    /** The same where a call may be under way; false if it was given up. */
    boolean endIfOwned() {
        long now = state.get();
        return !isCall(now) ? now != GIVEN_UP : state.compareAndSet(now, now + 1);
    }

    /** The call that is under way; 0 where none is. Any thread, as all that follow. */
    long call() {
        long now = state.get();
        return isCall(now) ? now : 0;
    }

    /** Takes the loop's state over; false if that call is not under way any more. */
    boolean giveUp(long call) {
        return call != 0 && state.compareAndSet(call, GIVEN_UP);
    }

    boolean isGivenUp() {
        return state.get() == GIVEN_UP;
    }

    /** What the call is about; of the next one where it has just ended. */
    @Nullable Batch batch() {
        state.get(); // the batch was written before it
        return batch;
    }

    /** Tells how old the call is, as far as the watchdog knows. */
    void age(long nanos, boolean slow) {
        if (slow && !isSlow) {
            slowCalls = slowCalls + 1; // written by the watchdog alone
        }
        ageNanos = nanos;
        isSlow = slow;
    }

    long ageNanos() {
        return ageNanos;
    }

    boolean isSlow() {
        return isSlow;
    }

    /** Calls that were slow since the start. */
    long slowCalls() {
        return slowCalls;
    }

    private static boolean isCall(long state) {
        return (state & 1) == 1 && state != GIVEN_UP;
    }
}
