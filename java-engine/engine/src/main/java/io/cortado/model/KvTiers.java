package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Mirror;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of the KV cache's blocks on the device, and of a second tier in host memory: copies
 * blocks within the first and between the two. Keys and values of each layer are separate buffers
 * in both.
 */
public final class KvTiers implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private final int numBlocks;
    private final List<Buffer> onDevice;
    private final List<Buffer> onHost = new ArrayList<>();

    KvTiers(Device device, List<Buffer> onDevice, int numBlocks, int hostBlocks) {
        this.device = device;
        this.onDevice = onDevice;
        this.numBlocks = numBlocks;
        boolean built = false;
        try {
            for (int i = 0; hostBlocks > 0 && i < onDevice.size(); i++) {
                Buffer buffer = device.createHostBuffer(hostBlocks * blockBytes(i));
                owned.push(buffer::close);
                onHost.add(buffer);
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Readies the pages of the first tier, where they are the host's; null: they are not. */
    public @Nullable KvPages pages() {
        return device.hostReachesMemory() ? new KvPages(onDevice, numBlocks) : null;
    }

    /** Where the pairs of one step are described while another step's are read. */
    public Pairs createPairs() {
        return new Pairs(device, numBlocks);
    }

    /** The pairs of one step's copies. */
    public static final class Pairs implements AutoCloseable {
        private static final int TO_HOST = 0;
        private static final int TO_DEVICE = 1;
        private static final int WITHIN = 2;
        private static final int KINDS = 3;

        private final Mirror mirror;
        private final int[] counts = new int[KINDS];

        private Pairs(Device device, int numBlocks) {
            long bytes = 2L * Integer.BYTES * numBlocks;
            mirror = new Mirror(device, bytes, bytes, bytes);
        }

        /** Source and destination by turns, no destination twice; so many pairs. */
        public void toHost(int[] pairs, int count) {
            put(TO_HOST, pairs, count);
        }

        public void toDevice(int[] pairs, int count) {
            put(TO_DEVICE, pairs, count);
        }

        public void within(int[] pairs, int count) {
            put(WITHIN, pairs, count);
        }

        private void put(int kind, int[] pairs, int count) {
            counts[kind] = count;
            MemorySegment to = mirror.host(kind);
            MemorySegment.copy(pairs, 0, to, ValueLayout.JAVA_INT, 0, 2 * count);
        }

        @Override
        public void close() {
            mirror.close();
        }
    }

    /** Enqueues the copies: to the host, then back, then within the device. */
    public void enqueue(Pairs pairs, Stream stream) {
        pairs.mirror.upload(Pairs.WITHIN, 2L * Integer.BYTES * pairs.counts[Pairs.WITHIN], stream);
        copy(onHost, onDevice, pairs, Pairs.TO_HOST, stream);
        copy(onDevice, onHost, pairs, Pairs.TO_DEVICE, stream);
        copy(onDevice, onDevice, pairs, Pairs.WITHIN, stream);
    }

    private void copy(
            List<Buffer> destinations, List<Buffer> sources, Pairs pairs, int kind, Stream stream) {
        int count = pairs.counts[kind];
        for (int i = 0; count > 0 && i < destinations.size(); i++) {
            Kernels.copyBlocks(
                    destinations.get(i),
                    sources.get(i),
                    pairs.mirror.device(kind),
                    count,
                    blockBytes(i),
                    stream);
        }
    }

    /** Bytes of a block, keys and values of all layers. */
    long recordBytes() {
        long bytes = 0;
        for (int i = 0; i < onDevice.size(); i++) {
            bytes += blockBytes(i);
        }
        return bytes;
    }

    /** A layer's part of a block; a draft head's may be of another size than the model's. */
    private long blockBytes(int i) {
        return onDevice.get(i).bytes() / numBlocks;
    }

    /** Gathers a block of the host tier. */
    void gather(int hostBlock, MemorySegment record) {
        long at = 0;
        for (int i = 0; i < onHost.size(); i++) {
            long bytes = blockBytes(i);
            MemorySegment.copy(onHost.get(i).host(), hostBlock * bytes, record, at, bytes);
            at += bytes;
        }
    }

    /** Scatters a record into a block of the host tier. */
    void scatter(MemorySegment record, int hostBlock) {
        long at = 0;
        for (int i = 0; i < onHost.size(); i++) {
            long bytes = blockBytes(i);
            MemorySegment.copy(record, at, onHost.get(i).host(), hostBlock * bytes, bytes);
            at += bytes;
        }
    }

    /** After the stream has passed the last copy. */
    @Override
    public void close() {
        owned.close();
    }
}
