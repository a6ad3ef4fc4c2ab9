package io.cortado.speculate;

/**
 * How likely a draft stands if the one before it does, as the last steps of a sequence tell. One
 * thread.
 */
public final class Acceptance {
    /** Of what was before, at each step: some ten steps count. */
    private static final double KEPT = 0.9;

    /** Drafts that the first guess weighs. */
    private static final double WEIGHT = 4;

    private static final double FORESIGHT_CHANGE = 1.0 / 16;

    private static final int FIRST_REST = 16;
    private static final int LONGEST_REST = 256;
    private static final int LOOKS = 3;

    /** Whether the next token is foreseen is known without drafts. */
    private final boolean foresees;

    private double stood;
    private double tried = WEIGHT;
    private double foreseen;

    /** The same of those that are drafted behind new tokens, where nothing else is. */
    private double behindNew;

    private boolean isBehindNew;

    /** Steps without drafts until the next look whether they pay by now. */
    private int rest;

    private int nextRest = FIRST_REST;

    /** Steps that may yet make the drafts that are to tell whether they pay by now. */
    private int looks;

    /**
     * @param guess of the rate, before anything is known
     * @param foreseen the first guess of how many tokens would have been drafted right; negative:
     *     only drafts can tell
     */
    public Acceptance(double guess, double foreseen) {
        stood = WEIGHT * guess;
        foresees = foreseen >= 0;
        this.foreseen = foreseen;
        behindNew = foreseen;
    }

    /** Of drafts behind one that stands; in [0, 1]. */
    public double rate() {
        return stood / tried;
    }

    /** Of first drafts. */
    double firstRate() {
        if (!foresees) {
            return rate();
        }
        return isBehindNew ? behindNew : foreseen;
    }

    boolean foresees() {
        return foresees;
    }

    /** A token has come, drafted or not, and it is the one that would have been drafted or not. */
    public void came(boolean asForeseen) {
        if (isBehindNew) {
            behindNew += FORESIGHT_CHANGE * ((asForeseen ? 1 : 0) - behindNew);
        }
        foreseen += FORESIGHT_CHANGE * ((asForeseen && !isBehindNew ? 1 : 0) - foreseen);
    }

    /** True: the next token is foreseen only from what stood before new tokens. */
    void behindNew(boolean foreseen) {
        isBehindNew = foreseen;
    }

    boolean isBehindNew() {
        return isBehindNew;
    }

    /** A step has verified a chain. */
    public void verified(int drafted, int accepted) {
        looks = 0;
        stood = KEPT * stood + accepted;
        tried = KEPT * tried + accepted + (accepted < drafted ? 1 : 0);
        if (accepted > 0) {
            nextRest = FIRST_REST;
        }
    }

    /** Drafts do not pay: none for a while, and each time for longer. */
    void rest() {
        rest = nextRest;
        nextRest = Math.min(LONGEST_REST, 2 * nextRest);
    }

    /** A step without drafts, while they rest. */
    public void rested() {
        rest--;
        looks = rest == 0 ? LOOKS : 0;
    }

    /** True if nothing is drafted now. */
    public boolean isResting() {
        return rest > 0;
    }

    /** True after each rest, until drafts were verified. */
    boolean looks() {
        boolean was = looks > 0;
        looks = Math.max(0, looks - 1);
        return was;
    }
}
