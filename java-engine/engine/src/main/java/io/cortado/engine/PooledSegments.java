package io.cortado.engine;

import io.cortado.model.Pooler;

/** What a step pools. Allocated once. */
final class PooledSegments {
    /** {@link Pooler#SEGMENT} integers each, at most one a sequence. */
    final int[] segments;

    /** Sums that hold a whole prompt after this step, and whose they are. */
    final int[] finishedSums;

    final int[] finishedSequences;

    private int size;
    private int numFinished;

    /**
     * @param maxSeqs sequences of a step
     */
    PooledSegments(int maxSeqs) {
        segments = new int[maxSeqs * Pooler.SEGMENT];
        finishedSums = new int[maxSeqs];
        finishedSequences = new int[maxSeqs];
    }

    void clear() {
        size = 0;
        numFinished = 0;
    }

    int size() {
        return size;
    }

    int numFinished() {
        return numFinished;
    }

    /**
     * Adds what is pooled of a sequence, if anything is.
     *
     * @param index of the sequence in the batch
     * @param firstToken the batch's token at position {@code start} of the sequence
     * @param count its tokens in this step
     */
    void add(Sequence sequence, int index, int firstToken, int start, int count) {
        PooledRow pooled = sequence.request.pooled;
        if (pooled == null) {
            return;
        }
        int end = firstToken + count;
        boolean isWhole = start + count == sequence.prompt.length;
        switch (pooled.pooling) {
            case MEAN -> segment(firstToken, end, sequence.sum, start == 0);
            case CLS -> {
                if (start == 0) {
                    segment(firstToken, firstToken + 1, sequence.sum, true);
                }
            }
            case LAST -> {
                if (isWhole) {
                    segment(end - 1, end, sequence.sum, true);
                }
            }
        }
        if (isWhole) {
            finishedSums[numFinished] = sequence.sum;
            finishedSequences[numFinished++] = index;
        }
    }

    private void segment(int first, int end, int sum, boolean restarts) {
        int at = size++ * Pooler.SEGMENT;
        segments[at] = first;
        segments[at + 1] = end;
        segments[at + 2] = sum;
        segments[at + 3] = restarts ? 1 : 0;
    }
}
