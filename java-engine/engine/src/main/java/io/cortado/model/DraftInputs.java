package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Mirror;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;

/** What a pass of a draft head reads: a batch in the ragged layout, and each row's feature. */
public final class DraftInputs implements AutoCloseable {
    private static final int FEATURE_ROWS = 0;

    private final BatchInputs batch;
    private final Mirror features;

    DraftInputs(Device device, BatchLimits limits) {
        batch = new BatchInputs(device, limits, 1);
        boolean built = false;
        try {
            features = new Mirror(device, featureBytes(limits));
            built = true;
        } finally {
            if (!built) {
                batch.close();
            }
        }
    }

    private static long featureBytes(BatchLimits limits) {
        return limits.maxNumBatchedTokens() * 4L;
    }

    /** Bytes on the device. */
    static long bytes(BatchLimits limits) {
        return BatchInputs.bytes(limits, 1) + Mirror.bytes(featureBytes(limits));
    }

    /**
     * The rows, in the blocks of the target's sequences. A row at position t has the id of token t
     * + 1, the position t without {@link CausalLm#firstLongPosition}, and the slot of token t.
     */
    public BatchInputs batch() {
        return batch;
    }

    /**
     * int32[maxNumBatchedTokens]: where a row's feature comes from: a row of the target's last step
     * or one of the head's last pass, as {@link DraftHead.Features} says.
     */
    public MemorySegment featureRows() {
        return features.host(FEATURE_ROWS);
    }

    /** Enqueues the copies to the device. */
    public void upload(int numTokens, int numSeqs, Stream stream) {
        batch.upload(numSeqs, stream);
        features.upload(FEATURE_ROWS, numTokens * 4L, stream);
    }

    Buffer featureRowsBuffer() {
        return features.device(FEATURE_ROWS);
    }

    @Override
    public void close() {
        features.close();
        batch.close();
    }
}
