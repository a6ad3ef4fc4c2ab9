package io.cortado.speculate;

/**
 * Whether a tree of drafts gives more tokens a second than the chain that {@link DraftLengths}
 * would have, by what steps and drafting have taken and how much farther trees stood lately than
 * the chains in them. Where trees do not pay one is tried now and then, and each time after longer.
 * One thread.
 */
public final class TreeChoice {
    /** What more a tree must promise than a chain: noise is not to decide. */
    private static final double MARGIN = 1.05;

    private static final double CHANGE = 0.2;

    /** Of what was before, at each tree: some fifty trees count. */
    private static final double KEPT = 0.98;

    /** Levels that the first guess weighs. */
    private static final double WEIGHT = 4;

    private static final double FIRST_RATE = 0.7;
    private static final double FIRST_RATE_OF_CHAINS = 0.6;
    private static final int FIRST_LOOK = 64;
    private static final int LAST_LOOK = 4096;

    private final DraftLengths lengths;
    private final int depth;
    private final boolean isAdaptive;

    // Levels of trees, and of the chains of their likeliest drafts.
    private double stood = WEIGHT * FIRST_RATE;
    private double tried = WEIGHT;
    private double stoodOfChains = WEIGHT * FIRST_RATE_OF_CHAINS;
    private double triedOfChains = WEIGHT;

    /** Tokens that a step computes for a sequence with a tree; 0: none has run. */
    private double stepTokens;

    /** That it takes to draft trees, for all sequences together. */
    private double draftNanos;

    private int chains;
    private int nextLook = FIRST_LOOK;

    /**
     * @param depth drafts on the longest way of a tree
     * @param isAdaptive false: always trees
     */
    public TreeChoice(DraftLengths lengths, int depth, boolean isAdaptive) {
        this.lengths = lengths;
        this.depth = depth;
        this.isAdaptive = isAdaptive;
    }

    /** Trees were drafted. */
    public void drafted(long nanos) {
        draftNanos += (draftNanos == 0 ? 1 : CHANGE) * (nanos - draftNanos);
    }

    /**
     * A tree was verified.
     *
     * @param tokens that the step computed for its sequence
     * @param levels that were tried, the one included where none of the drafts was right
     * @param chain the same of the likeliest drafts alone
     */
    public void verified(int tokens, int levels, int accepted, int chain, int acceptedOfChain) {
        stepTokens += (stepTokens == 0 ? 1 : CHANGE) * (tokens - stepTokens);
        tried = KEPT * tried + levels;
        stood = KEPT * stood + accepted;
        triedOfChains = KEPT * triedOfChains + chain;
        stoodOfChains = KEPT * stoodOfChains + acceptedOfChain;
    }

    /**
     * Asked once for each draft.
     *
     * @param rate how likely a draft of the sequence's chains stands if the one before it does
     * @param length of the chain that would be drafted, at least 1
     */
    public boolean wantsTree(double rate, int length, int numSeqs) {
        if (!isAdaptive || stepTokens == 0) {
            return true;
        }
        if (pays(rate, length, numSeqs)) {
            chains = 0;
            nextLook = FIRST_LOOK;
            return true;
        }
        if (++chains < nextLook) {
            return false;
        }
        chains = 0;
        nextLook = Math.min(LAST_LOOK, 2 * nextLook);
        return true;
    }

    private boolean pays(double rate, int length, int numSeqs) {
        double ofChain =
                lengths.speed(
                        tokens(rate, length),
                        numSeqs * (1 + length),
                        length * lengths.roundNanos());
        int inAll = (int) Math.round(numSeqs * stepTokens);
        double ofTree = lengths.speed(tokens(rateOfTree(rate), depth), inAll, draftNanos);
        return ofTree > MARGIN * ofChain;
    }

    /** Of the levels at which a chain ends, a tree goes on at a part. */
    private double rateOfTree(double rate) {
        double misses = 1 - stood / tried;
        double missesOfChains = 1 - stoodOfChains / triedOfChains;
        double part = missesOfChains <= 0 ? 1 : Math.min(1, misses / missesOfChains);
        return 1 - (1 - rate) * part;
    }

    private static double tokens(double rate, int levels) {
        double tokens = 1;
        double chance = 1;
        for (int i = 0; i < levels; i++) {
            chance *= rate;
            tokens += chance;
        }
        return tokens;
    }
}
