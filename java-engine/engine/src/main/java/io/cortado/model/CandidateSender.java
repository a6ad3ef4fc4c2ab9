package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleWeights;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import java.lang.foreign.MemorySegment;

/**
 * A rank's side of candidates: finds those of its part of the vocabulary and writes them row by
 * row, (id, logit) each, then the part's mass where log-probabilities are asked for. Masses count
 * from the largest logit of all ranks, so that they add up to the bits of the whole row's.
 */
final class CandidateSender implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Collectives ranks;
    private final LocalCandidates local;
    private final int stride;
    private final int firstId;
    private final int numIds;
    private final int width;
    private final Buffer logits;
    private final Buffer packed;
    private final Buffer largest;
    private final Buffer allLargest;
    private final MemorySegment logitsHere;
    private final MemorySegment packedHere;
    private final MemorySegment largestHere;
    private final MemorySegment allLargestHere;
    private SampleWeights weights = new SampleWeights(1);
    private int weighedIds;

    /**
     * @param logits float32 [maxRows][stride] of this rank
     * @param width logits of a whole row
     * @param partBytes of all candidates of a step, at most
     * @param most candidates of a row
     */
    CandidateSender(
            Device device,
            Collectives ranks,
            Buffer logits,
            int maxRows,
            int width,
            int stride,
            long partBytes,
            int most) {
        this.ranks = ranks;
        this.logits = logits;
        this.stride = stride;
        this.width = width;
        firstId = ranks.rank() * stride;
        numIds = Math.min(stride, width - firstId);
        boolean built = false;
        try {
            local = new LocalCandidates(device, maxRows, most);
            owned.push(local::close);
            packed = own(device.createBuffer(ranks.size() * partBytes));
            largest = own(device.createBuffer((long) Float.BYTES * maxRows));
            allLargest = own(device.createBuffer((long) Float.BYTES * maxRows * ranks.size()));
            logitsHere = logits.host();
            packedHere = packed.host();
            largestHere = largest.host();
            allLargestHere = allLargest.host();
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    static long bytes(int ranks, int maxRows, long partBytes, int most) {
        return LocalCandidates.bytes(maxRows, most)
                + ranks * partBytes
                + (long) Float.BYTES * maxRows * (1 + ranks);
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** What {@link #pack} fills: the part for the first rank is the first. */
    Buffer packed() {
        return packed;
    }

    /** Enqueues: finds the candidates. */
    void find(CandidateTurn turn, Stream stream) {
        if (drawable(turn) > 0) {
            local.enqueue(logits, turn, drawable(turn), stride, stream);
        }
    }

    /** Enqueues: all ranks learn all parts' largest logits of the rows with masses. */
    void gatherLargest(CandidateTurn turn, Stream stream) {
        long bytes = (long) Float.BYTES * turn.numMasses();
        ranks.allGather(allLargest, largest, bytes, stream);
    }

    /** Logits of this part that a token may be drawn from; 0: all are padding. */
    private int drawable(CandidateTurn turn) {
        return Math.clamp((long) turn.rows.drawableIds() - firstId, 0, numIds);
    }

    /** For the stream, before {@link #gatherLargest}: notes this part's largest logits. */
    void noteLargest(CandidateTurn turn) {
        long at = 0;
        for (int row = 0; row < turn.numRows(); row++) {
            if (turn.rows.needsMass(row)) {
                largestHere.setAtIndex(JAVA_FLOAT, at++, logit(turn, row, 0));
            }
        }
    }

    /** A candidate's; NaN where the row is not finite, minus infinity where there is none. */
    private float logit(CandidateTurn turn, int row, int index) {
        if (drawable(turn) == 0) {
            return Float.NEGATIVE_INFINITY;
        }
        if (!local.isFinite(row)) {
            return Float.NaN;
        }
        int id = local.id(turn, row, index);
        return id == LocalCandidates.NONE
                ? Float.NEGATIVE_INFINITY
                : logitsHere.getAtIndex(JAVA_FLOAT, (long) row * stride + id);
    }

    /** For the stream: writes what is sent, and moves whole rows to the front of the logits. */
    void pack(CandidateTurn turn) {
        long at = 0;
        int massRow = 0;
        for (int row = 0; row < turn.numRows(); row++) {
            for (int i = 0; i < turn.rows.count(row); i++) {
                float logit = logit(turn, row, i);
                packedHere.set(JAVA_INT, at, id(turn, row, i, logit));
                packedHere.set(JAVA_FLOAT, at + Integer.BYTES, logit);
                at += CandidateTurn.ENTRY_BYTES;
            }
            if (turn.rows.needsMass(row)) {
                packedHere.set(JAVA_LONG, at, mass(turn, row, massRow++));
                at += Long.BYTES;
            }
        }
        moveWhole(turn);
    }

    /** The candidate's, or any where its logit fails the row. */
    private int id(CandidateTurn turn, int row, int index, float logit) {
        if (Float.isNaN(logit)) {
            return 0;
        }
        return logit == Float.NEGATIVE_INFINITY ? LocalCandidates.NONE : local.id(turn, row, index);
    }

    /** 0 where the row fails. */
    private long mass(CandidateTurn turn, int row, int massRow) {
        float top = Float.NEGATIVE_INFINITY;
        for (int rank = 0; rank < ranks.size(); rank++) {
            long at = (long) rank * turn.numMasses() + massRow;
            top = Math.max(top, allLargestHere.getAtIndex(JAVA_FLOAT, at));
        }
        if (!Float.isFinite(top)) {
            return 0;
        }
        return weights(turn).mass(logitsHere, (long) row * stride, drawable(turn), top);
    }

    private SampleWeights weights(CandidateTurn turn) {
        int ids = Math.min(turn.rows.drawableIds(), width);
        if (ids != weighedIds) {
            weights = new SampleWeights(ids);
            weighedIds = ids;
        }
        return weights;
    }

    private void moveWhole(CandidateTurn turn) {
        long bytes = (long) Float.BYTES * stride;
        int to = 0;
        for (int row = 0; row < turn.numRows(); row++) {
            if (turn.rows.isWhole(row)) {
                if (to < row) {
                    MemorySegment.copy(logitsHere, row * bytes, logitsHere, to * bytes, bytes);
                }
                to++;
            }
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
