package io.cortado.speculate;

/**
 * Whether a tree of drafts gives more tokens a second than the chain that {@link DraftLengths}
 * would have, by what steps and drafting have taken and how far trees and chains stood lately. One
 * thread.
 */
public final class TreeChoice {
    /** What more a tree must promise than a chain: noise is not to decide. */
    private static final double MARGIN = 1.03;

    private static final double CHANGE = 0.2;

    /** Chains of a sequence until a tree tells again how far those stand. */
    private static final int CHAINS_BETWEEN = 64;

    private final DraftLengths lengths;
    private final int depth;
    private final boolean isAdaptive;

    /** Tokens that a step computes for a sequence with a tree; 0: none has run. */
    private double stepTokens;

    /** That it takes to draft trees, for all sequences together. */
    private double draftNanos;

    /** Of one sequence. */
    public static final class Trees {
        private final Acceptance levels;
        private int chains = CHAINS_BETWEEN;

        private Trees(Acceptance levels) {
            this.levels = levels;
        }
    }

    /**
     * @param depth drafts on the longest way of a tree
     * @param isAdaptive false: always trees
     */
    public TreeChoice(DraftLengths lengths, int depth, boolean isAdaptive) {
        this.lengths = lengths;
        this.depth = depth;
        this.isAdaptive = isAdaptive;
    }

    /** For a sequence that begins. */
    public Trees trees() {
        return new Trees(lengths.acceptance());
    }

    /** Trees were drafted. */
    public void drafted(long nanos) {
        draftNanos += (draftNanos == 0 ? 1 : CHANGE) * (nanos - draftNanos);
    }

    /**
     * A tree of a sequence was verified.
     *
     * @param tokens that the step computed for it
     * @param tried levels, the one included where none of the drafts was right
     */
    public void verified(Trees trees, int tokens, int tried, int accepted) {
        stepTokens += (stepTokens == 0 ? 1 : CHANGE) * (tokens - stepTokens);
        trees.levels.verified(tried, accepted);
    }

    /**
     * Asked once for each draft.
     *
     * @param length of the chain that would be drafted, at least 1
     */
    public boolean wantsTree(Trees trees, Acceptance chain, int length, int numSeqs) {
        boolean isDue = stepTokens == 0 || trees.chains >= CHAINS_BETWEEN;
        if (!isAdaptive || isDue || pays(trees, chain, length, numSeqs)) {
            trees.chains = 0;
            return true;
        }
        trees.chains++;
        return false;
    }

    private boolean pays(Trees trees, Acceptance chain, int length, int numSeqs) {
        double ofChain =
                lengths.speed(
                        tokens(chain.rate(), length),
                        numSeqs * (1 + length),
                        length * lengths.roundNanos());
        int inAll = (int) Math.round(numSeqs * stepTokens);
        double ofTree = lengths.speed(tokens(trees.levels.rate(), depth), inAll, draftNanos);
        return ofTree > MARGIN * ofChain;
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
