package io.cortado.text;

/** Whether the places of tokens in the original are kept, and how they are counted. */
enum Places {
    NONE,
    UNITS,
    CODE_POINTS;

    /** Cuts parts out of a text from left to right, each with its places. */
    static final class Cursor {
        private final String text;
        private final Places places;
        private int unit;
        private int codePoint;

        Cursor(String text, Places places) {
            this.text = text;
            this.places = places;
        }

        /**
         * @param needsPlaces whether the part has places (of units, at least) in any case
         */
        AlignedText part(int start, int end, boolean needsPlaces) {
            String part = start == 0 && end == text.length() ? text : text.substring(start, end);
            if (places == CODE_POINTS) {
                codePoint +=
                        start >= unit
                                ? text.codePointCount(unit, start)
                                : -text.codePointCount(start, unit);
                unit = start;
                return AlignedText.original(part, codePoint);
            }
            return places == UNITS || needsPlaces
                    ? AlignedText.byUnits(part, start)
                    : AlignedText.plain(part, start == 0);
        }
    }
}
