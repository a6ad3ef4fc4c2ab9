package io.cortado.text;

/**
 * Bytes to text, piece by piece. Each maximal part of an invalid sequence becomes one U+FFFD, as
 * Rust's from_utf8_lossy has it: a surrogate ED A0 80 becomes three, where {@code new String} makes
 * one.
 */
final class Utf8Stream {
    private static final char REPLACEMENT = '\uFFFD';

    private int codePoint;
    private int missing;
    private int low = 0x80;
    private int high = 0xBF;

    void feed(byte[] bytes, StringBuilder out) {
        for (byte b : bytes) {
            feed(b & 0xFF, out);
        }
    }

    /** Ends the text: an unfinished character becomes one U+FFFD. */
    void flush(StringBuilder out) {
        if (missing > 0) {
            out.append(REPLACEMENT);
        }
        missing = 0;
    }

    boolean isMidCharacter() {
        return missing > 0;
    }

    private void feed(int b, StringBuilder out) {
        if (missing > 0) {
            if (b >= low && b <= high) {
                codePoint = (codePoint << 6) | (b & 0x3F);
                low = 0x80;
                high = 0xBF;
                if (--missing == 0) {
                    out.appendCodePoint(codePoint);
                }
                return;
            }
            out.append(REPLACEMENT);
            missing = 0;
        }
        start(b, out);
    }

    private void start(int b, StringBuilder out) {
        if (b < 0x80) {
            out.append((char) b);
        } else if (b < 0xC2 || b > 0xF4) {
            out.append(REPLACEMENT);
        } else {
            missing = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
            codePoint = b & (0x3F >> missing);
            low = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
            high = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
        }
    }
}
