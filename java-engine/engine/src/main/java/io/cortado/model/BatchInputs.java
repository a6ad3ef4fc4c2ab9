package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Mirror;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a step reads, in the ragged layout of {@code cortado.h}: filled by the caller once a step
 * and brought to the device by one copy. The next step fills another one while this one is read.
 */
public final class BatchInputs implements AutoCloseable {
    private static final int IDS = 0;
    private static final int POSITIONS = 1;
    private static final int SLOT_MAPPING = 2;
    private static final int FED_ROWS = 3;
    private static final int CU_SEQLENS_Q = 4;
    private static final int SEQLENS_KV = 5;
    private static final int LOGIT_ROWS = 6;

    // The largest comes last: a copy ends with its last row in use.
    private static final int BLOCK_TABLE = 7;

    private final Mirror mirror;
    private final int maxBlocksPerSeq;
    private final RowCandidates rowCandidates;
    private final ResourceStack owned = new ResourceStack();
    private final SlotCopies copies;
    private final LayerInputs layers;
    private final @Nullable BatchHalves halves;

    /**
     * @param microBatches of a step, at most: 1 or 2
     */
    BatchInputs(Device device, BatchLimits limits, int microBatches) {
        maxBlocksPerSeq = limits.maxBlocksPerSeq();
        rowCandidates = new RowCandidates(limits.maxLogitRows());
        boolean built = false;
        try {
            mirror = new Mirror(device, sections(limits));
            owned.push(mirror::close);
            copies = new SlotCopies(device, limits);
            owned.push(copies::close);
            layers =
                    new LayerInputs(
                            mirror.device(POSITIONS),
                            mirror.device(SLOT_MAPPING),
                            mirror.device(CU_SEQLENS_Q),
                            mirror.device(SEQLENS_KV),
                            mirror.device(BLOCK_TABLE),
                            mirror.host(POSITIONS),
                            copies);
            halves = microBatches == 1 ? null : new BatchHalves(device, limits, layers);
            if (halves != null) {
                owned.push(halves::close);
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Bytes on the device. */
    static long bytes(BatchLimits limits, int microBatches) {
        return Mirror.bytes(sections(limits))
                + SlotCopies.bytes(limits)
                + (microBatches == 1 ? 0 : BatchHalves.bytes(limits));
    }

    private static long[] sections(BatchLimits limits) {
        long tokens = limits.maxNumBatchedTokens();
        long seqs = limits.maxNumSeqs();
        return new long[] {
            tokens * 4,
            tokens * 4,
            tokens * 8,
            tokens * 4,
            (seqs + 1) * 4,
            seqs * 4,
            limits.maxLogitRows() * 4L,
            seqs * limits.maxBlocksPerSeq() * 4
        };
    }

    /** int32[maxNumBatchedTokens]. */
    public MemorySegment ids() {
        return mirror.host(IDS);
    }

    /**
     * int32[maxNumBatchedTokens]; of a sequence that is longer than {@link
     * ModelConfig#otherAnglesAbove}, plus {@link CausalLm#firstLongPosition}.
     */
    public MemorySegment positions() {
        return mirror.host(POSITIONS);
    }

    /** int64[maxNumBatchedTokens]: block * 16 + place in the block; -1 writes nothing. */
    public MemorySegment slotMapping() {
        return mirror.host(SLOT_MAPPING);
    }

    /**
     * int32[maxNumBatchedTokens]: the row of the step before whose drawn token is this token's id;
     * -1: {@link #ids} holds it. Only {@link #feed} reads it.
     */
    public MemorySegment fedRows() {
        return mirror.host(FED_ROWS);
    }

    /** int32[maxNumSeqs + 1]. */
    public MemorySegment cuSeqlensQ() {
        return mirror.host(CU_SEQLENS_Q);
    }

    /** int32[maxNumSeqs]: tokens in the cache, the new ones included. */
    public MemorySegment seqlensKv() {
        return mirror.host(SEQLENS_KV);
    }

    /** int32[maxLogitRows]: tokens of the batch whose logits are wanted. */
    public MemorySegment logitRows() {
        return mirror.host(LOGIT_ROWS);
    }

    /** What of the rows of logits ranks send each other; all of them, if nothing is said. */
    public RowCandidates rowCandidates() {
        return rowCandidates;
    }

    /** None, if nothing is said. */
    public SlotCopies copies() {
        return copies;
    }

    /** int32[maxNumSeqs][maxBlocksPerSeq]. */
    public MemorySegment blockTable() {
        return mirror.host(BLOCK_TABLE);
    }

    /** Enqueues the copy to the device; a step of so many sequences comes after it. */
    public void upload(int numSeqs, Stream stream) {
        mirror.upload(BLOCK_TABLE, (long) numSeqs * maxBlocksPerSeq * 4, stream);
        copies.upload(stream);
    }

    /** Enqueues: ids become tokens that the step before has drawn, where {@link #fedRows} says. */
    public void feed(Buffer drawnTokens, int numTokens, Stream stream) {
        Kernels.feedTokens(
                mirror.device(IDS),
                drawnTokens,
                mirror.device(FED_ROWS),
                numTokens,
                drawnTokens.bytes() / 4,
                stream);
    }

    /**
     * Enqueues: ids become the first rank's, on all ranks.
     *
     * @param all int32[ranks][maxNumBatchedTokens]: scratch
     */
    public void share(Collectives ranks, Buffer all, int numTokens, Stream stream) {
        long bytes = (long) numTokens * Integer.BYTES;
        ranks.allGather(all, mirror.device(IDS), bytes, stream);
        if (ranks.rank() > 0) {
            Kernels.copy(mirror.device(IDS), all, 0, 0, bytes, stream);
        }
    }

    Buffer idsBuffer() {
        return mirror.device(IDS);
    }

    /** What the layers read of all of it. */
    LayerInputs layers() {
        return layers;
    }

    /** The same in two micro-batches; enqueues their copy to the device. */
    BatchHalves halve(int numTokens, int numSeqs, Stream stream) {
        BatchHalves own = Objects.requireNonNull(halves, "steps are of one micro-batch");
        own.fill(this, numTokens, numSeqs, stream);
        return own;
    }

    Buffer logitRowsBuffer() {
        return mirror.device(LOGIT_ROWS);
    }

    @Override
    public void close() {
        owned.close();
    }
}
