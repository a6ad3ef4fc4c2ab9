package io.cortado.speculate;

import java.util.Arrays;

/**
 * How long a step takes, by its tokens, as the last steps of each size tell. Sizes that have not
 * run yet lie between their neighbours; beyond the largest nothing is known against them. One
 * thread.
 */
final class StepTimes {
    /** Sizes up to here have a place each; above, each eighth of a power of two. */
    private static final int EXACT = 16;

    private static final int PER_DOUBLING = 8;
    private static final int BUCKETS = EXACT + 1 + 20 * PER_DOUBLING;
    private static final double CHANGE = 0.2;

    /** A step that took longer than this many times what is known counts as so long. */
    private static final double MOST = 4;

    private final double[] nanos = new double[BUCKETS];
    private int known;

    StepTimes() {
        Arrays.fill(nanos, Double.NaN);
    }

    void ran(int tokens, long took) {
        int at = bucket(tokens);
        if (Double.isNaN(nanos[at])) {
            nanos[at] = took;
            known++;
        } else {
            nanos[at] += CHANGE * (Math.min(took, MOST * nanos[at]) - nanos[at]);
        }
    }

    /** True if no step has run. */
    boolean isEmpty() {
        return known == 0;
    }

    /** NaN where no step has run. */
    double of(int tokens) {
        int at = bucket(tokens);
        if (known == 0 || !Double.isNaN(nanos[at])) {
            return nanos[at];
        }
        int below = at;
        while (below >= 0 && Double.isNaN(nanos[below])) {
            below--;
        }
        int above = at;
        while (above < BUCKETS && Double.isNaN(nanos[above])) {
            above++;
        }
        if (below < 0) {
            return nanos[above];
        }
        if (above == BUCKETS) {
            return nanos[below];
        }
        double part = (double) (at - below) / (above - below);
        return nanos[below] + part * (nanos[above] - nanos[below]);
    }

    private static int bucket(int tokens) {
        if (tokens <= EXACT) {
            return tokens;
        }
        int doublings = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(tokens);
        int part = (tokens - (1 << doublings)) * PER_DOUBLING >> doublings;
        int first = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(EXACT);
        return Math.min(BUCKETS - 1, EXACT + 1 + (doublings - first) * PER_DOUBLING + part);
    }
}
