package io.cortado.engine;

import io.cortado.api.RequestReport;
import io.cortado.kv.KvCache;
import org.jspecify.annotations.Nullable;

/**
 * What the loop notes beside its work: sums over the engine's life, from which each request's
 * {@link Ledger} takes differences, what it adds to the ledgers, and the events of the flight
 * recorder. The loop's; steps allocate nothing.
 *
 * <p>Why requests wait is noted once a turn for all of them: the time until the next turn is held
 * by whatever the last look at the queue was short of. So a long queue costs no more.
 */
final class Journal {
    /** What admission was short of. */
    enum Hold {
        PLACES,
        BLOCKS,
        BUDGET;

        static final int COUNT = values().length;
    }

    private final KvCache cache;
    private final FlightEvents events = new FlightEvents();
    private final History history = new History();
    private final StepSizes stepSizes = new StepSizes();
    private final long[] heldNanos = new long[Hold.COUNT];
    private @Nullable Hold hold;
    private long turnNanos;
    private long ranNanos;
    private long admitted;
    private long steps;
    private long promptTokens;
    private long outputTokens;
    private long queriedTokens;
    private long offloads;
    private long deviceNanos;
    private long evictionsBefore;
    private long hostNanosBefore;

    Journal(KvCache cache) {
        this.cache = cache;
    }

    History history() {
        return history;
    }

    StepSizes stepSizes() {
        return stepSizes;
    }

    /** Sequences that have started, again ones included. */
    long admitted() {
        return admitted;
    }

    /** Steps that have run. */
    long steps() {
        return steps;
    }

    /** Tokens of prompts that were computed. */
    long promptTokens() {
        return promptTokens;
    }

    /** Tokens that were drawn. */
    long outputTokens() {
        return outputTokens;
    }

    /** Tokens of sequences that started and share prefixes. */
    long queriedTokens() {
        return queriedTokens;
    }

    /** Blocks that went to host memory. */
    long offloads() {
        return offloads;
    }

    /** Time of the steps. */
    long deviceNanos() {
        return deviceNanos;
    }

    /** Time for which requests waited because of the Hold of this ordinal. */
    long heldNanos(int ordinal) {
        return heldNanos[ordinal];
    }

    /** A turn of the loop begins. */
    void turn(long nowNanos) {
        if (hold != null) {
            heldNanos[hold.ordinal()] += nowNanos - turnNanos;
        }
        turnNanos = nowNanos;
    }

    /** What the look at the queue was short of; null where nothing waits for want of anything. */
    void hold(@Nullable Hold why) {
        hold = why;
    }

    void arrived(Request request, int waiting, int running) {
        request.ledger.arrived(this, waiting, running);
        history.arrived(request);
    }

    /** A sequence starts, or starts again; to be called before its request hears of it. */
    void started(Sequence sequence, KvCache.Admission found, long nowNanos) {
        Request request = sequence.request;
        queriedTokens += sequence.keys == null ? 0 : sequence.length() - sequence.drawing;
        if (!request.hasStarted()) {
            request.ledger.started(this, found.reused(), found.fromHost());
            if (events.started.isEnabled()) {
                events.started.request = request.number();
                events.started.promptTokens = request.prompt.length;
                events.started.queued = nowNanos - request.arrivalNanos();
                events.started.commit();
            }
        }
        if (sequence.isThrownOut) {
            sequence.isThrownOut = false;
            int lost = Math.max(0, sequence.lostTokens - found.reused());
            request.ledger.resumed(nowNanos - sequence.thrownOutNanos, lost);
        }
        admitted++;
        if (found.reused() > 0 && events.cacheHit.isEnabled()) {
            events.cacheHit.request = request.number();
            events.cacheHit.tokens = found.reused();
            events.cacheHit.hostTokens = found.fromHost();
            events.cacheHit.commit();
        }
    }

    /** A sequence is about to be thrown out. */
    void preempted(Sequence sequence, long nowNanos) {
        sequence.request.ledger.preempted();
        sequence.isThrownOut = true;
        sequence.thrownOutNanos = nowNanos;
        sequence.lostTokens = sequence.computed;
        if (events.preempted.isEnabled()) {
            events.preempted.request = sequence.request.number();
            events.preempted.computedTokens = sequence.computed;
            events.preempted.commit();
        }
    }

    /** A step has been chosen: its moves are known and not yet made. */
    void chosen() {
        offloads += cache.toHost().size();
        long evictions = cache.pool().evictions();
        long evicted = evictions - evictionsBefore;
        evictionsBefore = evictions;
        int fromHost = cache.toDevice().size();
        if (evicted + fromHost > 0 && events.cacheMove.isEnabled()) {
            events.cacheMove.evicted = evicted;
            events.cacheMove.toHost = cache.toHost().size();
            events.cacheMove.fromHost = fromHost;
            events.cacheMove.commit();
        }
    }

    /**
     * A step has run, and its end was just seen. Its time counts from when it could begin: it was
     * submitted, and the one before had ended.
     *
     * @param hostNanos the loop's own work since the start
     */
    void ran(Batch batch, Scheduler scheduler, long hostNanos, long nowNanos) {
        long nanos = nowNanos - Math.max(batch.submittedNanos, ranNanos);
        ranNanos = nowNanos;
        steps++;
        promptTokens += batch.promptTokens();
        deviceNanos += nanos;
        stepSizes.add(batch.numTokens());
        for (int i = 0; i < scheduler.running(); i++) {
            Sequence sequence = scheduler.running(i);
            sequence.request.ledger.hold(sequence.table.size(), nanos);
        }
        charge(batch, nanos);
        if (events.step.isEnabled()) {
            events.step.sequences = batch.numSeqs();
            events.step.tokens = batch.numTokens();
            events.step.promptTokens = batch.promptTokens();
            events.step.waiting = scheduler.waiting();
            events.step.deviceTime = nanos;
            events.step.hostTime = hostNanos - hostNanosBefore;
            events.step.commit();
        }
        hostNanosBefore = hostNanos;
    }

    private static void charge(Batch batch, long nanos) {
        int prompts = 0;
        for (int i = 0; i < batch.numSeqs(); i++) {
            prompts += batch.isChunk(i) ? 1 : 0;
        }
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            if (sequence.hasEnded()) {
                continue; // what it draws is nobody's
            }
            if (batch.isChunk(i)) {
                sequence.request.ledger.chunk(batch, batch.tokensOf(i), prompts - 1, nanos);
            } else {
                sequence.request.ledger.decode(batch, nanos);
            }
        }
    }

    void drew() {
        outputTokens++;
    }

    void firstToken(Request request, long nowNanos) {
        if (events.firstToken.isEnabled()) {
            events.firstToken.request = request.number();
            events.firstToken.timeToFirstToken = nowNanos - request.arrivalNanos();
            events.firstToken.commit();
        }
    }

    /** All answers have ended; to be called before anybody can see it. */
    void ended(Request request, String outcome, long bytesPerBlock, long nowNanos) {
        RequestReport report = request.report(outcome, bytesPerBlock, nowNanos);
        request.reported(report);
        history.ended(request, report);
        if (events.ended.isEnabled()) {
            events.ended.request = request.number();
            events.ended.outcome = outcome;
            events.ended.outputTokens = report.timings().completionTokens();
            events.ended.cachedTokens = report.prefill().cachedTokens();
            events.ended.preemptions = report.preemption().count();
            events.ended.latency = report.timings().e2eNanos();
            events.ended.deviceTime = report.cost().deviceNanos();
            events.ended.kvByteSeconds = report.cost().kvByteSeconds();
            events.ended.commit();
        }
    }
}
