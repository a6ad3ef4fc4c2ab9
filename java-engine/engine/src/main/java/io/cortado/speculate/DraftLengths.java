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
    private static final double FORESEEN_CHANGE = 0.005;

    /** Drafts of a look. */
    private static final int LOOK = 2;

    private static final double FIRST_FORESEEN = 0.2;

    /**
     * Turns until drafts that have not paid are tried again; text that foresees itself asks little.
     */
    private static final int LONGEST_REST = 1024;

    private static final int LONGEST_REST_OF_TEXT = 256;

    private final int most;
    private final boolean isAdaptive;
    private final int offAbove;
    private final boolean foresees;
    private final StepTimes times = new StepTimes();
    private final DraftGate gate;

    /** Of one round of drafts, for all sequences together. */
    private double draftNanos;

    /** That the device waits for the host before a step with drafts. */
    private double heldNanos;

    private double guess = FIRST_GUESS;
    private double foreseen = FIRST_FORESEEN;
    private boolean isOpen;
    private boolean isReading = true;

    /**
     * @param most tokens of a draft
     * @param isAdaptive false: always the most
     * @param offAbove no drafts where more sequences run
     * @param foresees the first draft is known without drafting, so that what it is worth is known
     *     as well
     */
    public DraftLengths(int most, boolean isAdaptive, int offAbove, boolean foresees) {
        this.most = most;
        this.isAdaptive = isAdaptive;
        this.offAbove = offAbove;
        this.foresees = foresees;
        gate = new DraftGate(foresees ? LONGEST_REST_OF_TEXT : LONGEST_REST);
        isOpen = !isAdaptive;
    }

    /** For a sequence that begins. */
    public Acceptance acceptance() {
        return new Acceptance(guess, foresees ? foreseen : -1);
    }

    /** A step is to be chosen: decides whether drafts are made at all. */
    public void choose(int numSeqs) {
        boolean isAllowed = numSeqs <= offAbove;
        isOpen = isAllowed && (!isAdaptive || gate.isOpen(numSeqs));
        isReading = isAllowed && (!isAdaptive || gate.isReading(numSeqs));
    }

    /** True if what drafts is to read the prompts that come. */
    public boolean isReading() {
        return isReading;
    }

    /** True if drafts are made at all. */
    public boolean isOpen() {
        return isOpen;
    }

    /** A token of a sequence has come. */
    public void came(Acceptance acceptance, boolean asForeseen) {
        boolean said = asForeseen && !acceptance.isBehindNew();
        acceptance.came(asForeseen);
        foreseen += FORESEEN_CHANGE * ((said ? 1 : 0) - foreseen);
    }

    /** A turn is over. */
    public void ran(Turn turn) {
        if (isAdaptive) {
            gate.ran(turn);
        }
    }

    /** A step without tokens of prompts has run. */
    public void ran(int tokens, long nanos) {
        times.ran(tokens, nanos);
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
     * Tokens to draft for a sequence that does not rest, where drafts are made at all; where they
     * do not pay it rests from here on, unless it is known without drafts when they do. Asked once
     * a step, whatever comes of it.
     *
     * @param numSeqs that run
     */
    public int wanted(Acceptance acceptance, int numSeqs) {
        if (!isAdaptive) {
            return most;
        }
        if (acceptance.looks()) {
            return Math.min(LOOK, most);
        }
        int best = best(acceptance, numSeqs);
        if (best == 0 && !foresees) {
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

    private int best(Acceptance acceptance, int numSeqs) {
        int best = 0;
        double bestSpeed = MARGIN / times.of(numSeqs);
        double tokens = 1;
        double chance = 1;
        for (int length = 1; length <= most; length++) {
            chance *= length == 1 ? acceptance.firstRate() : acceptance.rate();
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
