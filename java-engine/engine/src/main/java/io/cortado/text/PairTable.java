package io.cortado.text;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * From a pair of ids to the rank of its merge and the id it makes: open addressing over primitive
 * arrays.
 */
final class PairTable {
    /** What {@link #find} answers for a pair that no merge joins. */
    static final long ABSENT = -1;

    private static final long EMPTY = -1;

    private final long[] keys;
    private final long[] values;
    private final int mask;

    PairTable(int capacity) {
        int slots = Integer.highestOneBit(Math.max(8, capacity) * 2 - 1) * 2;
        keys = new long[slots];
        values = new long[slots];
        mask = slots - 1;
        Arrays.fill(keys, EMPTY);
    }

    /** A later merge of the same pair replaces the earlier one, as in the reference. */
    void put(int left, int right, int rank, int merged) {
        int slot = slot(pair(left, right));
        keys[slot] = pair(left, right);
        values[slot] = (long) rank << 32 | merged;
    }

    /** The rank in the upper half and the id in the lower half, or {@link #ABSENT}. */
    long find(int left, int right) {
        int slot = slot(pair(left, right));
        return keys[slot] == EMPTY ? ABSENT : values[slot];
    }

    /** Whether any pair has a member of the kind. */
    boolean joinsAny(IntPredicate kind) {
        for (long key : keys) {
            if (key != EMPTY && (kind.test((int) (key >>> 32)) || kind.test((int) key))) {
                return true;
            }
        }
        return false;
    }

    private int slot(long key) {
        long hash = key * 0x9E3779B97F4A7C15L;
        int slot = (int) (hash >>> 32) & mask;
        while (keys[slot] != EMPTY && keys[slot] != key) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private static long pair(int left, int right) {
        return (long) left << 32 | right;
    }
}
