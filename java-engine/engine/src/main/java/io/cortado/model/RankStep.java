package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.NormKind;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * What the ranks of one model do together within a step: they add their products up, in float32 and
 * in the order of the ranks, and hand their logits to the first rank.
 */
final class RankStep implements AutoCloseable {
    /** Steps that may be described while others run, and one more. */
    private static final int STEPS = 4;

    private final ResourceStack owned = new ResourceStack();
    private final Collectives ranks;
    private final DType dtype;
    private final int width;
    private final int vocabSize;
    private final int stride;
    private final long partBytes;
    private final int maxRows;
    private final boolean isFirst;
    private final Buffer partial;
    private final Buffer ownLogits;
    private final List<Buffer> sent = new ArrayList<>();
    private final Buffer received;

    private final Buffer allParts;

    // Of the first rank.
    private final List<Buffer> columns = new ArrayList<>();
    private final List<Buffer> parts = new ArrayList<>();
    private final Buffer inOrder;
    private int turn;

    /**
     * @param hidden of the state: where its type is float32, products are made right there
     * @param logits of the state: the first rank's has the whole vocabulary's
     */
    RankStep(
            Device device,
            Staging staging,
            DecoderShape shape,
            DType dtype,
            BatchLimits limits,
            Collectives ranks,
            Buffer hidden,
            Buffer logits) {
        this.ranks = ranks;
        this.dtype = dtype;
        width = shape.hiddenSize();
        vocabSize = shape.vocabSize();
        stride = shape.headStride();
        maxRows = limits.maxLogitRows();
        isFirst = shape.shard().isFirst();
        partBytes = partBytes(shape, limits);
        int size = shape.shard().size();
        boolean built = false;
        try {
            partial =
                    dtype == DType.F32
                            ? hidden
                            : own(device.createBuffer(4L * limits.maxNumBatchedTokens() * width));
            for (int i = 0; i < STEPS; i++) {
                sent.add(own(device.createHostBuffer((long) Long.BYTES * size)));
            }
            received = own(device.createHostBuffer((long) Long.BYTES * size));
            // Only the part for the first rank has bytes, and it is the first.
            ownLogits = isFirst ? own(device.createBuffer(size * partBytes)) : logits;
            allParts = own(device.createBuffer(size * partBytes));
            inOrder =
                    isFirst ? own(staging.create(4L * maxRows, RankStep::writeInOrder)) : ownLogits;
            for (int rank = 0; isFirst && rank < size; rank++) {
                long at = (long) rank * stride * Float.BYTES;
                columns.add(own(logits.view(at, logits.bytes() - at)));
                parts.add(own(allParts.view(rank * partBytes, partBytes)));
            }
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

    private static void writeInOrder(MemorySegment rows) {
        for (int i = 0; i < rows.byteSize() / Integer.BYTES; i++) {
            rows.setAtIndex(ValueLayout.JAVA_INT, i, i);
        }
    }

    private static long partBytes(DecoderShape shape, BatchLimits limits) {
        return Buffer.aligned(4L * limits.maxLogitRows() * shape.headStride());
    }

    /** Of a state's logits: the first rank's are whole, the others' what is sent to it. */
    static long logitBytes(DecoderShape shape, BatchLimits limits) {
        return shape.shard().isFirst()
                ? 4L * limits.maxLogitRows() * shape.vocabSize()
                : shape.shard().size() * partBytes(shape, limits);
    }

    /** Of what a rank has beside the buffers of every decoder. */
    static long bytes(DecoderShape shape, DType dtype, BatchLimits limits) {
        Shard shard = shape.shard();
        if (shard.isWhole()) {
            return 0;
        }
        long sums = dtype == DType.F32 ? 0 : 4L * limits.maxNumBatchedTokens() * shape.hiddenSize();
        long parts = shard.size() * partBytes(shape, limits);
        return shard.isFirst() ? sums + 2 * parts + 4L * limits.maxLogitRows() : sums + parts;
    }

    /** float32 [tokens][hidden]: this rank's part of a sum. */
    Buffer partial() {
        return partial;
    }

    /**
     * Enqueues: hidden = the sum of all ranks' {@link #partial}, rounded once.
     *
     * @param normed finite values of the same rows
     */
    void sum(Buffer hidden, Buffer normed, int numTokens, Stream stream) {
        ranks.allReduce(partial, (long) numTokens * width, stream);
        if (partial != hidden) {
            // Adds nothing: it rounds what is there.
            Kernels.norm(
                    hidden,
                    partial,
                    normed,
                    null,
                    numTokens,
                    width,
                    width,
                    width,
                    width,
                    dtype,
                    NormKind.NONE,
                    0,
                    0,
                    stream);
        }
    }

    /** float32 [rows][{@link DecoderShape#headStride}]: of this rank's part of the vocabulary. */
    Buffer ownLogits() {
        return ownLogits;
    }

    /** Enqueues: the first rank's logits = those of all ranks, side by side. */
    void gatherLogits(int numRows, Stream stream) {
        Buffer counts = sent.get(turn);
        turn = (turn + 1) % STEPS;
        counts.host().setAtIndex(ValueLayout.JAVA_LONG, 0, 4L * numRows * stride);
        ranks.allToAll(allParts, received, ownLogits, counts, partBytes, stream);
        for (int rank = 0; isFirst && rank < columns.size(); rank++) {
            int cols = Math.min(stride, vocabSize - rank * stride);
            Kernels.gatherRows(
                    columns.get(rank),
                    parts.get(rank),
                    inOrder,
                    numRows,
                    cols,
                    maxRows,
                    vocabSize,
                    stride,
                    DType.F32,
                    stream);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
