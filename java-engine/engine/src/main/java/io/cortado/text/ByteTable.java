package io.cortado.text;

import java.util.Arrays;

/** From the bytes of tokens to their ids: open addressing over primitive arrays, nothing boxed. */
final class ByteTable {
    static final int ABSENT = -1;

    private final byte[][] tokens;
    private final int[] slots;
    private final int mask;

    /**
     * @param tokens the bytes of each id, null for a hole
     * @throws TokenizerFormatException if two tokens have the same bytes, or one has none
     */
    ByteTable(byte[][] tokens) {
        this.tokens = tokens;
        int capacity = Integer.highestOneBit(Math.max(8, tokens.length) * 2 - 1) * 2;
        slots = new int[capacity];
        mask = capacity - 1;
        Arrays.fill(slots, ABSENT);
        for (int id = 0; id < tokens.length; id++) {
            byte[] token = tokens[id];
            if (token == null) {
                continue;
            }
            int slot = slot(token, 0, token.length);
            if (token.length == 0 || slots[slot] != ABSENT) {
                throw new TokenizerFormatException(
                        token.length == 0
                                ? "token without bytes: id=" + id
                                : "two tokens have the same bytes: ids=" + slots[slot] + "," + id);
            }
            slots[slot] = id;
        }
    }

    /** The id of the token {@code bytes[start, end)}, or {@link #ABSENT}. */
    int find(byte[] bytes, int start, int end) {
        return slots[slot(bytes, start, end)];
    }

    private int slot(byte[] bytes, int start, int end) {
        int hash = 0;
        for (int i = start; i < end; i++) {
            hash = hash * 31 + bytes[i];
        }
        hash *= 0x9E3779B9;
        int slot = (hash ^ hash >>> 15) & mask;
        while (slots[slot] != ABSENT) {
            byte[] token = tokens[slots[slot]];
            if (Arrays.equals(token, 0, token.length, bytes, start, end)) {
                return slot;
            }
            slot = slot + 1 & mask;
        }
        return slot;
    }
}
