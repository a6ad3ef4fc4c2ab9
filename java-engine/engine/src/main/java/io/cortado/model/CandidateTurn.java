package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleRow;

/**
 * What is known of a step's logits before they are computed, the same on all ranks: which rows come
 * whole, and how many bytes the others take. Steps take turns, for one is described while others
 * run.
 */
final class CandidateTurn implements AutoCloseable {
    /** An id and its logit. */
    static final long ENTRY_BYTES = Integer.BYTES + Float.BYTES;

    final RowCandidates rows;

    /** {@code ct_sample_row[maxRows]}: how this rank finds candidates. */
    final Buffer sampleRows;

    /** int64[ranks]: bytes of whole rows and of candidates for each rank. */
    final Buffer sentWhole;

    final Buffer sentCandidates;

    private final ResourceStack owned = new ResourceStack();
    private int numRows;
    private int numWhole;
    private int numMasses;
    private int most;
    private long bytes;

    CandidateTurn(Device device, int maxRows, int ranks) {
        rows = new RowCandidates(maxRows);
        boolean built = false;
        try {
            sampleRows = own(device.createHostBuffer(maxRows * SampleRow.BYTES));
            sentWhole = own(device.createHostBuffer((long) Long.BYTES * ranks));
            sentCandidates = own(device.createHostBuffer((long) Long.BYTES * ranks));
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** Bytes of a row's candidates of one rank. */
    static long rowBytes(int count, boolean needsMass) {
        return count * ENTRY_BYTES + (needsMass ? Long.BYTES : 0);
    }

    /**
     * @param wholeBytes of a row's logits of one rank
     */
    void describe(RowCandidates from, int count, long wholeBytes) {
        rows.copy(from, count);
        numRows = count;
        numWhole = 0;
        numMasses = 0;
        most = 0;
        bytes = 0;
        for (int row = 0; row < count; row++) {
            if (rows.isWhole(row)) {
                numWhole++;
            } else {
                most = Math.max(most, rows.count(row));
                numMasses += rows.needsMass(row) ? 1 : 0;
                bytes += rowBytes(rows.count(row), rows.needsMass(row));
            }
        }
        // Only the part for the first rank has bytes.
        sentWhole.host().setAtIndex(JAVA_LONG, 0, numWhole * wholeBytes);
        sentCandidates.host().setAtIndex(JAVA_LONG, 0, bytes);
    }

    int numRows() {
        return numRows;
    }

    int numWhole() {
        return numWhole;
    }

    /** Rows that log-probabilities are asked for of. */
    int numMasses() {
        return numMasses;
    }

    boolean hasCandidates() {
        return most > 0;
    }

    /** Candidates of the row that has most. */
    int most() {
        return most;
    }

    /** Of all candidates that one rank sends. */
    long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        owned.close();
    }
}
