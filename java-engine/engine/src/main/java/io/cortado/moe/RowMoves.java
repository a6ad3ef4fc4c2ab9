package io.cortado.moe;

import io.cortado.device.Device;
import io.cortado.device.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Rows on their way from one place in host memory to another. One thread at a time uses it. */
final class RowMoves {
    private final Device device;
    private final long rowBytes;

    /** int64[rows][2]: where to, where from. */
    private final MemorySegment moves;

    private int count;

    /**
     * @param device whose threads help where they have nothing else to do
     */
    RowMoves(Device device, long rowBytes, long maxRows) {
        this.device = device;
        this.rowBytes = rowBytes;
        moves = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, Math.multiplyExact(2, maxRows));
    }

    void add(long to, long from) {
        moves.setAtIndex(ValueLayout.JAVA_LONG, 2L * count, to);
        moves.setAtIndex(ValueLayout.JAVA_LONG, 2L * count + 1, from);
        count++;
    }

    /** Copies what was added, of which nothing is left then. */
    void copy(MemorySegment to, MemorySegment from) {
        Kernels.copyHostRows(to, from, moves, count, rowBytes, device);
        count = 0;
    }
}
