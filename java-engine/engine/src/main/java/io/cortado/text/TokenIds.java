package io.cortado.text;

import java.util.Map;

/**
 * From the spelling of a token to its id without making a string of it: a part of a text, or two
 * parts joined. Open addressing over the map's own strings.
 */
final class TokenIds {
    static final int ABSENT = -1;

    private final String[] spellings;
    private final int[] ids;
    private final int mask;

    TokenIds(Map<String, Integer> tokens) {
        int slots = Integer.highestOneBit(Math.max(8, tokens.size()) * 2 - 1) * 2;
        spellings = new String[slots];
        ids = new int[slots];
        mask = slots - 1;
        for (Map.Entry<String, Integer> token : tokens.entrySet()) {
            String spelling = token.getKey();
            int slot = spread(spelling.hashCode());
            while (spellings[slot] != null) {
                slot = slot + 1 & mask;
            }
            spellings[slot] = spelling;
            ids[slot] = token.getValue();
        }
    }

    /** The id of the token {@code text[from, to)}, or {@link #ABSENT}. */
    int find(String text, int from, int to) {
        return find(text, from, to, text, to, to);
    }

    /** The id of the token that {@code left[from, to)} and {@code right[start, end)} spell. */
    int find(String left, int from, int to, String right, int start, int end) {
        // The hash of String, so that the map's strings need not be read for theirs.
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = 31 * hash + left.charAt(i);
        }
        for (int i = start; i < end; i++) {
            hash = 31 * hash + right.charAt(i);
        }
        int length = to - from + end - start;
        int slot = spread(hash);
        while (true) {
            String spelling = spellings[slot];
            if (spelling == null) {
                return ABSENT;
            }
            if (spelling.length() == length
                    && spelling.regionMatches(0, left, from, to - from)
                    && spelling.regionMatches(to - from, right, start, end - start)) {
                return ids[slot];
            }
            slot = slot + 1 & mask;
        }
    }

    private int spread(int hash) {
        int mixed = hash * 0x9E3779B9;
        return (mixed ^ mixed >>> 16) & mask;
    }
}
