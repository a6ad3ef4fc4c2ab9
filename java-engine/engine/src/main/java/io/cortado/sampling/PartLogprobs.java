package io.cortado.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.HostQueue;
import io.cortado.device.SampleWeights;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;

/**
 * Log-probabilities of rows of which only the likeliest logits are there: those that the sampler
 * has written are of these alone, and are written again from the mass of all. On devices that the
 * host reaches. The same bits as of the whole row, but for the last ones of logarithms.
 */
final class PartLogprobs implements AutoCloseable {
    private static final int UNDER_WAY = 8;
    private static final int OK = 0;

    private final HostQueue<Call> calls = new HostQueue<>(UNDER_WAY, Call::new, this::write);
    private final SampleWeights weights;
    private final int width;
    private final MemorySegment masses;
    private final MemorySegment largest;
    private final MemorySegment tokens;
    private final MemorySegment statuses;
    private final MemorySegment logprobs;
    private final MemorySegment topIds;
    private final MemorySegment topLogprobs;

    private static final class Call {
        MemorySegment logits = MemorySegment.NULL;
        int numRows;
        int tops;
    }

    /** Of what comes down from the sampler: its sections. */
    record Sections(
            Buffer tokens, Buffer statuses, Buffer logprobs, Buffer topIds, Buffer topLogprobs) {}

    /**
     * @param masses int64[rows]: 0: the row is as the sampler has written it
     * @param largest float32[rows]: the logit that the mass counts from
     */
    PartLogprobs(Buffer masses, Buffer largest, Sections drawn, int vocabSize, int width) {
        this.width = width;
        weights = new SampleWeights(vocabSize);
        this.masses = masses.host();
        this.largest = largest.host();
        tokens = drawn.tokens.host();
        statuses = drawn.statuses.host();
        logprobs = drawn.logprobs.host();
        topIds = drawn.topIds.host();
        topLogprobs = drawn.topLogprobs.host();
    }

    /**
     * Enqueues: writes what was asked for again.
     *
     * @param tops columns of the likeliest tokens
     */
    void enqueue(Buffer logits, int numRows, int tops, Stream stream) {
        Call next = calls.next();
        next.logits = logits.host();
        next.numRows = numRows;
        next.tops = tops;
        calls.enqueue(stream);
    }

    /** Called by the stream. */
    private void write(Call call) {
        for (int row = 0; row < call.numRows; row++) {
            long mass = masses.getAtIndex(JAVA_LONG, row);
            if (mass != 0 && statuses.getAtIndex(JAVA_INT, row) == OK) {
                write(call, row, weights.logOf(mass));
            }
        }
    }

    private void write(Call call, int row, double logMass) {
        double top = largest.getAtIndex(JAVA_FLOAT, row);
        long first = (long) row * width;
        double own = call.logits.getAtIndex(JAVA_FLOAT, first + tokens.getAtIndex(JAVA_INT, row));
        logprobs.setAtIndex(JAVA_FLOAT, row, (float) (own - top - logMass));
        for (long i = (long) row * call.tops; i < (row + 1L) * call.tops; i++) {
            int id = topIds.getAtIndex(JAVA_INT, i);
            if (id < 0) {
                return; // there are no more
            }
            double depth = top - call.logits.getAtIndex(JAVA_FLOAT, first + id);
            topLogprobs.setAtIndex(JAVA_FLOAT, i, (float) (-depth - logMass));
        }
    }

    @Override
    public void close() {
        calls.close();
    }
}
