package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Mirror;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;

/**
 * What a step pools: which rows of hidden states go into which of the model's sums, and which sums
 * come out. A sum lives on the device from the first chunk of its prompt to the last, so its bits
 * do not depend on the chunks. Filled once a step and read after it, as {@link BatchInputs}.
 */
public final class Pooler implements AutoCloseable {
    /** Integers of a segment: first row, the row after the last, the sum, whether it restarts. */
    public static final int SEGMENT = 4;

    private static final int SEGMENTS = 0;
    private static final int FINISHED = 1;
    private static final int VALUES = 0;

    private final ResourceStack owned = new ResourceStack();
    private final Mirror inputs;
    private final Mirror results;
    private final int maxSums;
    private final int width;
    private int numSegments;
    private int numFinished;

    Pooler(Device device, int maxSums, int width) {
        this.maxSums = maxSums;
        this.width = width;
        boolean built = false;
        try {
            inputs = own(new Mirror(device, (long) maxSums * SEGMENT * 4, maxSums * 4L));
            results = own(new Mirror(device, (long) maxSums * width * 4));
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Mirror own(Mirror mirror) {
        owned.push(mirror::close);
        return mirror;
    }

    /** Says what the next step pools; no sum twice. */
    public void write(int[] segments, int numSegments, int[] finished, int numFinished) {
        this.numSegments = numSegments;
        this.numFinished = numFinished;
        MemorySegment.copy(segments, 0, inputs.host(SEGMENTS), JAVA_INT, 0, numSegments * SEGMENT);
        MemorySegment.copy(finished, 0, inputs.host(FINISHED), JAVA_INT, 0, numFinished);
    }

    boolean hasSegments() {
        return numSegments > 0;
    }

    /** Enqueues the copy of what was written to the device. */
    void upload(Stream stream) {
        if (numSegments + numFinished > 0) {
            inputs.upload(FINISHED, numFinished * 4L, stream);
        }
    }

    /** Enqueues the sums. */
    void sum(Buffer sums, Buffer states, int numTokens, DType dtype, Stream stream) {
        Kernels.sumRows(
                sums,
                states,
                inputs.device(SEGMENTS),
                numSegments,
                width,
                maxSums,
                numTokens,
                width,
                dtype,
                stream);
    }

    /** Enqueues the copy of the finished sums to the host. */
    void download(Buffer sums, Stream stream) {
        if (numFinished > 0) {
            Kernels.gatherRows(
                    results.device(VALUES),
                    sums,
                    inputs.device(FINISHED),
                    numFinished,
                    width,
                    maxSums,
                    width,
                    width,
                    DType.F32,
                    stream);
            results.download(VALUES, (long) numFinished * width * 4, stream);
        }
    }

    /** Copies the index-th finished sum. */
    public void read(int index, float[] to) {
        long at = (long) index * width * 4;
        MemorySegment.copy(results.host(VALUES), JAVA_FLOAT, at, to, 0, width);
    }

    @Override
    public void close() {
        owned.close();
    }
}
