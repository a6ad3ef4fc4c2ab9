package io.cortado.text;

/**
 * The merges of a byte pair model: a table of pairs, and which characters ever meet in a merge.
 *
 * <p>Where two neighbours of a text meet in no merge, nothing is ever joined over their border, so
 * that the text can be cut there before it is merged. Models that take a whole text for one word
 * are quick only by this.
 */
final class MergeTable {
    /** For a token without characters. */
    static final int NONE = -1;

    private static final int BITS = 20;

    private final PairTable pairs;
    private final long[] meetings = new long[1 << BITS - 6];

    MergeTable(int capacity) {
        pairs = new PairTable(capacity);
    }

    /**
     * Adds the merge of two tokens.
     *
     * @param last the last character of the left token
     * @param first the first character of the right one, after a prefix that words do not have
     */
    void put(int last, int first, int leftId, int rightId, int rank, int mergedId) {
        pairs.put(leftId, rightId, rank, mergedId);
        if (last != NONE && first != NONE) {
            int hash = hash(last, first);
            meetings[hash >>> 6] |= 1L << hash;
        }
    }

    PairTable pairs() {
        return pairs;
    }

    /** False where no merge joins a token that ends with the one to a token of the other. */
    boolean mayMeet(int last, int first) {
        int hash = hash(last, first);
        return (meetings[hash >>> 6] >>> hash & 1) != 0;
    }

    private static int hash(int last, int first) {
        return (last * 0x9E3779B1 ^ first * 0x85EBCA77) * 0xC2B2AE35 >>> 32 - BITS;
    }
}
