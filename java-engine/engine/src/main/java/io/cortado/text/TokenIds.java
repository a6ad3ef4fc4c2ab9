package io.cortado.text;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.ObjIntConsumer;

/**
 * From the spelling of a token to its id: open addressing over flat arrays, the spellings one after
 * the other in one of them, so that a part of a longer text is found without making a string of it.
 */
final class TokenIds {
    static final int ABSENT = -1;

    /** Nobody who writes a file shall know which spellings share a slot. */
    private static final long SEED = new SplittableRandom().nextLong();

    private String[] spellings = new String[256];
    private int[] ids = new int[256];
    private int[] starts = new int[257];
    private char[] letters = new char[2048];

    /** The upper half of a hash, then the entry plus one; 0 where the slot is free. */
    private long[] slots = new long[512];

    private int size;

    /**
     * Adds a token, or gives the one of this spelling another id.
     *
     * @return the id that the spelling had, or {@link #ABSENT}
     */
    int put(String spelling, int id) {
        int length = spelling.length();
        int start = starts[size];
        if (length > letters.length - start) {
            letters = Arrays.copyOf(letters, Math.max(start + length, letters.length * 2));
        }
        spelling.getChars(0, length, letters, start);
        long hash = hash(letters, start, start + length);
        int slot = slot(hash, letters, start, start + length);
        if (slots[slot] != 0) {
            int entry = (int) slots[slot] - 1;
            int before = ids[entry];
            ids[entry] = id;
            return before;
        }
        if (size == ids.length) {
            spellings = Arrays.copyOf(spellings, size * 2);
            ids = Arrays.copyOf(ids, size * 2);
            starts = Arrays.copyOf(starts, size * 2 + 1);
        }
        spellings[size] = spelling;
        ids[size] = id;
        starts[++size] = start + length;
        slots[slot] = hash & 0xFFFF_FFFF_0000_0000L | size;
        if (size * 2 > slots.length) {
            grow();
        }
        return ABSENT;
    }

    private void grow() {
        long[] old = slots;
        slots = new long[old.length * 2];
        for (long item : old) {
            if (item != 0) {
                int slot = first(item);
                while (slots[slot] != 0) {
                    slot = slot + 1 & slots.length - 1;
                }
                slots[slot] = item;
            }
        }
    }

    int size() {
        return size;
    }

    /** The largest id plus one. */
    int width() {
        int width = 0;
        for (int entry = 0; entry < size; entry++) {
            width = Math.max(width, ids[entry] + 1);
        }
        return width;
    }

    /** Visits the tokens in the order in which they came. */
    void forEach(ObjIntConsumer<String> visitor) {
        for (int entry = 0; entry < size; entry++) {
            visitor.accept(spellings[entry], ids[entry]);
        }
    }

    /** The id of a token, or {@link #ABSENT}. */
    int find(String text) {
        return find(text, ABSENT);
    }

    /** The id of a token, or {@code fallback}. */
    int find(String text, int fallback) {
        int entry = entry(text.toCharArray(), 0, text.length());
        return entry == ABSENT ? fallback : ids[entry];
    }

    /** The place in the list of the token {@code text[from, to)}, or {@link #ABSENT}. */
    int entry(char[] text, int from, int to) {
        return (int) slots[slot(hash(text, from, to), text, from, to)] - 1;
    }

    /**
     * The same, where the token is likely to be at {@code guess} or one after it: lists of merges
     * go by the tokens they make, and reading in order is many times quicker than anywhere.
     */
    int entryNear(int guess, char[] text, int from, int to) {
        for (int entry = guess; entry < Math.min(guess + 2, size); entry++) {
            if (isSpelled(entry, text, from, to)) {
                return entry;
            }
        }
        return entry(text, from, to);
    }

    /** The id of a place in the list. */
    int id(int entry) {
        return ids[entry];
    }

    /** The slot of a spelling, or the free one where it belongs. */
    private int slot(long hash, char[] text, int from, int to) {
        int slot = first(hash);
        while (slots[slot] != 0) {
            boolean mayBe = (int) (slots[slot] >>> 32) == (int) (hash >>> 32);
            if (mayBe && isSpelled((int) slots[slot] - 1, text, from, to)) {
                return slot;
            }
            slot = slot + 1 & slots.length - 1;
        }
        return slot;
    }

    private int first(long hash) {
        return (int) (hash >>> 32) & slots.length - 1;
    }

    private boolean isSpelled(int entry, char[] text, int from, int to) {
        int start = starts[entry];
        if (starts[entry + 1] - start != to - from) {
            return false;
        }
        for (int i = from; i < to; i++) {
            if (letters[start++] != text[i]) {
                return false;
            }
        }
        return true;
    }

    private static long hash(char[] text, int from, int to) {
        long hash = SEED;
        for (int i = from; i < to; i++) {
            hash = (hash ^ text[i]) * 0x9E3779B97F4A7C15L;
            hash ^= hash >>> 29;
        }
        return hash * 0xBF58476D1CE4E5B9L;
    }
}
