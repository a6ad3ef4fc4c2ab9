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

/**
 * What the ranks of one model do together within a step: they add their products up, in float32 and
 * in the order of the ranks, and hand their logits to the first rank.
 */
final class RankStep implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Collectives ranks;
    private final DType dtype;
    private final int width;
    private final Buffer partial;
    private final LogitExchange logits;

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
        boolean built = false;
        try {
            partial =
                    dtype == DType.F32
                            ? hidden
                            : own(device.createBuffer(4L * limits.maxNumBatchedTokens() * width));
            this.logits = logits(device, staging, shape, limits.maxLogitRows(), logits);
            owned.push(this.logits::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private LogitExchange logits(
            Device device, Staging staging, DecoderShape shape, int maxRows, Buffer logits) {
        int width = shape.vocabSize();
        int stride = shape.headStride();
        return device.hostReachesMemory()
                ? new LogitGather(device, staging, ranks, width, stride, maxRows, logits)
                : new RowGather(device, staging, ranks, width, stride, maxRows, logits);
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** Of a state's logits: the first rank's are whole, the others' what is sent to it. */
    static long logitBytes(Device device, DecoderShape shape, BatchLimits limits) {
        if (shape.shard().isFirst()) {
            return 4L * limits.maxLogitRows() * shape.vocabSize();
        }
        long part = LogitGather.partBytes(limits.maxLogitRows(), shape.headStride());
        return device.hostReachesMemory() ? shape.shard().size() * part : part;
    }

    /** Of what a rank has beside the buffers of every decoder. */
    static long bytes(Device device, DecoderShape shape, DType dtype, BatchLimits limits) {
        Shard shard = shape.shard();
        if (shard.isWhole()) {
            return 0;
        }
        long sums = dtype == DType.F32 ? 0 : 4L * limits.maxNumBatchedTokens() * shape.hiddenSize();
        int rows = limits.maxLogitRows();
        int stride = shape.headStride();
        return sums
                + (device.hostReachesMemory()
                        ? LogitGather.bytes(shard.size(), shard.isFirst(), rows, stride)
                        : RowGather.bytes(shard.size(), shard.isFirst(), rows, stride));
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

    /** The way of the ranks' logits to the first one. */
    LogitExchange logits() {
        return logits;
    }

    @Override
    public void close() {
        owned.close();
    }
}
