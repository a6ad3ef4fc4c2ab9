package io.cortado.text;

/** The end of a text that may turn out to be no part of it. */
final class HeldBack {
    private HeldBack() {}

    /**
     * Where the longest end of the text begins that is a beginning of the marker, and the white
     * space before it; the marker itself is not in the text.
     */
    static int from(CharSequence text, String marker) {
        int from = text.length();
        for (int length = Math.min(marker.length() - 1, text.length()); length > 0; length--) {
            if (isAt(text, text.length() - length, marker, length)) {
                from = text.length() - length;
                break;
            }
        }
        while (from > 0 && Character.isWhitespace(text.charAt(from - 1))) {
            from--;
        }
        return from;
    }

    private static boolean isAt(CharSequence text, int place, String marker, int length) {
        for (int i = 0; i < length; i++) {
            if (text.charAt(place + i) != marker.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
