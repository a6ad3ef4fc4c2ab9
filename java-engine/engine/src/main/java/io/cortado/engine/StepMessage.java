package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * What the first rank tells the others before a step, in memory that both sides read in the same
 * order: a head of {@link Field}s, then arrays without gaps but for the alignment of longs, which
 * come first.
 */
final class StepMessage {
    /** What a message is about. */
    enum Kind {
        /** A step follows. */
        STEP,
        /** The first rank is there and has nothing to do. */
        IDLE,
        /** It is the last one. */
        STOP
    }

    /** Numbers of the head. */
    enum Field {
        KIND,
        NUM_TOKENS,
        NUM_SEQS,
        NUM_ROWS,
        MAX_Q_LEN,
        /** 1: ids come from the device, after the message. */
        IS_FED,
        /** Blocks of the cache that are copied first. */
        NUM_COPIES,
        /** Runs of the block table that have changed: row, column, length, blocks. */
        NUM_RUNS,
        /** Blocks of the cache that have ever been used. */
        USED_BLOCKS,
        /** Ids from 0 on that may be drawn. */
        DRAWABLE_IDS
    }

    private static final long HEAD_BYTES = (long) Field.values().length * Long.BYTES;
    private static final int RUN_HEAD = 3;

    private final MemorySegment memory;
    private long at;

    StepMessage(MemorySegment memory) {
        this.memory = memory;
    }

    /** Bytes of the largest one, a multiple of 64. */
    static long capacity(Limits limits, int maxBlocksPerSeq, int numBlocks) {
        long ofToken = Long.BYTES + 2L * Integer.BYTES;
        long seqs = limits.maxTables();
        long ints =
                2 * seqs
                        + 1
                        + 2L * limits.maxRows()
                        + 2L * numBlocks
                        + seqs * (RUN_HEAD + (long) maxBlocksPerSeq);
        long bytes = HEAD_BYTES + limits.maxNumBatchedTokens() * ofToken + ints * Integer.BYTES;
        return Math.ceilDiv(bytes, 64L) * 64;
    }

    /** Starts another message, to write or to read. */
    void rewind() {
        at = HEAD_BYTES;
    }

    /** Bytes written or read. */
    long bytes() {
        return at;
    }

    void set(Field field, long value) {
        memory.setAtIndex(JAVA_LONG, field.ordinal(), value);
    }

    int get(Field field) {
        return Math.toIntExact(memory.getAtIndex(JAVA_LONG, field.ordinal()));
    }

    void kind(Kind kind) {
        set(Field.KIND, kind.ordinal());
    }

    Kind kind() {
        return Kind.values()[get(Field.KIND)];
    }

    void putLongs(MemorySegment from, int count) {
        MemorySegment.copy(from, JAVA_LONG, 0, memory, JAVA_LONG, at, count);
        at += (long) count * Long.BYTES;
    }

    void putInts(MemorySegment from, int count) {
        MemorySegment.copy(from, JAVA_INT, 0, memory, JAVA_INT, at, count);
        at += (long) count * Integer.BYTES;
    }

    void putInts(int[] from, int first, int count) {
        MemorySegment.copy(from, first, memory, JAVA_INT, at, count);
        at += (long) count * Integer.BYTES;
    }

    void putInt(int value) {
        memory.set(JAVA_INT, at, value);
        at += Integer.BYTES;
    }

    void takeLongs(MemorySegment to, int count) {
        MemorySegment.copy(memory, JAVA_LONG, at, to, JAVA_LONG, 0, count);
        at += (long) count * Long.BYTES;
    }

    /**
     * @param first index in {@code to}
     */
    void takeInts(MemorySegment to, long first, int count) {
        MemorySegment.copy(memory, JAVA_INT, at, to, JAVA_INT, first * Integer.BYTES, count);
        at += (long) count * Integer.BYTES;
    }

    void takeInts(int[] to, int count) {
        MemorySegment.copy(memory, JAVA_INT, at, to, 0, count);
        at += (long) count * Integer.BYTES;
    }

    int takeInt() {
        int value = memory.get(JAVA_INT, at);
        at += Integer.BYTES;
        return value;
    }
}
