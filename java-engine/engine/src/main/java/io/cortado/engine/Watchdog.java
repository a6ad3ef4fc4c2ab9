package io.cortado.engine;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.WARNING;

import io.cortado.api.EngineException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Looks now and then whether the executor comes back. A step that takes half of the limit is told
 * to the log, the metrics and the flight recorder; at the limit the watchdog ends the engine in the
 * loop's place, so that no caller waits for ever. Its looks are also the loop's clock for readers
 * that do not read.
 *
 * <p>Time counts from look to look, and a look that comes late counts as one in time: a process
 * that was stopped or a machine that slept is no stuck step.
 */
final class Watchdog implements Runnable {
    private static final System.Logger LOG = System.getLogger(Watchdog.class.getName());
    private static final long MAX_LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int LOOKS_PER_LIMIT = 16;
    private static final int MAX_NAMES = 16;
    private static final int MAX_NAME = 64;

    private final EngineLoop loop;
    private final StepWatch watch;
    private final long limitNanos;
    private final long lookNanos;
    private final LongSupplier clock;
    private final Thread thread;
    private volatile boolean closing;
    private long lastLook;
    private long call;
    private long age;
    private boolean isTold;

    /**
     * @param limitNanos time that a step may take; 0: no limit
     */
    Watchdog(EngineLoop loop, long limitNanos, LongSupplier clock) {
        this.loop = loop;
        this.limitNanos = limitNanos;
        this.clock = clock;
        watch = loop.watch();
        lookNanos =
                limitNanos == 0
                        ? MAX_LOOK_NANOS
                        : Math.min(MAX_LOOK_NANOS, Math.max(1, limitNanos / LOOKS_PER_LIMIT));
        lastLook = clock.getAsLong();
        thread = Thread.ofPlatform().daemon().name("cortado-watchdog").unstarted(this);
    }

    void start() {
        thread.start();
    }

    void close() {
        closing = true;
        LockSupport.unpark(thread);
    }

    @Override
    public void run() {
        boolean goesOn = true;
        while (!closing && goesOn) {
            LockSupport.parkNanos(this, lookNanos);
            try {
                goesOn = look();
            } catch (RuntimeException | OutOfMemoryError fault) { // the next look may go better
                LOG.log(ERROR, "a look of the watchdog has failed", fault);
            }
        }
    }

    /** One look; false once the engine has ended. */
    boolean look() {
        loop.sweepReaders();
        long now = clock.getAsLong();
        long passed = Math.min(now - lastLook, 2 * lookNanos);
        lastLook = now;
        long current = watch.call();
        if (current == 0 || current != call) {
            call = current;
            age = 0;
            isTold = false;
        } else {
            age += passed;
        }
        boolean isSlow = limitNanos > 0 && age >= limitNanos / 2;
        watch.age(age, isSlow);
        if (isSlow && age >= limitNanos) {
            return !giveUp();
        }
        if (isSlow && !isTold) {
            isTold = true;
            String what = describe();
            LOG.log(WARNING, "a step is slow: {0}", what);
            record(false, what);
        }
        return !loop.hasEnded();
    }

    private boolean giveUp() {
        String what = describe();
        EngineException why =
                new EngineException(
                        EngineException.Code.DEVICE_LOST, "the device is stuck: " + what);
        if (!loop.giveUp(call, why)) {
            return false;
        }
        LOG.log(ERROR, "the engine is stopped: {0}", why.getMessage());
        record(true, what);
        return true;
    }

    private void record(boolean isGivenUp, String what) {
        FlightEvents.StuckStep event = new FlightEvents.StuckStep();
        event.age = age;
        event.isGivenUp = isGivenUp;
        event.content = what;
        event.commit();
    }

    /** Shape and requests of the step. The loop may go on meanwhile: then they are of two steps. */
    private String describe() {
        Batch batch = watch.batch();
        String limit =
                " step_ms=%d step-timeout-ms=%d"
                        .formatted(
                                TimeUnit.NANOSECONDS.toMillis(age),
                                TimeUnit.NANOSECONDS.toMillis(limitNanos));
        if (batch == null) {
            return limit.strip();
        }
        return "sequences=%d tokens=%d prompt_tokens=%d rows=%d"
                        .formatted(
                                batch.numSeqs() - batch.numForks(),
                                batch.numTokens(),
                                batch.promptTokens(),
                                batch.numRows())
                + limit
                + " requests="
                + names(batch);
    }

    private static String names(Batch batch) {
        StringBuilder names = new StringBuilder();
        int numSeqs = batch.numSeqs();
        for (int i = 0; i < Math.min(numSeqs, MAX_NAMES); i++) {
            Sequence sequence = batch.sequences[i];
            names.append(i == 0 ? "[" : " ").append(name(sequence));
        }
        return names.append(numSeqs > MAX_NAMES ? " ...]" : "]").toString();
    }

    /** A caller's name is its own text: only what cannot forge a line of a log. */
    private static String name(@Nullable Sequence sequence) {
        if (sequence == null) {
            return "?";
        }
        Request request = sequence.request;
        String id = request.id.isEmpty() ? "#" + request.number() : request.id;
        return id.substring(0, Math.min(MAX_NAME, id.length())).replaceAll("[^!-~]", "?");
    }
}
