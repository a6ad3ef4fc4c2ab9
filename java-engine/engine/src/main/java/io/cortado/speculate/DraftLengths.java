package io.cortado.speculate;

/**
 * How many tokens to draft: as many as give the most tokens a second, by what steps and drafts have
 * taken and how many drafts stood lately. None where drafts do not pay, with a look now and then
 * whether they do by now. Which tokens come out does not depend on it. One thread.
 */
public final class DraftLengths {
    /** What more tokens a second must be promised, so that noise does not decide. */
    private static final double MARGIN = 1.03;

    private static final double CHANGE = 0.2;
    private static final double FIRST_GUESS = 0.7;
    private static final double GUESS_CHANGE = 0.02;

    /** Drafts of a look. */
    private static final int LOOK = 2;

    /** Steps with drafts until one without them tells again what it takes. */
    private static final int STEPS_BETWEEN = 128;

    private final int most;
    private final boolean isAdaptive;
    private final int offAbove;
    private final StepTimes times = new StepTimes();

    /** Of one round of drafts, for all sequences together. */
    private double draftNanos;

    /** That the device waits for the host before a step with drafts. */
    private double heldNanos;

    private double guess = FIRST_GUESS;
    private int stepsSince;

    /**
     * @param most tokens of a draft
     * @param isAdaptive false: always the most
     * @param offAbove no drafts where more sequences run
     */
    public DraftLengths(int most, boolean isAdaptive, int offAbove) {
        this.most = most;
        this.isAdaptive = isAdaptive;
        this.offAbove = offAbove;
    }

    /** For a sequence that begins. */
    public Acceptance acceptance() {
        return new Acceptance(guess);
    }

    /** A step without tokens of prompts has run. */
    public void ran(int tokens, int drafts, long nanos) {
        times.ran(tokens, nanos);
        stepsSince = drafts == 0 ? 0 : stepsSince + 1;
    }

    /** Drafts were made in so many rounds, one token of each sequence a round. */
    public void drafted(int rounds, long nanos) {
        double each = (double) nanos / rounds;
        draftNanos += (draftNanos == 0 ? 1 : CHANGE) * (each - draftNanos);
    }

    /** A step with drafts could not be prepared ahead: for so long nothing ran. */
    public void held(long nanos) {
        heldNanos += (heldNanos == 0 ? 1 : CHANGE) * (nanos - heldNanos);
    }

    /** A sequence's drafts were verified. */
    public void verified(Acceptance acceptance, int drafted, int accepted) {
        acceptance.verified(drafted, accepted);
        int tried = accepted + (accepted < drafted ? 1 : 0);
        guess += Math.min(1, GUESS_CHANGE * tried) * ((double) accepted / tried - guess);
    }

    /**
     * Tokens to draft for a sequence that does not rest; where drafts do not pay it rests from here
     * on. Asked once a step, whatever comes of it.
     *
     * @param numSeqs that run
     */
    public int wanted(Acceptance acceptance, int numSeqs) {
        if (numSeqs > offAbove) {
            acceptance.rest();
            return 0;
        }
        if (!isAdaptive) {
            return most;
        }
        if (acceptance.takeLook()) {
            return Math.min(LOOK, most);
        }
        if (stepsSince > STEPS_BETWEEN || !times.knows(numSeqs)) {
            return 0;
        }
        int best = best(acceptance.rate(), numSeqs);
        if (best == 0) {
            acceptance.rest();
        }
        return best;
    }

    /**
     * Tokens a nanosecond, in a step with drafts.
     *
     * @param tokens that it gives a sequence
     * @param stepTokens that it computes in all
     * @param nanos that drafting takes
     */
    double speed(double tokens, int stepTokens, double nanos) {
        return tokens / (times.of(stepTokens) + nanos + heldNanos);
    }

    /** Of one round of drafts in chains. */
    double roundNanos() {
        return draftNanos;
    }

    private int best(double rate, int numSeqs) {
        int best = 0;
        double bestSpeed = MARGIN / times.of(numSeqs);
        double tokens = 1;
        double chance = 1;
        for (int length = 1; length <= most; length++) {
            chance *= rate;
            tokens += chance;
            double step = times.of(numSeqs * (1 + length));
            double nanos = step + length * draftNanos + heldNanos;
            if (tokens / nanos > bestSpeed) {
                bestSpeed = tokens / nanos;
                best = length;
            }
        }
        return best;
    }
}
