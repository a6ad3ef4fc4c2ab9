package io.cortado.text;

import java.util.Arrays;

/** The merges of a byte pair model as files list them, in one flat text until the ids are known. */
final class MergeList {
    private static final char[] VERSION = "#version".toCharArray();

    private char[] letters = new char[4096];
    private int used;

    /** Where each merge's right token begins and ends; its left one begins where the last ended. */
    private final IntList bounds = new IntList();

    /**
     * Adds {@code left right}; a comment with the format's version is no merge, as in the
     * reference.
     *
     * @return whether the line is a merge or that comment
     */
    boolean addLine(char[] text, int from, int length) {
        int end = from + length;
        if (length >= VERSION.length
                && Arrays.equals(text, from, from + VERSION.length, VERSION, 0, VERSION.length)) {
            return true;
        }
        int space = space(text, from, end);
        if (space == end || space(text, space + 1, end) < end) {
            return false;
        }
        addPart(text, from, space - from);
        addPart(text, space + 1, end - space - 1);
        return true;
    }

    private static int space(char[] text, int from, int end) {
        int at = from;
        while (at < end && text[at] != ' ') {
            at++;
        }
        return at;
    }

    /** Adds a left token, or the right one of the left one before. */
    void addPart(char[] text, int from, int length) {
        if (length > letters.length - used) {
            letters = Arrays.copyOf(letters, Math.max(used + length, letters.length * 2));
        }
        System.arraycopy(text, from, letters, used, length);
        used += length;
        bounds.add(used);
    }

    int size() {
        return bounds.size() / 2;
    }

    /**
     * The merges by the ids of their tokens.
     *
     * @param prefix what tokens inside a word have in front, which a merge drops from its right one
     * @throws TokenizerFormatException if a token is none of {@code ids}
     */
    MergeTable table(TokenIds ids, String prefix) {
        var table = new MergeTable(size());
        int made = 0;
        for (int rank = 0; rank < size(); rank++) {
            made = put(rank, table, ids, prefix.length(), made);
        }
        return table;
    }

    /** Puts one merge into the table and answers the place of the token that it makes. */
    private int put(int rank, MergeTable table, TokenIds ids, int prefix, int near) {
        int start = rank == 0 ? 0 : bounds.at(2 * rank - 1);
        int middle = bounds.at(2 * rank);
        int end = bounds.at(2 * rank + 1);
        int inner = middle + prefix;
        if (inner > end) {
            throw new TokenizerFormatException(
                    "merge lacks the prefix of tokens inside a word: model.merges["
                            + rank
                            + "]="
                            + TokenizerFile.clip(text(start, middle) + " " + text(middle, end)));
        }
        int left = ids.place(letters, start, middle);
        int right = ids.place(letters, middle, end);
        int made =
                prefix == 0
                        ? ids.placeNear(near, letters, start, end)
                        : joined(ids, start, middle, inner, end);
        if (left < 0 || right < 0 || made < 0) {
            throw unknownToken(
                    left < 0
                            ? text(start, middle)
                            : right < 0
                                    ? text(middle, end)
                                    : text(start, middle) + text(inner, end),
                    rank);
        }
        table.put(
                middle == start
                        ? MergeTable.NONE
                        : Character.codePointBefore(letters, middle, start),
                inner == end ? MergeTable.NONE : Character.codePointAt(letters, inner, end),
                ids.id(left),
                ids.id(right),
                rank,
                ids.id(made));
        return made;
    }

    /** A merge whose right token loses its prefix makes what is nowhere in one piece. */
    private int joined(TokenIds ids, int start, int middle, int inner, int end) {
        char[] whole = (text(start, middle) + text(inner, end)).toCharArray();
        return ids.place(whole, 0, whole.length);
    }

    private String text(int from, int to) {
        return new String(letters, from, to - from);
    }

    private static TokenizerFormatException unknownToken(String token, int rank) {
        return new TokenizerFormatException(
                "merge names a token that is not in model.vocab: model.merges["
                        + rank
                        + "] token="
                        + TokenizerFile.clip(token));
    }
}
