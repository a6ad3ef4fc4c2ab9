package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import java.lang.foreign.MemorySegment;

/**
 * What a step reads, in one buffer: filled by the caller while no step runs, in the ragged layout
 * of {@code cortado.h}.
 */
public final class BatchInputs implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Buffer ids;
    private final Buffer positions;
    private final Buffer slotMapping;
    private final Buffer blockTable;
    private final Buffer cuSeqlensQ;
    private final Buffer seqlensKv;
    private final Buffer logitRows;

    BatchInputs(Device device, BatchLimits limits) {
        long tokens = limits.maxNumBatchedTokens();
        long seqs = limits.maxNumSeqs();
        long[] bytes = {
            tokens * 4,
            tokens * 4,
            tokens * 8,
            seqs * limits.maxBlocksPerSeq() * 4,
            (seqs + 1) * 4,
            seqs * 4,
            limits.maxLogitRows() * 4L
        };
        long total = 0;
        for (long part : bytes) {
            total += Buffer.aligned(part);
        }
        Buffer all = device.createBuffer(total);
        owned.push(all::close);
        Buffer[] views = new Buffer[bytes.length];
        long offset = 0;
        for (int i = 0; i < bytes.length; i++) {
            Buffer view = all.view(offset, bytes[i]);
            owned.push(view::close);
            views[i] = view;
            offset += Buffer.aligned(bytes[i]);
        }
        ids = views[0];
        positions = views[1];
        slotMapping = views[2];
        blockTable = views[3];
        cuSeqlensQ = views[4];
        seqlensKv = views[5];
        logitRows = views[6];
    }

    /** int32[maxNumBatchedTokens]. */
    public MemorySegment ids() {
        return ids.host();
    }

    /** int32[maxNumBatchedTokens]. */
    public MemorySegment positions() {
        return positions.host();
    }

    /** int64[maxNumBatchedTokens]: block * 16 + place in the block; -1 writes nothing. */
    public MemorySegment slotMapping() {
        return slotMapping.host();
    }

    /** int32[maxNumSeqs][maxBlocksPerSeq]. */
    public MemorySegment blockTable() {
        return blockTable.host();
    }

    /** int32[maxNumSeqs + 1]. */
    public MemorySegment cuSeqlensQ() {
        return cuSeqlensQ.host();
    }

    /** int32[maxNumSeqs]: tokens in the cache, the new ones included. */
    public MemorySegment seqlensKv() {
        return seqlensKv.host();
    }

    /** int32[maxLogitRows]: tokens of the batch whose logits are wanted. */
    public MemorySegment logitRows() {
        return logitRows.host();
    }

    Buffer idsBuffer() {
        return ids;
    }

    Buffer positionsBuffer() {
        return positions;
    }

    Buffer slotMappingBuffer() {
        return slotMapping;
    }

    Buffer blockTableBuffer() {
        return blockTable;
    }

    Buffer cuSeqlensQBuffer() {
        return cuSeqlensQ;
    }

    Buffer seqlensKvBuffer() {
        return seqlensKv;
    }

    Buffer logitRowsBuffer() {
        return logitRows;
    }

    @Override
    public void close() {
        owned.close();
    }
}
