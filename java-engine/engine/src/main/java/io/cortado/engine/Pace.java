package io.cortado.engine;

/**
 * How many tokens of prompts may share a step with decodes, so that the step takes no longer than
 * the time that is asked for between tokens. It goes by the steps that have run: what one without
 * prompts takes, and what each token of a prompt adds, which grows with the prompts' contexts.
 * Which tokens come out does not depend on it, only when. The loop's.
 */
final class Pace {
    /** Of the time that is asked for: the rest is for what steps differ by. */
    private static final double AIM = 0.9;

    /** Of a step without prompts: prompts get as much even where the target leaves less. */
    private static final double LEAST_SHARE = 0.25;

    /** Before any step has told what a token takes. */
    private static final int FIRST_TOKENS = 16;

    private static final double LEAST_NANOS = 1;
    private static final double MOST_RISE = 2;
    private static final double RISE = 0.5;
    private static final double FALL = 0.2;
    private static final double DECODES_CHANGE = 0.25;

    private final double targetNanos;
    private boolean hasDecodes;
    private double decodesNanos;
    private boolean hasToken;
    private double tokenNanos;

    /**
     * @param targetNanos {@link Limits#ANY_TIME}: none
     */
    Pace(long targetNanos) {
        this.targetNanos = targetNanos == Limits.ANY_TIME ? 0 : targetNanos;
    }

    /** The most tokens of prompts in a step that decodes as well; at least 1. */
    int promptTokens() {
        if (targetNanos == 0) {
            return Integer.MAX_VALUE;
        }
        return hasToken ? (int) Math.max(1, room() / tokenNanos) : FIRST_TOKENS;
    }

    private double room() {
        double least = LEAST_SHARE * (hasDecodes ? decodesNanos : targetNanos);
        return Math.max(least, AIM * targetNanos - decodesNanos);
    }

    /** A step has run. */
    void ran(Batch batch, long nanos) {
        int others = batch.numTokens() - batch.decodes();
        if (targetNanos == 0 || batch.decodes() == 0) {
            return;
        }
        if (others == 0) {
            decodesNanos += (hasDecodes ? DECODES_CHANGE : 1) * (nanos - decodesNanos);
            hasDecodes = true;
        } else {
            decodesNanos = Math.min(decodesNanos, nanos);
            learn(Math.max(LEAST_NANOS, (nanos - decodesNanos) / others));
        }
    }

    /** Quick to believe that tokens take longer, slow to believe the contrary. */
    private void learn(double seen) {
        if (!hasToken) {
            tokenNanos = Math.max(seen, room() / (MOST_RISE * FIRST_TOKENS));
        } else if (seen > tokenNanos) {
            tokenNanos = Math.min(tokenNanos + RISE * (seen - tokenNanos), MOST_RISE * tokenNanos);
        } else {
            tokenNanos += FALL * (seen - tokenNanos);
        }
        hasToken = true;
    }
}
