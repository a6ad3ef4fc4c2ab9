package io.cortado.moe;

import java.util.Arrays;

/**
 * In how many micro-batches a pass is computed: as many as is wanted, or one or two, whichever took
 * less time a token in passes of about its size. Tokens do not depend on it.
 *
 * <p>A size is a power of two of tokens. Both ways are tried by turns at first; from then on the
 * way that loses is tried again now and then, the less often the longer it has lost. A pass is
 * compared with the one before it alone, where that went the other way: the machine may have been
 * another a second ago.
 */
final class MicroBatchChoice {
    private static final int SIZES = 32;

    /** Comparisons before a way is chosen. */
    private static final int FIRST_TRIES = 5;

    /** Passes from one try of the way that loses to the next. */
    private static final int LEAST_GAP = 16;

    static final int MOST_GAP = 256;

    /** Comparisons whose median counts: a core that is taken away makes some passes long. */
    private static final int LATEST = 7;

    private final MicroBatching wanted;
    private final Size[] sizes = new Size[SIZES];
    private final double[] sorted = new double[LATEST];

    /** Of passes of about one size. */
    private static final class Size {
        /** Time a token of a pass in two, of that of one beside it in one. */
        final double[] ratios = new double[LATEST];

        long numRatios;

        /** Of the pass before; a negative way: there is none. */
        int lastWay = -1;

        double lastEach;
        int better;
        int gap = LEAST_GAP;
        int sinceTry;
        int turns;
    }

    MicroBatchChoice(MicroBatching wanted) {
        this.wanted = wanted;
        for (int i = 0; i < SIZES; i++) {
            sizes[i] = new Size();
        }
    }

    /** Micro-batches of the next pass; it has at least a token in each. */
    synchronized int next(int numTokens) {
        if (numTokens < 2) {
            return 1;
        }
        return wanted == MicroBatching.MEASURED ? 1 + next(of(numTokens)) : wanted.most();
    }

    private static int next(Size size) {
        if (size.numRatios < FIRST_TRIES) {
            size.turns++;
            return size.turns & 1;
        }
        size.sinceTry++;
        if (size.sinceTry < size.gap) {
            return size.better;
        }
        size.sinceTry = 0;
        size.gap = Math.min(MOST_GAP, 2 * size.gap);
        return 1 - size.better;
    }

    /** What a pass took in so many micro-batches. Any thread. */
    synchronized void took(int numTokens, int microBatches, long nanos) {
        if (wanted != MicroBatching.MEASURED || numTokens < 2) {
            return;
        }
        Size size = of(numTokens);
        int way = microBatches - 1;
        double each = (double) nanos / numTokens;
        int lastWay = size.lastWay;
        double lastEach = size.lastEach;
        size.lastWay = way;
        size.lastEach = each;
        if (lastWay != 1 - way) {
            return;
        }
        double ratio = way == 1 ? each / lastEach : lastEach / each;
        size.ratios[(int) (size.numRatios % LATEST)] = ratio;
        size.numRatios++;
        int better = median(size.ratios, (int) Math.min(LATEST, size.numRatios)) < 1 ? 1 : 0;
        if (better != size.better) {
            size.better = better;
            size.gap = LEAST_GAP;
        }
    }

    private double median(double[] values, int count) {
        System.arraycopy(values, 0, sorted, 0, count);
        Arrays.sort(sorted, 0, count);
        return sorted[count / 2];
    }

    private Size of(int numTokens) {
        return sizes[Integer.SIZE - 1 - Integer.numberOfLeadingZeros(numTokens)];
    }
}
