package io.cortado.text;

/** How many bytes text takes in UTF-8. A lone surrogate counts as U+FFFD does. */
final class Utf8 {
    private Utf8() {}

    static int length(int codePoint) {
        return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    }

    static int length(String text, int start, int end) {
        int bytes = 0;
        for (int i = start; i < end; ) {
            int c = text.codePointAt(i);
            bytes += length(c);
            i += Character.charCount(c);
        }
        return bytes;
    }
}
