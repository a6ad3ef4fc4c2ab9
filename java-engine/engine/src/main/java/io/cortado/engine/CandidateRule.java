package io.cortado.engine;

import io.cortado.device.SampleRow;
import io.cortado.model.RowCandidates;

/**
 * Decides which rows of a model on several ranks are drawn from candidates: the first tokens of
 * each rank's part of the vocabulary, at least as many as decide the draw and are reported, and one
 * more for each id that a ban, a bias or a penalty may lower. So many tokens come before any other
 * one that is left out, and stay before it: those that are not lowered are enough. What raises a
 * logit, masks, or changes all of them needs the row whole, and so does the log-probability of a
 * row with bans, which are not known where the logits are weighed.
 */
final class CandidateRule {
    private static final int WHOLE = 0;

    private final int most;

    /**
     * @param most candidates of a row
     */
    CandidateRule(int most) {
        this.most = most;
    }

    /** Says it of all rows of a batch. */
    void fill(Batch batch, RowCandidates to) {
        for (int row = 0; row < batch.numRows(); row++) {
            int count = batch.rowForced[row] == Batch.DRAW ? count(batch, row) : WHOLE;
            if (count == WHOLE || count > most) {
                to.whole(row);
            } else {
                Sequence sequence = batch.sequence(batch.rowSequence[row]);
                to.candidates(row, count, sequence.request.rowParams.row().hasRawLogprobs());
            }
        }
    }

    private static int count(Batch batch, int row) {
        Sequence sequence = batch.sequence(batch.rowSequence[row]);
        RowParams params = sequence.request.rowParams;
        int numOutput = (int) batch.rowPosition[row] - sequence.prompt.length;
        int numEnds = sequence.stops.banned(numOutput).length;
        int numWords = params.badWords() == null ? 0 : params.badWords().sequences().length;
        return count(params, numOutput, numEnds + numWords);
    }

    /**
     * @param numOutput tokens behind the prompt that penalties count
     * @param numBans beside the bias, at most
     * @return {@link #WHOLE}, or how many candidates are enough
     */
    static int count(RowParams params, int numOutput, int numBans) {
        SampleRow row = params.row();
        boolean asksForAll =
                params.allowedMask() != null
                        || params.dry() != null
                        || params.guide() != null
                        || !params.processors().isEmpty();
        int decisive = row.numDecisive();
        if (asksForAll || decisive == 0 || raises(params)) {
            return WHOLE;
        }
        if (row.hasRawLogprobs() && (numBans > 0 || bans(params))) {
            return WHOLE;
        }
        long lowered = (long) params.biasIds().length + numBans;
        if (row.hasPenalties()) {
            lowered += params.promptMarks().length + numOutput;
        }
        return (int) Math.min(Math.max(decisive, row.numTop()) + lowered, Integer.MAX_VALUE);
    }

    private static boolean raises(RowParams params) {
        for (float value : params.biasValues()) {
            if (!(value <= 0)) {
                return true;
            }
        }
        return params.row().hasPenalties() && !params.row().onlyLowers();
    }

    private static boolean bans(RowParams params) {
        for (float value : params.biasValues()) {
            if (value == Float.NEGATIVE_INFINITY) {
                return true;
            }
        }
        return false;
    }
}
