package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.api.Speculation;
import io.cortado.model.ModelConfig;
import java.util.concurrent.TimeUnit;

/**
 * What a scheduler keeps to.
 *
 * @param maxNumSeqs sequences that run at once
 * @param maxNumBatchedTokens token budget of a step
 * @param maxScoreRows prompt tokens scored in a step: each costs a row of logits
 * @param maxPreemptions times that one sequence is thrown out; then it comes back only with all the
 *     blocks that it can ever need, and is never thrown out again
 * @param maxPassedOver times that later ones overtake a waiting sequence that does not fit; then
 *     all behind it wait
 * @param watermarkBlocks blocks that admission leaves free for the running ones to grow
 * @param otherAnglesAbove a sequence that grows longer than so many tokens is computed again from
 *     its start: all its tokens then rotate by other angles (long rope)
 * @param itlTargetNanos what a step with decodes should take at most; see {@link Pace}
 * @param maxStates running sequences that the device counts tokens of
 * @param maxDrafts tokens that are drafted for one sequence in a step; 0: no speculation
 * @param maxForks ways of trees of drafts in a step beside each sequence's own; see {@link
 *     DraftPaths}
 */
record Limits(
        int maxNumSeqs,
        int maxNumBatchedTokens,
        int maxScoreRows,
        int maxPreemptions,
        int maxPassedOver,
        int watermarkBlocks,
        int otherAnglesAbove,
        long itlTargetNanos,
        int maxStates,
        int maxDrafts,
        int maxForks) {

    /** No target. */
    static final long ANY_TIME = Long.MAX_VALUE;

    private static final int SCORE_ROWS = 64;
    private static final int DRAFT_ROWS = 256;
    private static final int MAX_FORKS = 128;
    private static final int PREEMPTIONS = 3;
    private static final int PASSED_OVER = 64;
    private static final int WATERMARK_PERCENT = 1;
    private static final int STATE_BYTES_PER_TOKEN = 8;
    private static final long MAX_STATE_BYTES = 1L << 29;

    /** With counts for all sequences. */
    Limits(
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxScoreRows,
            int maxPreemptions,
            int maxPassedOver,
            int watermarkBlocks,
            int otherAnglesAbove,
            long itlTargetNanos) {
        this(
                maxNumSeqs,
                maxNumBatchedTokens,
                maxScoreRows,
                maxPreemptions,
                maxPassedOver,
                watermarkBlocks,
                otherAnglesAbove,
                itlTargetNanos,
                maxNumSeqs,
                0,
                0);
    }

    /** The usual limits. A step has room for a token of each sequence, so no decode ever pauses. */
    static Limits of(int maxNumSeqs, int maxNumBatchedTokens, int numBlocks) {
        return new Limits(
                Math.min(maxNumSeqs, maxNumBatchedTokens),
                maxNumBatchedTokens,
                Math.min(SCORE_ROWS, maxNumBatchedTokens),
                PREEMPTIONS,
                PASSED_OVER,
                Math.max(1, numBlocks * WATERMARK_PERCENT / 100),
                Integer.MAX_VALUE,
                ANY_TIME);
    }

    /** Those of an engine. */
    static Limits of(EngineOptions options, ModelConfig config, int numBlocks) {
        return of(options.maxNumSeqs(), options.maxNumBatchedTokens(), numBlocks)
                .otherAnglesAbove(config.otherAnglesAbove())
                .statesOf(config.vocabSize())
                .itlTarget(options)
                .drafts(options.speculation());
    }

    Limits otherAnglesAbove(int tokens) {
        return new Limits(
                maxNumSeqs,
                maxNumBatchedTokens,
                maxScoreRows,
                maxPreemptions,
                maxPassedOver,
                watermarkBlocks,
                tokens,
                itlTargetNanos,
                maxStates,
                maxDrafts,
                maxForks);
    }

    Limits itlTarget(EngineOptions options) {
        long ms = options.itlTargetMs();
        return itlTargetNanos(ms == 0 ? ANY_TIME : TimeUnit.MILLISECONDS.toNanos(ms));
    }

    Limits itlTargetNanos(long nanos) {
        return new Limits(
                maxNumSeqs,
                maxNumBatchedTokens,
                maxScoreRows,
                maxPreemptions,
                maxPassedOver,
                watermarkBlocks,
                otherAnglesAbove,
                nanos,
                maxStates,
                maxDrafts,
                maxForks);
    }

    /** Within memory for so many of a vocabulary; at least one. */
    Limits statesOf(int vocabSize) {
        long affordable = MAX_STATE_BYTES / ((long) STATE_BYTES_PER_TOKEN * vocabSize);
        return new Limits(
                maxNumSeqs,
                maxNumBatchedTokens,
                maxScoreRows,
                maxPreemptions,
                maxPassedOver,
                watermarkBlocks,
                otherAnglesAbove,
                itlTargetNanos,
                Math.clamp(affordable, 1, maxNumSeqs),
                maxDrafts,
                maxForks);
    }

    /** With the drafts that are asked for. */
    Limits drafts(Speculation how) {
        if (how.isOff()) {
            return drafts(0, 0);
        }
        int forks = how.hasTrees() ? Math.min(MAX_FORKS, maxNumSeqs * (how.nodes() - 1)) : 0;
        int nodes = Math.max(how.nodes(), how.tokens()); // chains where they pay more
        return drafts(nodes, Math.min(forks, maxNumBatchedTokens - maxNumSeqs));
    }

    /** With so many drafts for each sequence. */
    private Limits drafts(int most, int forks) {
        return new Limits(
                maxNumSeqs,
                maxNumBatchedTokens,
                maxScoreRows,
                maxPreemptions,
                maxPassedOver,
                watermarkBlocks,
                otherAnglesAbove,
                itlTargetNanos,
                maxStates,
                most,
                forks);
    }

    /** Drafts of a step, over all sequences: each costs a row of logits. */
    int maxDraftRows() {
        int all = Math.min(maxNumSeqs * maxDrafts, maxNumBatchedTokens - maxNumSeqs);
        return Math.clamp(all, 0, Math.max(DRAFT_ROWS, maxDrafts));
    }

    /** {@link #maxTables} of an engine. */
    static int tables(EngineOptions options) {
        return of(options.maxNumSeqs(), options.maxNumBatchedTokens(), 1)
                .drafts(options.speculation())
                .maxTables();
    }

    /** Rows of the block table of a step. */
    int maxTables() {
        return maxNumSeqs + maxForks;
    }

    /** Rows of logits that a step may ask for. */
    int maxRows() {
        return maxNumSeqs + maxScoreRows + maxDraftRows();
    }
}
