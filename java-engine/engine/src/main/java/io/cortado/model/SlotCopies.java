package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.KvMoveParams;
import io.cortado.device.Mirror;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Tokens of a step that several of its sequences read: each is computed for the first of them, and
 * its keys and values are copied to the slots of the others in every layer, behind the layer's
 * writes and before its attention. A destination is no source. In two micro-batches both make all
 * copies: what the first copies too early nobody reads before the second has copied it again.
 */
public final class SlotCopies implements AutoCloseable {
    private static final int PAIRS = 0;
    private static final int PAIR = 2;

    private final Mirror mirror;
    private int count;

    SlotCopies(Device device, BatchLimits limits) {
        mirror = new Mirror(device, pairBytes(limits));
    }

    private static long pairBytes(BatchLimits limits) {
        return (long) limits.maxNumBatchedTokens() * PAIR * Long.BYTES;
    }

    /** Bytes on the device. */
    static long bytes(BatchLimits limits) {
        return Mirror.bytes(pairBytes(limits));
    }

    /**
     * Says what the next step copies.
     *
     * @param pairs source and destination, as in {@link BatchInputs#slotMapping}
     * @param numCopies at most as many as tokens of a step
     */
    public void set(long[] pairs, int numCopies) {
        MemorySegment.copy(pairs, 0, mirror.host(PAIRS), JAVA_LONG, 0, PAIR * numCopies);
        count = numCopies;
    }

    void upload(Stream stream) {
        if (count > 0) {
            mirror.upload(PAIRS, (long) count * PAIR * Long.BYTES, stream);
        }
    }

    /**
     * Enqueues the copies within a layer.
     *
     * @param v null: values lie in the keys
     */
    void enqueue(Buffer k, @Nullable Buffer v, KvMoveParams params, Stream stream) {
        if (count > 0) {
            // Each is a sequence of its own: they depend on none of the others.
            Kernels.kvMove(k, v, mirror.device(PAIRS), null, params.moves(count, 1), stream);
        }
    }

    @Override
    public void close() {
        mirror.close();
    }
}
