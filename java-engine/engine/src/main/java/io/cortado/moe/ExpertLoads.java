package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The tokens that have chosen each expert of each layer: counted on the device, since the start.
 */
public final class ExpertLoads implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final int numLayers;
    private final int numExperts;

    /** int64 [layers][experts], each layer's aligned. */
    private final Buffer counts;

    private final List<Buffer> ofLayers = new ArrayList<>();
    private final Buffer copy;

    /**
     * @param numLayers those with experts, in their order
     */
    ExpertLoads(Device device, int numLayers, int numExperts) {
        this.numLayers = numLayers;
        this.numExperts = numExperts;
        boolean built = false;
        try {
            long bytes = bytes(numLayers, numExperts);
            counts = own(device.createBuffer(bytes));
            copy = own(device.createHostBuffer(bytes));
            long layer = bytes(1, numExperts);
            for (int i = 0; i < numLayers; i++) {
                ofLayers.add(own(counts.view(i * layer, layer)));
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

    /** On the device. */
    static long bytes(int numLayers, int numExperts) {
        return numLayers * Buffer.aligned((long) Long.BYTES * numExperts);
    }

    long bytes() {
        return counts.bytes();
    }

    /** What the routing of a layer adds to. */
    Buffer of(int layer) {
        return ofLayers.get(layer);
    }

    public int numLayers() {
        return numLayers;
    }

    public int numExperts() {
        return numExperts;
    }

    /** Enqueues a copy of what the operations before have counted, for {@link #read}. */
    public void download(Stream stream) {
        Kernels.copy(copy, counts, 0, 0, counts.bytes(), stream);
    }

    /** What {@link #download} has copied, [layers][experts]; once it has run, before the next. */
    public void read(AtomicLongArray to) {
        MemorySegment host = copy.host();
        long stride = bytes(1, numExperts);
        for (int layer = 0; layer < numLayers; layer++) {
            for (int expert = 0; expert < numExperts; expert++) {
                long at = layer * stride + (long) Long.BYTES * expert;
                to.setPlain(layer * numExperts + expert, host.get(ValueLayout.JAVA_LONG, at));
            }
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
