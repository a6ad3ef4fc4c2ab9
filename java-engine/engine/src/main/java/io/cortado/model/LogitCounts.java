package io.cortado.model;

import java.util.concurrent.atomic.LongAdder;

/**
 * What logits of other ranks have come to the first one since the start.
 *
 * @param steps that had rows of logits
 * @param rows of logits
 * @param candidateRows those of them that only candidates came of
 * @param bytes from all other ranks together
 */
public record LogitCounts(long steps, long rows, long candidateRows, long bytes) {
    /** Of a model on one rank. */
    static final LogitCounts NONE = new LogitCounts(0, 0, 0, 0);

    /** Counts; any thread reads. */
    static final class Counter {
        private final LongAdder steps = new LongAdder();
        private final LongAdder rows = new LongAdder();
        private final LongAdder candidateRows = new LongAdder();
        private final LongAdder bytes = new LongAdder();

        void addStep(int numRows, int numCandidateRows, long numBytes) {
            steps.increment();
            rows.add(numRows);
            candidateRows.add(numCandidateRows);
            bytes.add(numBytes);
        }

        LogitCounts snapshot() {
            return new LogitCounts(steps.sum(), rows.sum(), candidateRows.sum(), bytes.sum());
        }
    }
}
