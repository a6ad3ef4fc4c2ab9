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

    private double stood;
    private double tried = WEIGHT;

    /** Steps without drafts until the next look whether they pay by now. */
    private int rest;

    private int nextRest = FIRST_REST;

    /** The next drafts are to see whether they pay by now. */
    private boolean looks;

    private static final int FIRST_REST = 16;
    private static final int LONGEST_REST = 256;

    /**
     * @param guess of the rate, before anything is known
     */
    public Acceptance(double guess) {
        stood = WEIGHT * guess;
    }

    /** In [0, 1]. */
    public double rate() {
        return stood / tried;
    }

    /** A step has verified a chain. */
    public void verified(int drafted, int accepted) {
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
        looks = rest == 0;
    }

    /** True if nothing is drafted now. */
    public boolean isResting() {
        return rest > 0;
    }

    /** True once after each rest. */
    boolean takeLook() {
        boolean was = looks;
        looks = false;
        return was;
    }
}
