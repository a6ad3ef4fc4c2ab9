package io.cortado.engine;

/**
 * Sizes of a pure decode batch for which a graph is kept: 1, 2, 4, then the multiples of 8. A batch
 * is padded to the next one, so that a few graphs serve every size. One thread.
 */
final class GraphSizes {
    private static final int STEP = 8;

    private final int maxNumSeqs;
    private final boolean isPadded;
    private final boolean[] isWarm;

    /**
     * @param isPadded false where a padded sequence costs as much as a real one: each size then has
     *     a graph of its own
     */
    GraphSizes(int maxNumSeqs, boolean isPadded) {
        this.maxNumSeqs = maxNumSeqs;
        this.isPadded = isPadded;
        isWarm = new boolean[maxNumSeqs + 1];
    }

    /**
     * True from the second step of a size on, which may be recorded: in the first, kernels are
     * loaded and algorithms chosen by timing, which recording cannot do.
     */
    boolean warmUp(int size) {
        boolean was = isWarm[size];
        isWarm[size] = true;
        return was;
    }

    /** The smallest size that so many sequences, at least one, fit in. */
    int of(int numSeqs) {
        if (!isPadded || numSeqs <= 2) {
            return numSeqs;
        }
        int size = numSeqs <= 4 ? 4 : Math.ceilDiv(numSeqs, STEP) * STEP;
        return Math.min(size, maxNumSeqs);
    }
}
