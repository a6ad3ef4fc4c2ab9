package io.cortado.device;

import java.lang.foreign.MemorySegment;

/**
 * Memory of the host and the same bytes on the device, cut into sections that each start aligned.
 * What goes up is written to {@link #host} and copied by {@link #upload}; what comes down is copied
 * by {@link #download}. One copy, whatever the number of sections.
 *
 * <p>Where the host reaches the device's memory the two are one and nothing is copied; this class
 * alone decides that.
 */
public final class Mirror implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final boolean shared;
    private final Buffer host;
    private final Buffer device;
    private final long[] offsets;
    private final MemorySegment[] hostSections;
    private final Buffer[] deviceSections;

    public Mirror(Device owner, long... sectionBytes) {
        offsets = new long[sectionBytes.length];
        hostSections = new MemorySegment[sectionBytes.length];
        deviceSections = new Buffer[sectionBytes.length];
        long total = 0;
        for (int i = 0; i < sectionBytes.length; i++) {
            offsets[i] = total;
            total += Buffer.aligned(sectionBytes[i]);
        }
        shared = owner.hostReachesMemory();
        boolean built = false;
        try {
            host = own(owner.createHostBuffer(total));
            device = shared ? host : own(owner.createBuffer(total));
            for (int i = 0; i < sectionBytes.length; i++) {
                hostSections[i] = host.host().asSlice(offsets[i], sectionBytes[i]);
                deviceSections[i] = own(device.view(offsets[i], sectionBytes[i]));
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Bytes on the device, of sections of these sizes. */
    public static long bytes(long... sectionBytes) {
        long total = 0;
        for (long bytes : sectionBytes) {
            total += Buffer.aligned(bytes);
        }
        return total;
    }

    private Buffer own(Buffer buffer) {
        owned.push(buffer::close);
        return buffer;
    }

    /** The section's bytes for the host, while no copy of them is under way. */
    public MemorySegment host(int section) {
        return hostSections[section];
    }

    /** The section's bytes for operations. */
    public Buffer device(int section) {
        return deviceSections[section];
    }

    /** Enqueues the copy to the device, up to so many bytes of that section. */
    public void upload(int section, long bytes, Stream stream) {
        if (!shared) {
            Kernels.copy(device, host, 0, 0, offsets[section] + bytes, stream);
        }
    }

    /** Enqueues the copy to the host, up to so many bytes of that section. */
    public void download(int section, long bytes, Stream stream) {
        if (!shared) {
            Kernels.copy(host, device, 0, 0, offsets[section] + bytes, stream);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
