package io.cortado.engine;

import io.cortado.api.RequestReport;
import io.cortado.kv.KvCache;
import java.util.List;
import jdk.jfr.FlightRecorder;
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
    private final History history = new History();
    private final StepSizes stepSizes = new StepSizes();
    private final long[] heldNanos = new long[Hold.COUNT];
    private @Nullable Hold hold;

    /** Null until a recording was made in this process: to prepare them delays the first token. */
    private @Nullable FlightEvents events;

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

    /** Live requests and the last ones that have ended. Any thread. */
    List<RequestReport> reports(int max, long bytesPerBlock, long nowNanos) {
        return history.reports(max, this, bytesPerBlock, nowNanos);
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
        if (events == null && FlightRecorder.isInitialized()) {
            events = new FlightEvents();
        }
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
        FlightEvents on = events;
        queriedTokens += sequence.keys == null ? 0 : sequence.length() - sequence.drawing;
        if (!request.hasStarted()) {
            request.ledger.started(this, found.reused(), found.fromHost());
            if (on != null && on.started.isEnabled()) {
                on.started.request = request.number();
                on.started.promptTokens = request.prompt.length;
                on.started.queued = nowNanos - request.arrivalNanos();
                on.started.commit();
            }
        }
        if (sequence.isThrownOut) {
            sequence.isThrownOut = false;
            int lost = Math.max(0, sequence.lostTokens - found.reused());
            request.ledger.resumed(nowNanos - sequence.thrownOutNanos, lost);
        }
        admitted++;
        if (found.reused() > 0 && on != null && on.cacheHit.isEnabled()) {
            on.cacheHit.request = request.number();
            on.cacheHit.tokens = found.reused();
            on.cacheHit.hostTokens = found.fromHost();
            on.cacheHit.commit();
        }
    }

    /** A sequence is about to be thrown out. */
    void preempted(Sequence sequence, long nowNanos) {
        sequence.request.ledger.preempted();
        sequence.isThrownOut = true;
        sequence.thrownOutNanos = nowNanos;
        sequence.lostTokens = sequence.computed;
        FlightEvents on = events;
        if (on != null && on.preempted.isEnabled()) {
            on.preempted.request = sequence.request.number();
            on.preempted.computedTokens = sequence.computed;
            on.preempted.commit();
        }
    }

    /** A step has been chosen: its moves are known and not yet made. */
    void chosen() {
        offloads += cache.toHost().size();
        long evictions = cache.pool().evictions();
        long evicted = evictions - evictionsBefore;
        evictionsBefore = evictions;
        int fromHost = cache.toDevice().size();
        FlightEvents on = events;
        if (evicted + fromHost > 0 && on != null && on.cacheMove.isEnabled()) {
            on.cacheMove.evicted = evicted;
            on.cacheMove.toHost = cache.toHost().size();
            on.cacheMove.fromHost = fromHost;
            on.cacheMove.commit();
        }
    }

    /**
     * A step has run, and its end was just seen. Its time counts from when it could begin: it was
     * submitted, and the one before had ended.
     *
     * @param hostNanos the loop's own work since the start
     * @return its time
     */
    long ran(Batch batch, Scheduler scheduler, long hostNanos, long nowNanos) {
        long nanos = nowNanos - Math.max(batch.submittedNanos, ranNanos);
        ranNanos = nowNanos;
        steps++;
        promptTokens += batch.promptTokens();
        deviceNanos += nanos;
        stepSizes.add(batch.numTokens());
        for (int i = 0; i < scheduler.running(); i++) {
            Sequence sequence = scheduler.running(i);
            Drafts drafts = sequence.drafts;
            int forked = drafts == null ? 0 : drafts.paths().numHeld();
            sequence.request.ledger.hold(sequence.table.size() + forked, nanos);
        }
        charge(batch, nanos);
        FlightEvents on = events;
        if (on != null && on.step.isEnabled()) {
            on.step.sequences = batch.numSeqs() - batch.numForks();
            on.step.tokens = batch.numTokens();
            on.step.promptTokens = batch.promptTokens();
            on.step.drafts = batch.numDrafts();
            on.step.waiting = scheduler.waiting();
            on.step.deviceTime = nanos;
            on.step.hostTime = hostNanos - hostNanosBefore;
            on.step.commit();
        }
        hostNanosBefore = hostNanos;
        return nanos;
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
            if (batch.isFork(i)) {
                sequence.request.ledger.charge(batch, batch.tokensOf(i), nanos);
            } else if (batch.isChunk(i)) {
                sequence.request.ledger.chunk(batch, batch.tokensOf(i), prompts - 1, nanos);
            } else {
                sequence.request.ledger.decode(batch, batch.tokensOf(i), nanos);
            }
        }
    }

    void drew() {
        outputTokens++;
    }

    void firstToken(Request request, long nowNanos) {
        FlightEvents on = events;
        if (on != null && on.firstToken.isEnabled()) {
            on.firstToken.request = request.number();
            on.firstToken.timeToFirstToken = nowNanos - request.arrivalNanos();
            on.firstToken.commit();
        }
    }

    /** All answers have ended; to be called before anybody can see it. */
    void ended(Request request, String outcome, long bytesPerBlock, long nowNanos) {
        RequestReport report = request.report(outcome, this, bytesPerBlock, nowNanos);
        request.reported(report);
        history.ended(request, report);
        FlightEvents on = events;
        if (on != null && on.ended.isEnabled()) {
            on.ended.request = request.number();
            on.ended.outcome = outcome;
            on.ended.outputTokens = report.timings().completionTokens();
            on.ended.draftTokens = report.drafts().tokens();
            on.ended.acceptedDraftTokens = report.drafts().accepted();
            on.ended.cachedTokens = report.prefill().cachedTokens();
            on.ended.preemptions = report.preemption().count();
            on.ended.latency = report.timings().e2eNanos();
            on.ended.deviceTime = report.cost().deviceNanos();
            on.ended.kvByteSeconds = report.cost().kvByteSeconds();
            on.ended.commit();
        }
    }
}
