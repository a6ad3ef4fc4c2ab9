package io.cortado.text;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * From the spelling of a token to its id: open addressing into one flat array, which has each
 * token's id beside its spelling, so that a lookup reads memory in two places and a part of a
 * longer text is found without making a string of it.
 */
final class TokenIds {
    static final int ABSENT = -1;

    /** What is before a spelling in the pool: its id and its length, two chars each. */
    private static final int HEADER = 4;

    private static final long UPPER = 0xFFFF_FFFF_0000_0000L;

    /** Nobody who writes a file shall know which spellings share a slot. */
    private static final long SEED = new SplittableRandom().nextLong();

    private char[] pool = new char[4096];
    private int used;
    private String[] spellings = new String[256];
    private int size;

    /** The upper half of a hash, then the token's place plus one; 0 where the slot is free. */
    private long[] slots = new long[512];

    /**
     * Adds a token, or gives the one of this spelling another id.
     *
     * @return the id that the spelling had, or {@link #ABSENT}
     */
    int put(String spelling, int id) {
        int length = spelling.length();
        if (HEADER + length > pool.length - used) {
            pool = Arrays.copyOf(pool, Math.max(used + HEADER + length, pool.length * 2));
        }
        int from = used + HEADER;
        spelling.getChars(0, length, pool, from);
        long hash = hash(pool, from, from + length);
        int slot = slot(hash, pool, from, from + length);
        if (slots[slot] != 0) {
            int before = id((int) slots[slot] - 1);
            write((int) slots[slot] - 1, id);
            return before;
        }
        write(used, id);
        write(used + 2, length);
        slots[slot] = hash & UPPER | used + 1;
        used = from + length;
        if (size == spellings.length) {
            spellings = Arrays.copyOf(spellings, size * 2);
        }
        spellings[size++] = spelling;
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

    /** Visits the tokens in the order in which they came. */
    void forEach(ObjIntConsumer<String> visitor) {
        int place = 0;
        for (int i = 0; i < size; i++) {
            visitor.accept(spellings[i], id(place));
            place = next(place);
        }
    }

    /** The tokens by their ids, null for a hole. */
    @Nullable String[] byId() {
        int width = 0;
        for (int i = 0, place = 0; i < size; i++, place = next(place)) {
            width = Math.max(width, id(place) + 1);
        }
        var tokens = new @Nullable String[width];
        forEach((token, id) -> tokens[id] = token);
        return tokens;
    }

    /** The id of a token, or {@link #ABSENT}. */
    int find(String text) {
        return find(text, ABSENT);
    }

    /** The id of a token, or {@code fallback}. */
    int find(String text, int fallback) {
        int place = place(text.toCharArray(), 0, text.length());
        return place == ABSENT ? fallback : id(place);
    }

    /** The place of the token {@code text[from, to)}, or {@link #ABSENT}. */
    int place(char[] text, int from, int to) {
        return (int) slots[slot(hash(text, from, to), text, from, to)] - 1;
    }

    /**
     * The same, where the token is likely to be at {@code guess} or just behind: lists of merges go
     * by the tokens they make, and reading in order is many times quicker than anywhere.
     */
    int placeNear(int guess, char[] text, int from, int to) {
        int place = guess;
        for (int tries = 0; tries < 2 && place < used; tries++) {
            if (isSpelled(place, text, from, to)) {
                return place;
            }
            place = next(place);
        }
        return place(text, from, to);
    }

    /** The id of the token at a place. */
    int id(int place) {
        return read(place);
    }

    private int next(int place) {
        return place + HEADER + read(place + 2);
    }

    private int read(int at) {
        return pool[at] << 16 | pool[at + 1];
    }

    private void write(int at, int value) {
        pool[at] = (char) (value >>> 16);
        pool[at + 1] = (char) value;
    }

    /** The slot of a spelling, or the free one where it belongs. */
    private int slot(long hash, char[] text, int from, int to) {
        int slot = first(hash);
        for (long item = slots[slot]; item != 0; item = slots[slot]) {
            if (((item ^ hash) & UPPER) == 0 && isSpelled((int) item - 1, text, from, to)) {
                break;
            }
            slot = slot + 1 & slots.length - 1;
        }
        return slot;
    }

    private int first(long hash) {
        return (int) (hash >>> 32) & slots.length - 1;
    }

    private boolean isSpelled(int place, char[] text, int from, int to) {
        if (read(place + 2) != to - from) {
            return false;
        }
        int at = place + HEADER;
        for (int i = from; i < to; i++) {
            if (pool[at++] != text[i]) {
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
