package io.cortado.text;

/**
 * The new characters of a text, each with what it does to the old ones: it takes the place of the
 * next one, is put in besides, or takes the place of several. From that follow the places of the
 * new text, by the rules of the reference: what is put in stands for what the character before it
 * stands for, and what takes several places stands for the first.
 */
final class Rewrite {
    private final IntList codePoints = new IntList();
    private final IntList changes = new IntList();

    /** A character in the place of the next one. */
    void replace(int codePoint) {
        put(codePoint, 0);
    }

    /** A character besides. */
    void insert(int codePoint) {
        put(codePoint, 1);
    }

    /**
     * @param change positive for a character besides, otherwise how many characters (as a negative
     *     number) are gone after the one that is replaced
     */
    void put(int codePoint, int change) {
        codePoints.add(codePoint);
        changes.add(change);
    }

    /** {@code text} in the place of the next {@code count} characters. */
    void replace(String text, int count) {
        int before = codePoints.size();
        text.codePoints().forEach(this::replace);
        int added = codePoints.size() - before;
        for (int i = codePoints.size() - 1; i >= before && added > count; added--) {
            changes.set(i--, 1);
        }
        // What is gone counts with the last character written; at the start there is none, and
        // then the reference loses count too.
        if (added < count && codePoints.size() > 0) {
            int last = codePoints.size() - 1;
            changes.set(last, changes.at(last) + added - count);
        }
    }

    AlignedText of(AlignedText source) {
        var text = new StringBuilder(source.length());
        for (int i = 0; i < codePoints.size(); i++) {
            text.appendCodePoint(codePoints.at(i));
        }
        if (!source.isAligned()) {
            return source.withText(text.toString());
        }
        var starts = new int[text.length()];
        var ends = new int[text.length()];
        int at = 0;
        for (int i = 0, unit = 0; i < codePoints.size(); i++) {
            int change = changes.at(i);
            int standsFor = change > 0 ? Math.max(at - 1, 0) : Math.min(at, source.length() - 1);
            int width = Character.charCount(codePoints.at(i));
            for (int k = 0; k < width; k++, unit++) {
                starts[unit] = source.start(standsFor);
                ends[unit] = source.end(standsFor);
            }
            for (int gone = change; gone <= 0 && at < source.length(); gone++) {
                at += Character.charCount(source.text().codePointAt(at));
            }
        }
        return AlignedText.aligned(text.toString(), starts, ends);
    }
}
