package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.gang.GangException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The first rank's side of candidates: puts them where they are in a whole row that is otherwise
 * minus infinity. What the sampler keeps of it is what it keeps of the whole row, if that is among
 * the candidates; masses are beside it, for log-probabilities.
 */
final class CandidateReceiver implements AutoCloseable {
    private static final int SOME = 64;

    private final ResourceStack owned = new ResourceStack();
    private final int ranks;
    private final int width;
    private final int stride;
    private final long partBytes;
    private final MemorySegment logits;
    private final MemorySegment received;
    private final Buffer masses;
    private final Buffer largest;

    /** Ids that each row holds beside minus infinity, as many as counted. */
    private final int[][] held;

    private final int[] numHeld;
    private final boolean[] isFilled;

    /**
     * @param logits float32 [maxRows][width]
     * @param received what ranks have sent, partBytes apart
     */
    CandidateReceiver(
            Device device,
            int ranks,
            Buffer logits,
            Buffer received,
            int maxRows,
            int width,
            int stride,
            long partBytes) {
        this.ranks = ranks;
        this.width = width;
        this.stride = stride;
        this.partBytes = partBytes;
        this.logits = logits.host();
        this.received = received.host();
        held = new int[maxRows][SOME];
        numHeld = new int[maxRows];
        isFilled = new boolean[maxRows];
        boolean built = false;
        try {
            masses = own(device.createBuffer((long) Long.BYTES * maxRows));
            largest = own(device.createBuffer((long) Float.BYTES * maxRows));
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    static long bytes(int maxRows) {
        return (long) (Long.BYTES + Float.BYTES) * maxRows;
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** int64[maxRows]: of all logits of a row of candidates; 0: not asked for, or it is whole. */
    Buffer masses() {
        return masses;
    }

    /** float32[maxRows]: the largest logit of a row of candidates. */
    Buffer largest() {
        return largest;
    }

    /** For the stream: the rows were written by others. */
    void wrote(CandidateTurn turn) {
        Arrays.fill(isFilled, 0, turn.numRows(), false);
        for (int row = 0; row < turn.numRows(); row++) {
            masses.host().setAtIndex(JAVA_LONG, row, 0);
        }
    }

    /**
     * For the stream: writes the rows of a step.
     *
     * @param whole what has come of whole rows, wholeBytes of each rank
     * @throws GangException if a candidate is outside its rank's part
     */
    void scatter(CandidateTurn turn, MemorySegment whole, long wholeBytes) {
        long at = 0;
        int wholeRow = 0;
        for (int row = 0; row < turn.numRows(); row++) {
            if (turn.rows.isWhole(row)) {
                copyWhole(row, whole, wholeBytes, wholeRow++);
            } else {
                clear(row);
                scatterRow(turn.rows, row, at);
                at += CandidateTurn.rowBytes(turn.rows.count(row), turn.rows.needsMass(row));
            }
        }
    }

    private int cols(int rank) {
        return Math.min(stride, width - rank * stride);
    }

    private void copyWhole(int row, MemorySegment whole, long wholeBytes, int place) {
        for (int rank = 0; rank < ranks; rank++) {
            long from = rank * wholeBytes + (long) place * stride * Float.BYTES;
            long to = ((long) row * width + (long) rank * stride) * Float.BYTES;
            MemorySegment.copy(whole, from, logits, to, (long) cols(rank) * Float.BYTES);
        }
        isFilled[row] = false;
        masses.host().setAtIndex(JAVA_LONG, row, 0);
    }

    /** All of the row is minus infinity: only what it held is written, where that is known. */
    private void clear(int row) {
        long first = (long) row * width;
        if (isFilled[row]) {
            for (int i = 0; i < numHeld[row]; i++) {
                logits.setAtIndex(JAVA_FLOAT, first + held[row][i], Float.NEGATIVE_INFINITY);
            }
        } else {
            for (int id = 0; id < width; id++) {
                logits.setAtIndex(JAVA_FLOAT, first + id, Float.NEGATIVE_INFINITY);
            }
            isFilled[row] = true;
        }
        numHeld[row] = 0;
    }

    private void scatterRow(RowCandidates rows, int row, long at) {
        int count = rows.count(row);
        long mass = 0;
        float top = Float.NEGATIVE_INFINITY;
        if (held[row].length < ranks * count) {
            held[row] = new int[Math.max(ranks * count, 2 * held[row].length)];
        }
        for (int rank = 0; rank < ranks; rank++) {
            long from = rank * partBytes + at;
            for (int i = 0; i < count; i++, from += CandidateTurn.ENTRY_BYTES) {
                int id = received.get(JAVA_INT, from);
                float logit = received.get(JAVA_FLOAT, from + Integer.BYTES);
                if (id != LocalCandidates.NONE) {
                    put(row, rank, id, logit);
                    top = Math.max(top, logit);
                }
            }
            mass += rows.needsMass(row) ? received.get(JAVA_LONG, from) : 0;
        }
        masses.host().setAtIndex(JAVA_LONG, row, mass);
        largest.host().setAtIndex(JAVA_FLOAT, row, top);
    }

    private void put(int row, int rank, int id, float logit) {
        if (id < 0 || id >= cols(rank)) {
            throw new GangException(
                    GangException.Kind.MISMATCH,
                    "rank %d sent a candidate outside of its %d ids: id=%d"
                            .formatted(rank, cols(rank), id));
        }
        int place = rank * stride + id;
        logits.setAtIndex(JAVA_FLOAT, (long) row * width + place, logit);
        held[row][numHeld[row]++] = place;
    }

    @Override
    public void close() {
        owned.close();
    }
}
