package io.cortado.text;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * From the spelling of a token to its id without making a string of it: a text, or two texts
 * joined. Open addressing over the map's own strings.
 */
final class TokenIds {
    static final int ABSENT = -1;

    private final @Nullable String[] spellings;
    private final int[] ids;
    private final int mask;
    private final @Nullable String[] byId;

    TokenIds(Map<String, Integer> tokens) {
        int slots = Integer.highestOneBit(Math.max(8, tokens.size()) * 2 - 1) * 2;
        spellings = new @Nullable String[slots];
        ids = new int[slots];
        mask = slots - 1;
        byId =
                new @Nullable
                        String[tokens.values().stream().mapToInt(id -> id + 1).max().orElse(0)];
        tokens.forEach((spelling, id) -> {
            int slot = spread(spelling.hashCode());
            while (spellings[slot] != null) {
                slot = slot + 1 & mask;
            }
            spellings[slot] = spelling;
            ids[slot] = id;
            byId[id] = spelling;
        });
    }

    int find(String text) {
        return find(text, "", 0);
    }

    /**
     * The id of the token that {@code left} and {@code right} from {@code start} on spell, or
     * {@link #ABSENT}.
     */
    int find(String left, String right, int start) {
        // The hash of String, so that the map's strings need not be read for theirs.
        int hash = 0;
        for (int i = 0; i < left.length(); i++) {
            hash = 31 * hash + left.charAt(i);
        }
        for (int i = start; i < right.length(); i++) {
            hash = 31 * hash + right.charAt(i);
        }
        int slot = spread(hash);
        String spelling;
        while ((spelling = spellings[slot]) != null) {
            if (isJoined(spelling, left, right, start)) {
                return ids[slot];
            }
            slot = slot + 1 & mask;
        }
        return ABSENT;
    }

    /**
     * The same, where the token is likely to be {@code guess} or the one after it: lists of merges
     * go by the ids they make, and reading in order is many times quicker than anywhere.
     */
    int findNear(int guess, String left, String right, int start) {
        for (int id = Math.max(0, guess); id < Math.min(guess + 2, byId.length); id++) {
            String spelling = byId[id];
            if (spelling != null && isJoined(spelling, left, right, start)) {
                return id;
            }
        }
        return find(left, right, start);
    }

    private static boolean isJoined(String spelling, String left, String right, int start) {
        return spelling.length() == left.length() + right.length() - start
                && spelling.startsWith(left)
                && spelling.regionMatches(left.length(), right, start, right.length() - start);
    }

    private int spread(int hash) {
        int mixed = hash * 0x9E3779B9;
        return (mixed ^ mixed >>> 16) & mask;
    }
}
