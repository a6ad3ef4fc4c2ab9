package io.cortado.gang;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/**
 * One side of an exchange, in host memory: a part for each rank, at an offset of its own.
 *
 * <p>To send, {@link #bytes} is what there is for the rank; to receive, {@link #capacity} is what
 * may come, and the exchange sets bytes to what came. A part may be empty.
 */
public final class Parts {
    private MemorySegment memory;
    private final long[] offsets;
    private final long[] capacities;
    private final long[] bytes;

    /** Of so many ranks, all parts empty at offset 0. */
    public Parts(MemorySegment memory, int size) {
        this.memory = memory;
        offsets = new long[size];
        capacities = new long[size];
        bytes = new long[size];
    }

    /** Parts that follow each other, of one capacity. */
    public static Parts even(MemorySegment memory, int size, long capacity) {
        Parts parts = new Parts(memory, size);
        for (int rank = 0; rank < size; rank++) {
            parts.set(rank, rank * capacity, capacity);
        }
        return parts;
    }

    /** Moves to other memory, all parts empty at offset 0. */
    void moveTo(MemorySegment to) {
        memory = to;
        Arrays.fill(offsets, 0);
        Arrays.fill(capacities, 0);
        Arrays.fill(bytes, 0);
    }

    /** Where a rank's part is; it is empty then. */
    public void set(int rank, long offset, long capacity) {
        Objects.checkFromIndexSize(offset, capacity, memory.byteSize());
        offsets[rank] = offset;
        capacities[rank] = capacity;
        bytes[rank] = 0;
    }

    /** How much of a rank's part is there. */
    public void fill(int rank, long count) {
        if (count < 0 || count > capacities[rank]) {
            throw new GangException(
                    GangException.Kind.MISMATCH,
                    "the part of rank %d has bytes=%d, at most %d fit"
                            .formatted(rank, count, capacities[rank]));
        }
        bytes[rank] = count;
    }

    public MemorySegment memory() {
        return memory;
    }

    /** Number of ranks. */
    public int size() {
        return offsets.length;
    }

    public long offset(int rank) {
        return offsets[rank];
    }

    public long capacity(int rank) {
        return capacities[rank];
    }

    public long bytes(int rank) {
        return bytes[rank];
    }
}
