package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockTable;
import io.cortado.model.BatchInputs;
import java.lang.foreign.MemorySegment;

/** Rows of a step's block table. */
final class BlockRows {
    private BlockRows() {}

    /** The blocks of a fork, those of its sequence before them. */
    static void put(BatchInputs to, int width, int row, BlockTable table, BlockFork fork) {
        long at = (long) row * width * Integer.BYTES;
        int common = fork.first();
        MemorySegment rows = to.blockTable();
        MemorySegment.copy(table.array(), 0, rows, JAVA_INT, at, common);
        at += (long) common * Integer.BYTES;
        MemorySegment.copy(fork.array(), 0, rows, JAVA_INT, at, fork.size());
    }
}
