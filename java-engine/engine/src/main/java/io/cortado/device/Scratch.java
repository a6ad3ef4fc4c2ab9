package io.cortado.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Native memory that several threads may fill, freed together. */
public final class Scratch implements AutoCloseable {
    private final Arena arena = Arena.ofShared();

    /** Zeros, aligned for every number. */
    public MemorySegment allocate(long bytes) {
        return arena.allocate(bytes, Long.BYTES);
    }

    @Override
    public void close() {
        arena.close();
    }
}
