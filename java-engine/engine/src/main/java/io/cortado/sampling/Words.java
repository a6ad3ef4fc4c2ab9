package io.cortado.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Mirror;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;

/** Words of a batch that go up to the device, as many as are added; memory doubles and is kept. */
final class Words implements AutoCloseable {
    private static final int SECTION = 0;

    private final Device device;
    private Mirror mirror;
    private int capacity;
    private int size;

    Words(Device device, int capacity) {
        this.device = device;
        this.capacity = capacity;
        mirror = new Mirror(device, (long) capacity * Integer.BYTES);
    }

    void clear() {
        size = 0;
    }

    int size() {
        return size;
    }

    void add(int value) {
        reserve(1);
        mirror.host(SECTION).setAtIndex(JAVA_INT, size++, value);
    }

    void add(float value) {
        reserve(1);
        mirror.host(SECTION).setAtIndex(JAVA_FLOAT, size++, value);
    }

    void add(int[] values, int from, int count) {
        reserve(count);
        long at = (long) size * Integer.BYTES;
        MemorySegment.copy(values, from, mirror.host(SECTION), JAVA_INT, at, count);
        size += count;
    }

    void add(float[] values, int from, int count) {
        reserve(count);
        long at = (long) size * Float.BYTES;
        MemorySegment.copy(values, from, mirror.host(SECTION), JAVA_FLOAT, at, count);
        size += count;
    }

    private void reserve(int more) {
        if (size > capacity - more) {
            capacity = Math.max(2 * capacity, Math.addExact(size, more));
            Mirror grown = new Mirror(device, (long) capacity * Integer.BYTES);
            long bytes = (long) size * Integer.BYTES;
            MemorySegment.copy(mirror.host(SECTION), 0, grown.host(SECTION), 0, bytes);
            mirror.close();
            mirror = grown;
        }
    }

    /** The buffer for operations, until more is added. */
    Buffer device() {
        return mirror.device(SECTION);
    }

    void upload(Stream stream) {
        if (size > 0) {
            mirror.upload(SECTION, (long) size * Integer.BYTES, stream);
        }
    }

    @Override
    public void close() {
        mirror.close();
    }
}
