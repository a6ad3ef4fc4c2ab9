package io.cortado.speculate;

import java.util.Arrays;

/**
 * Finds where a text has said before what it ends with: the latest place of the longest n-gram
 * within bounds. Where its last tokens are new, they may stand in others' stead: it goes on as far
 * behind what was said again before them. Each n has a hash table of places; a token costs a
 * constant time (prompt lookup: Saxena 2023; LLMA: Yang et al. 2023, arXiv 2304.04487).
 */
public final class NgramIndex implements TokenText {
    /** No such place. */
    public static final int NONE = -1;

    /** In a text: nothing reaches over it. */
    static final int BREAK = -1;

    private static final int FIRST_CAPACITY = 64;

    /** New tokens that may stand in the stead of as many others. */
    private static final int MOST_NEW = 16;

    /** Of the n-gram before new tokens; fewer where this was not said before. */
    private static final int BEFORE_NEW = 2;

    private final int min;
    private final int max;
    private int[] tokens = new int[FIRST_CAPACITY];
    private int size;

    private int matched;

    /** The last place behind something that was said again, and the place where it was before. */
    private int again = NONE;

    private int before = NONE;

    /** Tokens whose n-grams are in the tables: those that end with the last one wait. */
    private int indexed;

    /** Per n: the places behind n-grams, by their hash; 0 is free. */
    private final int[][] tables;

    private final int[] used;

    /**
     * @param min tokens that must match, at least 1
     * @param max tokens that are compared at most
     */
    public NgramIndex(int min, int max) {
        if (min < 1 || max < min) {
            throw new IllegalArgumentException("min=" + min + " max=" + max);
        }
        this.min = min;
        this.max = max;
        tables = new int[max - min + 1][FIRST_CAPACITY];
        used = new int[tables.length];
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int token(int index) {
        return tokens[index];
    }

    /** Takes what a text has more than this one: it only grows. */
    public void extend(TokenText text) {
        for (int i = size; i < text.size(); i++) {
            append(text.token(i));
        }
    }

    void append(int token) {
        if (size == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * size);
        }
        tokens[size++] = token;
    }

    /**
     * Adds to a draft what followed, the last time, on what this text ends with. What is copied may
     * run on into the copy itself, as it does where a text repeats.
     *
     * @param most tokens
     * @return tokens that were added
     */
    public int propose(DraftTree draft, int most) {
        int from = match();
        int count = 0;
        for (; from != NONE && count < most; count++) {
            int at = from + count;
            int token = at < size ? tokens[at] : draft.token(at - size);
            if (token == BREAK) {
                break;
            }
            draft.append(token);
        }
        return count;
    }

    /**
     * The latest place behind the longest n-gram that this text ends with as well; else the one
     * that lies as far behind what was said again as this text's end.
     */
    int match() {
        index(size - 1);
        for (int n = Math.min(max, size); n >= min; n--) {
            int from = find(n, tokens, size);
            if (from != NONE) {
                matched = n;
                return from;
            }
        }
        matched = 0;
        int isNew = size - again;
        return again != NONE && isNew <= MOST_NEW ? before + isNew : NONE;
    }

    /** Tokens of the last match; 0 behind new tokens. */
    int matched() {
        return matched;
    }

    /** Puts the n-grams that end before this place into the tables. */
    void index(int end) {
        int beforeNew = Math.clamp(BEFORE_NEW, min, max);
        for (; indexed < end; indexed++) {
            for (int n = min; n <= Math.min(max, indexed + 1); n++) {
                int place = put(n, indexed + 1);
                if (place != NONE && n <= beforeNew) {
                    again = indexed + 1;
                    before = place;
                }
            }
        }
    }

    /** The place in this text behind the n tokens that end a text; {@link #NONE}. */
    int find(int n, int[] text, int end) {
        int[] table = tables[n - min];
        int mask = table.length - 1;
        for (int at = hash(text, end - n, n) & mask; table[at] != 0; at = at + 1 & mask) {
            int place = table[at];
            if (Arrays.equals(tokens, place - n, place, text, end - n, end)) {
                return place;
            }
        }
        return NONE;
    }

    /** The place of the n-gram before; {@link #NONE}. */
    private int put(int n, int end) {
        for (int i = end - n; i < end; i++) {
            if (tokens[i] == BREAK) {
                return NONE;
            }
        }
        int which = n - min;
        if (2 * (used[which] + 1) > tables[which].length) {
            grow(n);
        }
        int place = set(tables[which], n, end);
        used[which] += place == NONE ? 1 : 0;
        return place;
    }

    /** The place that the n-gram had; {@link #NONE}. */
    private int set(int[] table, int n, int end) {
        int mask = table.length - 1;
        int at = hash(tokens, end - n, n) & mask;
        while (table[at] != 0) {
            if (Arrays.equals(tokens, table[at] - n, table[at], tokens, end - n, end)) {
                int place = table[at];
                table[at] = end;
                return place;
            }
            at = at + 1 & mask;
        }
        table[at] = end;
        return NONE;
    }

    private void grow(int n) {
        int[] old = tables[n - min];
        int[] table = new int[2 * old.length];
        for (int end : old) {
            if (end != 0) {
                set(table, n, end);
            }
        }
        tables[n - min] = table;
    }

    private static int hash(int[] text, int from, int n) {
        int hash = n;
        for (int i = from; i < from + n; i++) {
            hash = (hash ^ text[i]) * 0x9E3779B1;
        }
        return hash ^ hash >>> 15;
    }
}
