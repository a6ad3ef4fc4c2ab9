package io.cortado.engine;

import io.cortado.api.RequestReport;

/**
 * What one request waited for and has cost. The loop's to write, a few additions a step; another
 * thread that reads it while the request lives may see numbers of different steps.
 */
final class Ledger {
    private final long[] heldBefore = new long[Journal.Hold.COUNT];
    private final long[] held = new long[Journal.Hold.COUNT];
    private int waitingAhead;
    private int runningAhead;
    private long admittedBefore;
    private long stepsBefore;
    private long promptTokensBefore;
    private long outputTokensBefore;
    private long admitted;
    private long stepsWaited;
    private long promptTokensOfOthers;
    private long outputTokensOfOthers;
    private boolean isStarted;

    private int cachedTokens;
    private int hostTokens;
    private int chunks;
    private long chunkTokens;
    private long chunkStepTokens;
    private int maxOthers;
    private long chunkNanos;

    private int steps;
    private long nanos;
    private int mixedSteps;
    private long mixedNanos;
    private long slowestNanos;
    private int slowestSeqs;
    private int slowestTokens;
    private int slowestPromptTokens;

    private int draftsVerified;
    private int draftTokens;
    private int draftTokensAccepted;

    private int preemptions;
    private long preemptedNanos;
    private long recomputedTokens;

    private long deviceNanos;
    private double blockNanos;

    /** The request waits from here on. */
    void arrived(Journal journal, int waiting, int running) {
        waitingAhead = waiting;
        runningAhead = running;
        admittedBefore = journal.admitted();
        stepsBefore = journal.steps();
        promptTokensBefore = journal.promptTokens();
        outputTokensBefore = journal.outputTokens();
        for (int i = 0; i < held.length; i++) {
            heldBefore[i] = journal.heldNanos(i);
        }
    }

    /** Its first sequence runs from here on. */
    void started(Journal journal, int cached, int fromHost) {
        cachedTokens = cached;
        hostTokens = fromHost;
        admitted = journal.admitted() - admittedBefore;
        stepsWaited = journal.steps() - stepsBefore;
        promptTokensOfOthers = journal.promptTokens() - promptTokensBefore;
        outputTokensOfOthers = journal.outputTokens() - outputTokensBefore;
        for (int i = 0; i < held.length; i++) {
            held[i] = journal.heldNanos(i) - heldBefore[i];
        }
        isStarted = true;
    }

    void preempted() {
        preemptions++;
    }

    /** A sequence runs again. */
    void resumed(long waitedNanos, int recomputed) {
        preemptedNanos += waitedNanos;
        recomputedTokens += recomputed;
    }

    /**
     * A step computed a part of the prompt.
     *
     * @param others other prompts that it worked on
     */
    void chunk(Batch batch, int tokens, int others, long stepNanos) {
        chunks++;
        chunkTokens += tokens;
        chunkStepTokens += batch.numTokens();
        maxOthers = Math.max(maxOthers, others);
        chunkNanos += stepNanos;
        charge(batch, tokens, stepNanos);
    }

    /** A step computed one token, and drafts behind it. */
    void decode(Batch batch, int tokens, long stepNanos) {
        steps++;
        nanos += stepNanos;
        if (batch.promptTokens() > 0) {
            mixedSteps++;
            mixedNanos += stepNanos;
        }
        if (stepNanos > slowestNanos) {
            slowestNanos = stepNanos;
            slowestSeqs = batch.numSeqs() - batch.numForks();
            slowestTokens = batch.numTokens();
            slowestPromptTokens = batch.promptTokens();
        }
        charge(batch, tokens, stepNanos);
    }

    /** A draft of so many tokens was verified. */
    void drafted(int tokens) {
        draftsVerified++;
        draftTokens += tokens;
    }

    /** A token of it stands. */
    void draftStands() {
        draftTokensAccepted++;
    }

    /** A step computed so many tokens of the request. */
    void charge(Batch batch, int tokens, long stepNanos) {
        deviceNanos += stepNanos * tokens / batch.numTokens();
    }

    /** KV blocks were held for a while. */
    void hold(int blocks, long whileNanos) {
        blockNanos += (double) blocks * whileNanos;
    }

    int draftTokens() {
        return draftTokens;
    }

    int draftTokensAccepted() {
        return draftTokensAccepted;
    }

    int preemptions() {
        return preemptions;
    }

    /** Of what waits still, up to now. */
    RequestReport.Queue queue(Journal journal) {
        return new RequestReport.Queue(
                waitingAhead,
                runningAhead,
                isStarted ? admitted : journal.admitted() - admittedBefore,
                isStarted ? stepsWaited : journal.steps() - stepsBefore,
                held(journal, Journal.Hold.PLACES),
                held(journal, Journal.Hold.BLOCKS),
                held(journal, Journal.Hold.BUDGET),
                isStarted ? promptTokensOfOthers : journal.promptTokens() - promptTokensBefore,
                isStarted ? outputTokensOfOthers : journal.outputTokens() - outputTokensBefore);
    }

    private long held(Journal journal, Journal.Hold why) {
        int i = why.ordinal();
        return isStarted ? held[i] : journal.heldNanos(i) - heldBefore[i];
    }

    RequestReport.Prefill prefill() {
        return new RequestReport.Prefill(
                cachedTokens,
                hostTokens,
                chunks,
                chunkTokens,
                chunkStepTokens,
                maxOthers,
                chunkNanos);
    }

    RequestReport.Decode decode() {
        return new RequestReport.Decode(
                steps,
                nanos,
                mixedSteps,
                mixedNanos,
                new RequestReport.SlowestStep(
                        slowestNanos, slowestSeqs, slowestTokens, slowestPromptTokens));
    }

    RequestReport.Drafts drafts() {
        return new RequestReport.Drafts(draftsVerified, draftTokens, draftTokensAccepted);
    }

    RequestReport.Preemption preemption() {
        return new RequestReport.Preemption(preemptions, preemptedNanos, recomputedTokens);
    }

    RequestReport.Cost cost(long bytesPerBlock) {
        return new RequestReport.Cost(deviceNanos, blockNanos * bytesPerBlock / 1e9);
    }
}
