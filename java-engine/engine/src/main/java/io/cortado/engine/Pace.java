package io.cortado.engine;

/**
 * How many tokens of prompts may share a step with decodes, so that the step takes no longer than
 * the time that is asked for between tokens. It goes by the steps that have run: one that took less
 * lets the next have more, one that took longer fewer, by what a token of a prompt seems to take.
 * So it follows what it does not know: contexts that grow, answers that come and go, what else the
 * machine does. Which tokens come out does not depend on it, only when. The loop's.
 */
final class Pace {
    /** Of the time that is asked for: the rest is for what steps differ by. */
    private static final double AIM = 0.92;

    /** Of a step without prompts: prompts get as much even where the target leaves less. */
    private static final double LEAST_SHARE = 0.25;

    /** Before any step has told what a token takes. */
    private static final int FIRST_TOKENS = 16;

    private static final double LEAST_NANOS = 1;

    /** Of what seems to be left over, or to be too much: slow to believe in good times. */
    private static final double RISE = 0.25;

    private static final double FALL = 0.5;

    /** Of the tokens, the most that one step changes: some take long for no reason of theirs. */
    private static final double MOST_CHANGE = 0.25;

    private static final double DECODES_CHANGE = 0.25;

    private final double targetNanos;
    private boolean hasDecodes;
    private double decodesNanos;
    private double tokens = FIRST_TOKENS;

    /**
     * @param targetNanos {@link Limits#ANY_TIME}: none
     */
    Pace(long targetNanos) {
        this.targetNanos = targetNanos == Limits.ANY_TIME ? 0 : targetNanos;
    }

    /** The most tokens of prompts in a step that decodes as well; at least 1. */
    int promptTokens() {
        return targetNanos == 0 ? Integer.MAX_VALUE : (int) tokens;
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
            learn(others, nanos);
        }
    }

    /** What the decodes take is known from before the prompt: a token seems to take too long. */
    private void learn(int others, long nanos) {
        decodesNanos = Math.min(decodesNanos, nanos);
        double tokenNanos = Math.max(LEAST_NANOS, (nanos - decodesNanos) / others);
        double left = (aim() - nanos) / tokenNanos;
        if (left < 0) {
            tokens -= Math.min(-left * FALL, tokens * MOST_CHANGE);
        } else if (others >= (int) tokens) {
            tokens += Math.min(left * RISE, tokens * MOST_CHANGE);
        }
        tokens = Math.max(1, tokens);
    }

    private double aim() {
        double least = hasDecodes ? (1 + LEAST_SHARE) * decodesNanos : 0;
        return Math.max(AIM * targetNanos, least);
    }
}
