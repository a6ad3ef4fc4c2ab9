package io.cortado.text.jinja;

/**
 * Finds a text in a text in linear time, whatever the two are: {@link String#indexOf(String)} takes
 * the product of their lengths for some.
 */
final class TextSearch {
    private static final int SHORT = 32;

    private final String sub;
    private final int[] borders;
    private final boolean isBackward;

    private TextSearch(String sub, boolean isBackward) {
        this.sub = sub;
        this.isBackward = isBackward;
        this.borders = new int[sub.length()];
        for (int i = 1, border = 0; i < borders.length; i++) {
            border = extend(border, at(i));
            borders[i] = border;
        }
    }

    /** The first place at or after {@code from}, or -1. */
    static int first(String text, String sub, int from) {
        if (sub.length() <= SHORT) {
            return text.indexOf(sub, from);
        }
        if (sub.length() > text.length() - from) {
            return -1;
        }
        int end = new TextSearch(sub, false).scan(text, from, text.length());
        return end < 0 ? -1 : end - sub.length();
    }

    /** The last place that begins at or before {@code from}, or -1. */
    static int last(String text, String sub, int from) {
        if (sub.length() <= SHORT) {
            return text.lastIndexOf(sub, from);
        }
        int length = text.length();
        if (from < 0 || sub.length() > length) {
            return -1;
        }
        int end = (int) Math.min(length, (long) from + sub.length());
        int found = new TextSearch(sub, true).scan(text, length - end, length);
        return found < 0 ? -1 : length - found;
    }

    static boolean contains(String text, String sub) {
        return first(text, sub, 0) >= 0;
    }

    /** Knuth, Morris and Pratt's search; backward it reads both texts from their ends. */
    private int scan(String text, int from, int to) {
        int matched = 0;
        for (int i = from; i < to; i++) {
            matched = extend(matched, text.charAt(isBackward ? text.length() - 1 - i : i));
            if (matched == sub.length()) {
                return i + 1;
            }
        }
        return -1;
    }

    private int extend(int matched, char next) {
        int length = matched;
        while (length > 0 && at(length) != next) {
            length = borders[length - 1];
        }
        return at(length) == next ? length + 1 : length;
    }

    private char at(int i) {
        return sub.charAt(isBackward ? sub.length() - 1 - i : i);
    }
}
