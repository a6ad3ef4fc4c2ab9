package io.cortado.text;

import java.util.function.IntPredicate;

/**
 * From a pair of ids to the rank of its merge and the id it makes: open addressing over primitive
 * arrays.
 */
final class PairTable {
    /** What {@link #find} answers for a pair that no merge joins. */
    static final long ABSENT = -1;

    private static final long FREE = 0;

    /** In each slot a pair plus one, then what its merge makes: found together in memory. */
    private final long[] slots;

    private final int mask;

    PairTable(int capacity) {
        int count = Integer.highestOneBit(Math.max(8, capacity) * 2 - 1) * 2;
        slots = new long[2 * count];
        mask = count - 1;
    }

    /** A later merge of the same pair replaces the earlier one, as in the reference. */
    void put(int left, int right, int rank, int merged) {
        int slot = slot(pair(left, right) + 1);
        slots[slot] = pair(left, right) + 1;
        slots[slot + 1] = (long) rank << 32 | merged;
    }

    /** The rank in the upper half and the id in the lower half, or {@link #ABSENT}. */
    long find(int left, int right) {
        int slot = slot(pair(left, right) + 1);
        return slots[slot] == FREE ? ABSENT : slots[slot + 1];
    }

    /** Whether any pair has a member of the kind. */
    boolean joinsAny(IntPredicate kind) {
        for (int slot = 0; slot < slots.length; slot += 2) {
            long pair = slots[slot] - 1;
            if (slots[slot] != FREE && (kind.test((int) (pair >>> 32)) || kind.test((int) pair))) {
                return true;
            }
        }
        return false;
    }

    private int slot(long key) {
        int slot = (int) (key * 0x9E3779B97F4A7C15L >>> 32) & mask;
        while (slots[2 * slot] != FREE && slots[2 * slot] != key) {
            slot = slot + 1 & mask;
        }
        return 2 * slot;
    }

    private static long pair(int left, int right) {
        return (long) left << 32 | right;
    }
}
