package io.cortado.engine;

import static java.lang.System.Logger.Level.WARNING;

import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.RequestReport;
import io.cortado.api.Speculation;
import io.cortado.device.NativeException;
import io.cortado.device.Status;
import io.cortado.gang.GangException;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.DiskTier;
import io.cortado.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The step loop: one platform thread that owns the scheduler, the blocks and the device. Requests
 * come in through a lock-free inbox; tokens go out into the answers' own arrays.
 *
 * <p>It is one step ahead: while a step runs, the next is chosen and submitted, and its decodes
 * take their ids on the device from what the running one draws. All that a row needs besides its id
 * follows from the number of tokens before it, which is known, or is counted on the device; a rule
 * that needs the token itself on the host keeps its sequence out of the step ahead ({@link
 * RowParams#followsTokens}): it draws in every other step. The limit of tokens is such a number: no
 * step goes beyond it. A sequence that turns out to have ended has a row in the step under way all
 * the same: what it draws is dropped.
 */
final class EngineLoop implements Runnable, StepResults.Ends {
    private static final System.Logger LOG = System.getLogger(EngineLoop.class.getName());
    private static final FinishReason CANCELLED = new FinishReason.Cancelled();

    /** After which those are looked at that wait for the disk, should it never answer. */
    private static final long KEPT_BACK_NANOS = 100_000_000L;

    private final KvCache cache;
    private final Scheduler scheduler;
    private final Journal journal;
    private final Speculator speculator;
    private final StepResults results;
    private final Executor executor;
    private final Batch[] batches;
    private final LongSupplier clock;
    private final Door door;
    private final Waker waker = new Waker();
    private final Inbox<Request> inbox = new Inbox<>();
    private final List<Request> live = new ArrayList<>();
    private final List<Request> toWake;
    private final Consumer<Request> taker = this::take; // made once: a step allocates nothing
    private final Consumer<Request> enter = this::enter;
    private final Counters counters;
    private final @Nullable DiskTraffic traffic;
    private final StepWatch watch = new StepWatch();
    private int turn;
    private @Nullable Batch running;
    private volatile boolean forgets;
    private volatile @Nullable KvEventLog events;
    private boolean isListening;
    private volatile boolean sweeps;
    private volatile long unreadNanos;
    private volatile boolean closing;
    private volatile boolean ended;
    private volatile @Nullable EngineException end;
    private volatile @Nullable EngineException failure;
    private volatile @Nullable Thread thread;

    /** Without drafts. */
    EngineLoop(
            KvCache cache,
            Limits limits,
            AdmissionQueue waiting,
            Executor executor,
            Door door,
            LongSupplier clock) {
        this(cache, limits, waiting, executor, door, clock, Speculation.OFF);
    }

    EngineLoop(
            KvCache cache,
            Limits limits,
            AdmissionQueue waiting,
            Executor executor,
            Door door,
            LongSupplier clock,
            Speculation speculation) {
        this.executor = executor;
        this.door = door;
        this.clock = clock;
        this.cache = cache;
        scheduler = new Scheduler(cache, limits, waiting, clock);
        journal = scheduler.journal();
        speculator = new Speculator(speculation, limits, scheduler, executor, watch, clock);
        results = new StepResults(scheduler, speculator, clock, this);
        toWake = new ArrayList<>(limits.maxNumSeqs());
        batches = new Batch[] {new Batch(limits), new Batch(limits)};
        counters =
                new Counters(scheduler, cache, door, watch, speculator.counts(), results.masks());
        DiskTier disk = cache.disk();
        traffic = disk == null ? null : new DiskTraffic(cache, disk, executor);
        executor.onEnded(this::unpark);
    }

    /** Requests whose output nobody reads for so long are cancelled; 0: never. */
    void limitUnread(long nanos) {
        unreadNanos = nanos;
    }

    /**
     * One turn: take what came, choose and submit the next step, then accept the one before it,
     * which ran meanwhile. False if there was neither.
     */
    boolean step() {
        long start = clock.getAsLong();
        journal.turn(start);
        inbox.drain(taker);
        listenIfAsked();
        forgetIfAsked(); // after the inbox: who comes after the asking finds nothing
        if (traffic != null) {
            traffic.turn(start, enter);
        }
        cancelUnread(start);
        Batch ended = running;
        running = ended != null && speculator.holdsBack(ended) ? null : submitNext();
        long submitted = clock.getAsLong();
        counters.host(submitted - start);
        wakeConsumers(); // of the step before, while the device runs
        if (ended != null) {
            watch.begin(ended);
            executor.await(ended);
            watch.end();
            cache.ran();
            long ran = clock.getAsLong();
            long nanos = journal.ran(ended, scheduler, counters.hostNanos(), ran);
            scheduler.ran(ended, nanos);
            speculator.ran(ended, nanos);
            results.accept(ended);
            speculator.accepted();
            counters.host(clock.getAsLong() - ran);
            counters.step(ended);
        }
        counters.publish();
        boolean isIdle = ended == null && running == null;
        if (isIdle) {
            executor.idle();
            speculator.idle();
        }
        return !isIdle;
    }

    private void listenIfAsked() {
        KvEventLog log = events;
        if (log != null && !isListening) {
            isListening = true;
            cache.listen(log);
        }
    }

    private void forgetIfAsked() {
        if (forgets) {
            forgets = false;
            cache.forget();
        }
    }

    /** Now and then, not each step: it looks at every live request. */
    private void cancelUnread(long now) {
        if (!sweeps || unreadNanos == 0) {
            return;
        }
        sweeps = false;
        for (int i = live.size() - 1; i >= 0; i--) { // what ends is replaced by a later one
            Request request = live.get(i);
            if (request.unreadNanos(now) > unreadNanos) {
                counters.unread();
                LOG.log(
                        WARNING,
                        "request {0} is cancelled: nobody reads its output",
                        Long.toString(request.number()));
                endAll(request, CANCELLED);
            }
        }
    }

    private @Nullable Batch submitNext() {
        Batch next = batches[turn];
        speculator.propose(next);
        if (!scheduler.next(next)) {
            return null;
        }
        journal.chosen();
        watch.begin(next);
        executor.submit(next, cache);
        watch.end();
        next.submittedNanos = clock.getAsLong();
        Guides.sitOut(next);
        scheduler.advance(next);
        turn = 1 - turn;
        return next;
    }

    @Override
    public void run() {
        thread = Thread.currentThread();
        try {
            waker.start();
            while (!closing) {
                if (!step() && inbox.isEmpty() && !closing) {
                    park();
                }
            }
            finish(new EngineException(EngineException.Code.CLOSED, "the engine was closed"));
        } catch (Throwable fault) { // the device or the scheduler failed: nothing can run any more
            if (watch.endIfOwned()) {
                EngineException why = internal("the engine has failed and is stopped", fault);
                failure = why;
                finish(why);
            }
        }
    }

    /**
     * Ends the engine in the loop's place, which is in a call of the executor and may stay there:
     * all requests fail. False, and nothing has happened, if that call has returned. Any thread.
     *
     * @param call of {@link #watch}
     */
    boolean giveUp(long call, EngineException why) {
        if (!watch.giveUp(call)) {
            return false;
        }
        failure = why.code() == EngineException.Code.CLOSED ? null : why;
        finish(why);
        return true;
    }

    StepWatch watch() {
        return watch;
    }

    /** Has the readers looked at that do not read, before the next step is chosen. Any thread. */
    void sweepReaders() {
        sweeps = true;
    }

    /** True once every request was told of the end. */
    boolean hasEnded() {
        return ended;
    }

    /** Hands a new request, or one that was cancelled, to the loop. Any thread. */
    void put(Request request) {
        inbox.put(request);
        if (ended) {
            rejectInbox();
        }
        unpark();
    }

    /** Forgets cached prefixes that nobody uses, before the next step is chosen. Any thread. */
    void forgetPrefixes() {
        forgets = true;
        unpark();
    }

    /** The events of the cache, kept from the first call on. Any thread. */
    synchronized KvEventLog listen(BlockKeys shared) {
        KvEventLog log = events;
        if (log == null) {
            log = new KvEventLog(shared, KvEventLog.KEPT);
            events = log;
            if (ended) {
                log.close();
            }
            unpark();
        }
        return log;
    }

    /** Live requests and the last ones that have ended. Any thread. */
    List<RequestReport> reports(int max) {
        return journal.reports(max, executor.bytesPerBlock(), clock.getAsLong());
    }

    /** Makes {@link #run} fail all requests and return. Any thread. */
    void close() {
        closing = true;
        unpark();
    }

    /** Why the loop has ended by itself; null where it has not. */
    @Nullable EngineException failure() {
        return failure;
    }

    Counters counters() {
        return counters;
    }

    private void park() {
        long nanos = executor.idleNanos();
        if (traffic != null && traffic.keepsAny()) {
            nanos = nanos == 0 ? KEPT_BACK_NANOS : Math.min(nanos, KEPT_BACK_NANOS);
        }
        if (nanos > 0) {
            LockSupport.parkNanos(this, nanos);
        } else {
            LockSupport.park(this);
        }
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
            live.add(request);
            request.liveIndex = live.size() - 1;
            try {
                add(request);
            } catch (RuntimeException | OutOfMemoryError fault) { // the others go on
                fail(request, fault);
            }
        }
        if (request.isCancelled()) {
            endAll(request, CANCELLED);
        }
    }

    private void add(Request request) {
        journal.arrived(request, scheduler.waiting(), scheduler.running());
        if (traffic == null || !traffic.keeps(request, clock.getAsLong())) {
            enter(request);
        }
    }

    private void enter(Request request) {
        for (Sequence sequence : request.sequences) {
            speculator.begin(sequence);
            scheduler.add(sequence);
            if (sequence.guide != null && sequence.index == 0) {
                sequence.guide.ask(); // it is made while the prompt is computed
            }
        }
    }

    @Override
    public void end(Sequence sequence, FinishReason reason) {
        Request request = sequence.request;
        scheduler.remove(sequence);
        speculator.ended(sequence);
        if (--request.openAnswers == 0) {
            Request last = live.removeLast();
            if (last != request) {
                last.liveIndex = request.liveIndex;
                live.set(request.liveIndex, last);
            }
            counters.publish();
            long now = clock.getAsLong();
            report(request, reason, now);
            request.markEnd(now);
        }
        sequence.answer.end(reason);
        wakeLater(request);
    }

    private void report(Request request, FinishReason reason, long now) {
        try {
            journal.ended(request, outcome(request, reason), executor.bytesPerBlock(), now);
        } catch (RuntimeException | OutOfMemoryError fault) { // without its report it has no end
            request.fail(internal("the request has failed", fault));
        }
    }

    private static String outcome(Request request, FinishReason reason) {
        EngineException failure = request.failure();
        return failure == null ? reason.apiName() : failure.code().name().toLowerCase(Locale.ROOT);
    }

    private void endAll(Request request, FinishReason reason) {
        if (traffic != null && traffic.let(request)) {
            enter(request); // to leave like any other
        }
        for (Sequence sequence : request.sequences) {
            if (!sequence.hasEnded()) {
                end(sequence, reason);
            }
        }
    }

    @Override
    public void fail(Request request, Throwable why) {
        EngineException error = internal("the request has failed", why);
        request.fail(error); // before the end, or its consumer could take it for cancelled
        endAll(request, CANCELLED);
    }

    private void finish(EngineException why) {
        door.shut(why);
        end = why;
        ended = true;
        for (int i = live.size() - 1; i >= 0; i--) {
            tellTheEnd(live.get(i), why);
        }
        rejectInbox();
        wakeConsumers();
        if (events != null) {
            events.close();
        }
        waker.close();
        counters.publish();
    }

    /** Also where the blocks are in such disorder that they cannot be given back. */
    private void tellTheEnd(Request request, EngineException why) {
        try {
            fail(request, why);
        } catch (RuntimeException | OutOfMemoryError disorder) {
            why.addSuppressed(disorder);
            wakeLater(request);
        }
    }

    /** After the end, whichever thread takes a request out of the inbox tells it, and once. */
    private synchronized void rejectInbox() {
        inbox.drain(request -> {
            if (!request.taken && end != null) {
                request.taken = true;
                request.fail(end);
                request.markEnd(clock.getAsLong());
                request.wake();
            }
        });
    }

    @Override
    public void wakeLater(Request request) {
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
        if (cause instanceof EngineException e) {
            return e;
        }
        boolean isLost =
                cause instanceof GangException
                        || cause instanceof NativeException e && e.status() == Status.DEVICE_LOST;
        return new EngineException(
                isLost ? EngineException.Code.DEVICE_LOST : EngineException.Code.INTERNAL,
                what + ": " + (isLost ? cause.getMessage() : cause),
                null,
                cause);
    }
}
