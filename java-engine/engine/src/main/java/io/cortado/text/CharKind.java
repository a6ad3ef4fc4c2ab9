package io.cortado.text;

import java.util.BitSet;

/** The Unicode classes that published split patterns are made of. */
final class CharKind {
    private static final int LETTER =
            1 << Character.UPPERCASE_LETTER
                    | 1 << Character.LOWERCASE_LETTER
                    | 1 << Character.TITLECASE_LETTER
                    | 1 << Character.MODIFIER_LETTER
                    | 1 << Character.OTHER_LETTER;
    private static final int MARK =
            1 << Character.NON_SPACING_MARK
                    | 1 << Character.ENCLOSING_MARK
                    | 1 << Character.COMBINING_SPACING_MARK;
    private static final int NUMBER =
            1 << Character.DECIMAL_DIGIT_NUMBER
                    | 1 << Character.LETTER_NUMBER
                    | 1 << Character.OTHER_NUMBER;
    private static final int PUNCTUATION =
            1 << Character.CONNECTOR_PUNCTUATION
                    | 1 << Character.DASH_PUNCTUATION
                    | 1 << Character.START_PUNCTUATION
                    | 1 << Character.END_PUNCTUATION
                    | 1 << Character.INITIAL_QUOTE_PUNCTUATION
                    | 1 << Character.FINAL_QUOTE_PUNCTUATION
                    | 1 << Character.OTHER_PUNCTUATION;

    private static final BitSet NO_PUNCTUATION =
            Unicode9.parse(
                    "2e43-2e44 1144b-1144f 1145b 1145d 11660-1166c 11c41-11c45 11c70-11c71"
                            + " 1e95e-1e95f");

    private CharKind() {}

    static boolean isLetter(int c) {
        return is(c, LETTER);
    }

    static boolean isMark(int c) {
        return is(c, MARK);
    }

    static boolean isNumber(int c) {
        return is(c, NUMBER);
    }

    /**
     * ASCII punctuation and symbols, and what was of category P in Unicode 8, whose tables the
     * reference has here.
     */
    static boolean isPunctuation(int c) {
        if (c < 0x80) {
            return c > ' ' && c < 0x7F && !is(c, LETTER | NUMBER);
        }
        return c == 0x166D
                || c == 0x111C9
                || (is(c, PUNCTUATION) && !Unicode9.isYounger(c) && !NO_PUNCTUATION.get(c));
    }

    /** A digit or number; the reference's tables are of Unicode 17 here. */
    static boolean isNumeric(int c) {
        return is(c, NUMBER) || (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
    }

    /** The White_Space property: what {@code \s} means in every published pattern. */
    static boolean isSpace(int c) {
        if (c <= ' ') {
            return c == ' ' || (c >= 9 && c <= 13);
        }
        if (c < 0x1680) {
            return c == 0x85 || c == 0xA0;
        }
        return c == 0x1680
                || (c >= 0x2000 && c <= 0x200A)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    static boolean isNewline(int c) {
        return c == '\n' || c == '\r';
    }

    /** {@code \w} as Unicode (UTS 18) defines it. */
    static boolean isWord(int c) {
        return Character.isAlphabetic(c)
                || is(
                        c,
                        MARK
                                | 1 << Character.DECIMAL_DIGIT_NUMBER
                                | 1 << Character.CONNECTOR_PUNCTUATION)
                || c == 0x200C
                || c == 0x200D;
    }

    private static boolean is(int c, int types) {
        return (types >> Character.getType(c) & 1) != 0;
    }
}
