package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.kv.BlockPool;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The step loop: one platform thread that owns the scheduler, the blocks and the device. Requests
 * come in through a lock-free inbox; tokens go out into the answers' own arrays.
 */
final class EngineLoop implements Runnable {
    private static final FinishReason CANCELLED = new FinishReason.Cancelled();
    private static final FinishReason LENGTH = new FinishReason.Length();

    private final Scheduler scheduler;
    private final Executor executor;
    private final Batch batch;
    private final LongSupplier clock;
    private final Door door;
    private final Waker waker = new Waker();
    private final Inbox<Request> inbox = new Inbox<>();
    private final List<Request> live = new ArrayList<>();
    private final List<Request> toWake = new ArrayList<>();
    private final Consumer<Request> taker = this::take; // made once: a step allocates nothing
    private final Counters counters;
    private volatile boolean closing;
    private volatile boolean ended;
    private volatile @Nullable EngineException end;
    private volatile @Nullable Thread thread;

    EngineLoop(BlockPool pool, Limits limits, Executor executor, Door door, LongSupplier clock) {
        this.executor = executor;
        this.door = door;
        this.clock = clock;
        scheduler = new Scheduler(pool, limits, clock);
        batch = new Batch(limits);
        counters = new Counters(scheduler, pool);
    }

    /** One step: take what came, choose, run, accept. False if there was nothing to run. */
    boolean step() {
        long start = clock.getAsLong();
        inbox.drain(taker);
        if (!scheduler.next(batch)) {
            wakeConsumers();
            counters.publish();
            return false;
        }
        executor.submit(batch);
        long submitted = clock.getAsLong();
        wakeConsumers(); // of the step before, while the device runs
        executor.await(batch);
        long ran = clock.getAsLong();
        scheduler.advance(batch);
        accept(batch);
        counters.step(batch, submitted - start + clock.getAsLong() - ran);
        return true;
    }

    @Override
    public void run() {
        thread = Thread.currentThread();
        try {
            waker.start();
            while (!closing) {
                if (!step() && inbox.isEmpty() && !closing) {
                    LockSupport.park(this);
                }
            }
            finish(new EngineException(EngineException.Code.CLOSED, "the engine was closed"));
        } catch (Throwable fault) { // the device or the scheduler failed: nothing can run any more
            finish(internal("the engine has failed and is stopped", fault));
        }
    }

    /** Hands a new request, or one that was cancelled, to the loop. Any thread. */
    void put(Request request) {
        inbox.put(request);
        if (ended) {
            rejectInbox();
        }
        unpark();
    }

    /** Makes {@link #run} fail all requests and return. Any thread. */
    void close() {
        closing = true;
        unpark();
    }

    Counters counters() {
        return counters;
    }

    private void unpark() {
        Thread loop = thread;
        if (loop != null) {
            LockSupport.unpark(loop);
        }
    }

    private void take(Request request) {
        if (!request.taken) {
            request.taken = true;
            request.liveIndex = live.size();
            live.add(request);
            for (Sequence sequence : request.sequences) {
                scheduler.add(sequence);
            }
        }
        if (request.isCancelled()) {
            endAll(request, CANCELLED);
        }
    }

    private void accept(Batch batch) {
        for (int row = 0; row < batch.numRows(); row++) {
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            try {
                if (!sequence.hasEnded()) {
                    accept(sequence, row);
                }
            } catch (RuntimeException fault) { // of this request alone: the others go on
                fail(sequence.request, internal("the request has failed", fault));
            }
        }
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            if (!sequence.hasEnded() && sequence.pending() == 0) {
                end(sequence, LENGTH); // nothing was to be drawn, only the prompt to be scored
            }
        }
    }

    private void accept(Sequence sequence, int row) {
        Request request = sequence.request;
        EngineException fault = SampleStatus.fault(batch.status[row], batch.rowPosition[row]);
        if (fault != null) {
            fail(request, fault);
            return;
        }
        if (batch.rowForced[row] != Batch.DRAW && request.scores != null) {
            int promptToken = (int) batch.rowPosition[row];
            request.scores.put(promptToken, batch, row);
            sequence.nextScore = promptToken + 1;
        } else {
            sequence.answer.append(batch, row);
            counters.generated();
            if (request.awaitsFirstToken()) {
                request.markFirstToken(clock.getAsLong());
            }
            FinishReason reason = sequence.stops.check(batch.token[row], sequence.answer.size());
            if (reason == null) {
                sequence.answer.publish();
            } else {
                end(sequence, reason);
            }
        }
        wakeLater(request);
    }

    private void end(Sequence sequence, FinishReason reason) {
        Request request = sequence.request;
        scheduler.remove(sequence);
        if (--request.openAnswers == 0) {
            Request last = live.removeLast();
            if (last != request) {
                last.liveIndex = request.liveIndex;
                live.set(request.liveIndex, last);
            }
            counters.publish();
            request.markEnd(clock.getAsLong());
        }
        sequence.answer.end(reason);
        wakeLater(request);
    }

    private void endAll(Request request, FinishReason reason) {
        for (Sequence sequence : request.sequences) {
            if (!sequence.hasEnded()) {
                end(sequence, reason);
            }
        }
    }

    private void fail(Request request, EngineException error) {
        request.fail(error);
        endAll(request, CANCELLED);
    }

    private void finish(EngineException why) {
        door.shut(why);
        end = why;
        ended = true;
        for (int i = live.size() - 1; i >= 0; i--) {
            fail(live.get(i), why);
        }
        rejectInbox();
        wakeConsumers();
        waker.close();
        counters.publish();
    }

    /** After the end, whichever thread takes a request out of the inbox tells it. */
    private void rejectInbox() {
        inbox.drain(request -> {
            if (!request.taken && end != null) {
                request.taken = true;
                request.fail(end);
                request.markEnd(clock.getAsLong());
                request.wake();
            }
        });
    }

    private void wakeLater(Request request) {
        if (!request.toWake) {
            request.toWake = true;
            toWake.add(request);
        }
    }

    private void wakeConsumers() {
        for (int i = 0; i < toWake.size(); i++) {
            Request request = toWake.get(i);
            request.toWake = false;
            waker.add(request);
        }
        toWake.clear();
        waker.flush();
    }

    private static EngineException internal(String what, Throwable cause) {
        return cause instanceof EngineException e
                ? e
                : new EngineException(
                        EngineException.Code.INTERNAL, what + ": " + cause, null, cause);
    }
}
