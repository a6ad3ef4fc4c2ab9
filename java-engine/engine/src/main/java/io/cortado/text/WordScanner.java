package io.cortado.text;

/**
 * The split patterns of GPT-2, of cl100k (Llama 3, OLMo 2, GLM-4) and of Qwen, compiled by hand.
 *
 * <p>They say the same as the patterns in {@link SplitPatterns} in one pass without backtracking:
 * each piece costs time linear in its length, and a run of white space is looked at once more.
 *
 * @param style which alternatives the pattern has
 * @param maxDigits how many numeric characters make one piece
 * @param lettersTakeMarks whether combining marks belong to words
 */
record WordScanner(Style style, int maxDigits, boolean lettersTakeMarks) implements PieceFinder {
    /**
     * GPT-2 puts only a space before words; cl100k any one character that is no letter, digit or
     * newline.
     */
    enum Style {
        GPT2,
        CL100K
    }

    @Override
    public void find(String text, MatchSink sink) {
        find(text, 0, text.length(), sink);
    }

    @Override
    public void find(String text, int start, int end, MatchSink sink) {
        for (int i = start; i < end; ) {
            int next = pieceEnd(text, i, end);
            sink.match(i, next);
            i = next;
        }
    }

    private int pieceEnd(String text, int start, int limit) {
        int c = text.codePointAt(start);
        if (c == '\'') {
            int end = contractionEnd(text, start, limit);
            if (end > start) {
                return end;
            }
        }
        int next = start + Character.charCount(c);
        int end = wordEnd(text, start, next, limit, c);
        if (end > start) {
            return end;
        }
        if (CharKind.isSpace(c)) {
            return spacesEnd(text, start, limit);
        }
        return othersEnd(text, next, limit);
    }

    /**
     * The end of a word, a number or (after a space) of other characters, or {@code start} if none
     * is here.
     */
    private int wordEnd(String text, int start, int next, int limit, int c) {
        if (isLetter(c)) {
            return lettersEnd(text, next, limit);
        }
        if (CharKind.isNumber(c)) {
            return numberEnd(text, next, limit, maxDigits - 1);
        }
        if (next == limit) {
            return start;
        }
        int follower = text.codePointAt(next);
        if (isLetter(follower) && (style == Style.GPT2 ? c == ' ' : !CharKind.isNewline(c))) {
            return lettersEnd(text, next, limit);
        }
        if (c == ' ') {
            if (style == Style.GPT2 && CharKind.isNumber(follower)) {
                return numberEnd(text, next, limit, maxDigits);
            }
            if (isOther(follower)) {
                return othersEnd(text, next, limit);
            }
        }
        return start;
    }

    private int lettersEnd(String text, int from, int limit) {
        int i = from;
        while (i < limit) {
            int c = text.codePointAt(i);
            if (!isLetter(c)) {
                break;
            }
            i += Character.charCount(c);
        }
        return i;
    }

    private static int numberEnd(String text, int from, int limit, int most) {
        int i = from;
        for (int left = most; left > 0 && i < limit; left--) {
            int c = text.codePointAt(i);
            if (!CharKind.isNumber(c)) {
                break;
            }
            i += Character.charCount(c);
        }
        return i;
    }

    private int othersEnd(String text, int from, int limit) {
        int i = from;
        while (i < limit) {
            int c = text.codePointAt(i);
            if (!isOther(c)) {
                break;
            }
            i += Character.charCount(c);
        }
        while (style == Style.CL100K && i < limit && CharKind.isNewline(text.charAt(i))) {
            i++;
        }
        return i;
    }

    private int spacesEnd(String text, int start, int limit) {
        int end = start;
        int afterNewline = start;
        while (end < limit && CharKind.isSpace(text.charAt(end))) {
            if (CharKind.isNewline(text.charAt(end))) {
                afterNewline = end + 1;
            }
            end++;
        }
        if (style == Style.CL100K && afterNewline > start) {
            return afterNewline;
        }
        return end == limit || end - start == 1 ? end : end - 1;
    }

    private int contractionEnd(String text, int start, int limit) {
        char c = at(text, start + 1, limit);
        char d = at(text, start + 2, limit);
        if (c == 's' || c == 't' || c == 'm' || c == 'd') {
            return start + 2;
        }
        if ((d == 'e' && (c == 'r' || c == 'v')) || (c == 'l' && d == 'l')) {
            return start + 3;
        }
        return start;
    }

    /**
     * The character at {@code i}, with its case folded where the pattern ignores case; 0 past the
     * end.
     */
    private char at(String text, int i, int limit) {
        if (i >= limit) {
            return 0;
        }
        char c = text.charAt(i);
        if (style == Style.GPT2) {
            return c;
        }
        return c == '\u017F' ? 's' : c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
    }

    private boolean isLetter(int c) {
        return CharKind.isLetter(c) || (lettersTakeMarks && CharKind.isMark(c));
    }

    private boolean isOther(int c) {
        return !CharKind.isSpace(c) && !CharKind.isNumber(c) && !isLetter(c);
    }
}
