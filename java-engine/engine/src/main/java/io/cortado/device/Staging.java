package io.cortado.device;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Puts bytes into device memory and reads them back, at load and where time does not matter: each
 * call waits for its copy. One thread.
 */
public final class Staging implements AutoCloseable {
    private final Device device;
    private @Nullable Stream stream;
    private @Nullable Buffer host;

    public Staging(Device device) {
        this.device = device;
    }

    /** New device memory with the bytes that are written to the segment. */
    public Buffer create(long bytes, Consumer<MemorySegment> writer) {
        Buffer buffer = device.createBuffer(bytes);
        boolean written = false;
        try {
            write(buffer, writer);
            written = true;
            return buffer;
        } finally {
            if (!written) {
                closeStream(); // a copy may still be under way, also where the wait for it failed
                buffer.close();
            }
        }
    }

    /** Fills a buffer that no operation uses. */
    public void write(Buffer to, Consumer<MemorySegment> writer) {
        if (device.hostReachesMemory()) {
            writer.accept(to.host());
            return;
        }
        Buffer from = hostBuffer(to.bytes());
        writer.accept(from.host().asSlice(0, to.bytes()));
        Kernels.copy(to, from, 0, 0, to.bytes(), stream());
        stream().synchronize();
    }

    /** The first bytes of a buffer that no operation writes, until the next call. */
    public MemorySegment read(Buffer from, long bytes) {
        if (device.hostReachesMemory()) {
            return from.host().asSlice(0, bytes);
        }
        Buffer to = hostBuffer(bytes);
        Kernels.copy(to, from, 0, 0, bytes, stream());
        stream().synchronize();
        return to.host().asSlice(0, bytes);
    }

    private Stream stream() {
        Stream known = stream;
        if (known == null) {
            known = device.createStream();
            stream = known;
        }
        return known;
    }

    private Buffer hostBuffer(long bytes) {
        Buffer known = host;
        if (known == null || known.bytes() < bytes) {
            host = null;
            if (known != null) {
                known.close();
            }
            known = device.createHostBuffer(bytes);
            host = known;
        }
        return known;
    }

    @Override
    public void close() {
        closeStream();
        if (host != null) {
            host.close();
        }
    }

    private void closeStream() {
        Stream known = stream;
        stream = null;
        if (known != null) {
            known.close();
        }
    }
}
