package io.cortado.constrain;

import org.jspecify.annotations.Nullable;

/** A pattern with a place in it. */
final class PatternText {
    /** What a quantifier says. */
    record Count(int min, int max) {}

    private static final int MAX_COUNT = 1_000_000_000;

    private final String text;
    private int offset;

    PatternText(String text) {
        this.text = text;
    }

    int offset() {
        return offset;
    }

    void moveTo(int newOffset) {
        offset = newOffset;
    }

    boolean isAtEnd() {
        return offset >= text.length();
    }

    /** The next character, or -1. */
    int peek() {
        return isAtEnd() ? -1 : text.codePointAt(offset);
    }

    boolean at(char c) {
        return peek() == c;
    }

    boolean startsWith(String prefix) {
        return text.startsWith(prefix, offset);
    }

    boolean take(String prefix) {
        boolean isThere = startsWith(prefix);
        if (isThere) {
            offset += prefix.length();
        }
        return isThere;
    }

    boolean take(char c) {
        if (!at(c)) {
            return false;
        }
        offset++;
        return true;
    }

    int next() {
        if (isAtEnd()) {
            throw syntax("the pattern ends too early");
        }
        int c = text.codePointAt(offset);
        if (Character.isSurrogate((char) c) && c <= Character.MAX_VALUE) {
            throw syntax("a surrogate without its pair");
        }
        offset += Character.charCount(c);
        return c;
    }

    /** Takes a quantifier; null, and nothing taken, where none stands. */
    @Nullable Count count() {
        return switch (peek()) {
            case '*' -> taken(new Count(0, Regexes.UNBOUNDED));
            case '+' -> taken(new Count(1, Regexes.UNBOUNDED));
            case '?' -> taken(new Count(0, 1));
            case '{' -> braces();
            default -> null;
        };
    }

    private Count taken(Count count) {
        offset++;
        return count;
    }

    /** A brace that is no quantifier stands for itself. */
    private @Nullable Count braces() {
        int start = offset;
        offset++;
        int min = number();
        int max = min;
        if (min >= 0 && take(',')) {
            max = at('}') ? Regexes.UNBOUNDED : number();
        }
        if (min < 0 || max < 0 || !take('}')) {
            offset = start;
            return null;
        }
        if (max < min) {
            throw syntax("a quantifier must have min <= max: min=" + min + " max=" + max);
        }
        return new Count(min, max);
    }

    /** Digits as a number, or -1 where there are none. */
    private int number() {
        long value = -1;
        while (!isAtEnd() && text.charAt(offset) >= '0' && text.charAt(offset) <= '9') {
            value = Math.max(value, 0) * 10 + text.charAt(offset++) - '0';
            if (value > MAX_COUNT) {
                throw GrammarException.limit("copies in a quantifier", value, MAX_COUNT);
            }
        }
        return (int) value;
    }

    /** A number of exactly or up to so many hexadecimal digits. */
    int hex(int minDigits, int maxDigits) {
        int value = 0;
        int digits = 0;
        while (digits < maxDigits && Character.digit(peek(), 16) >= 0 && peek() < 0x80) {
            value = value * 16 + Character.digit(next(), 16);
            digits++;
        }
        if (digits < minDigits) {
            throw syntax("hexadecimal digits are missing");
        }
        return value;
    }

    GrammarException syntax(String message) {
        return GrammarException.syntax(offset, message);
    }

    GrammarException unsupported(String what) {
        return GrammarException.unsupported(offset, what + " is not supported");
    }
}
