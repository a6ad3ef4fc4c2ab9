package io.cortado.text;

import java.util.Arrays;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * A text on its way through a pipeline and, where asked for, which code points of the original each
 * of its UTF-16 units stands for. Without that it is little more than the text.
 */
final class AlignedText {
    private final String text;
    private final boolean startsOriginal;
    private final int @Nullable [] starts;
    private final int @Nullable [] ends;

    private AlignedText(
            String text, boolean startsOriginal, int @Nullable [] starts, int @Nullable [] ends) {
        this.text = text;
        this.startsOriginal = startsOriginal;
        this.starts = starts;
        this.ends = ends;
    }

    /**
     * A text whose places are not asked for.
     *
     * @param startsOriginal whether it stands at the very start of the original
     */
    static AlignedText plain(String text, boolean startsOriginal) {
        return new AlignedText(text, startsOriginal, null, null);
    }

    /** A stretch of an original, which begins with its code point {@code offset}. */
    static AlignedText original(String text, int offset) {
        var starts = new int[text.length()];
        var ends = new int[text.length()];
        int at = offset;
        for (int i = 0; i < starts.length; ) {
            int width = Character.charCount(text.codePointAt(i));
            Arrays.fill(starts, i, i + width, at);
            Arrays.fill(ends, i, i + width, ++at);
            i += width;
        }
        return new AlignedText(text, offset == 0, starts, ends);
    }

    /** A stretch of an original with its places counted in UTF-16 units. */
    static AlignedText byUnits(String text, int offset) {
        var starts = new int[text.length()];
        var ends = new int[text.length()];
        for (int i = 0; i < starts.length; i++) {
            starts[i] = offset + i;
            ends[i] = offset + i + 1;
        }
        return new AlignedText(text, offset == 0, starts, ends);
    }

    static AlignedText aligned(String text, int[] starts, int[] ends) {
        return new AlignedText(text, starts.length > 0 && starts[0] == 0, starts, ends);
    }

    String text() {
        return text;
    }

    int length() {
        return text.length();
    }

    boolean isEmpty() {
        return text.isEmpty();
    }

    boolean isAligned() {
        return starts != null;
    }

    /** The first code point of the original that a unit stands for. */
    int start(int unit) {
        return starts == null ? 0 : starts[unit];
    }

    /** The code point of the original after the last one that a unit stands for. */
    int end(int unit) {
        return ends == null ? 0 : ends[unit];
    }

    /** Whether what stands at a unit is the very start of the original. */
    boolean startsOriginal(int unit) {
        return starts == null ? unit == 0 && startsOriginal : starts[unit] == 0;
    }

    /** The same places with another text of as many units, or no places and any text. */
    AlignedText withText(String other) {
        return new AlignedText(other, startsOriginal, starts, ends);
    }

    AlignedText slice(int from, int to) {
        if (from == 0 && to == text.length()) {
            return this;
        }
        String part = text.substring(from, to);
        return starts == null || ends == null
                ? plain(part, startsOriginal(from))
                : aligned(
                        part,
                        Arrays.copyOfRange(starts, from, to),
                        Arrays.copyOfRange(ends, from, to));
    }

    /** This text with something in front that stands for what its first character stands for. */
    AlignedText prepend(String prefix) {
        if (starts == null || ends == null) {
            return plain(prefix + text, startsOriginal);
        }
        int n = prefix.length();
        var newStarts = new int[n + starts.length];
        var newEnds = new int[n + ends.length];
        Arrays.fill(newStarts, 0, n, starts[0]);
        Arrays.fill(newEnds, 0, n, ends[0]);
        System.arraycopy(starts, 0, newStarts, n, starts.length);
        System.arraycopy(ends, 0, newEnds, n, ends.length);
        return aligned(prefix + text, newStarts, newEnds);
    }

    /** The characters of a kind, each with its place. */
    AlignedText filter(IntPredicate keeps) {
        if (text.codePoints().allMatch(keeps)) {
            return this;
        }
        var kept = new StringBuilder(text.length());
        var newStarts = new IntList();
        var newEnds = new IntList();
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int end = i + Character.charCount(c);
            if (keeps.test(c)) {
                kept.appendCodePoint(c);
                for (int unit = i; isAligned() && unit < end; unit++) {
                    newStarts.add(start(unit));
                    newEnds.add(end(unit));
                }
            }
            i = end;
        }
        return isAligned()
                ? aligned(kept.toString(), newStarts.toArray(), newEnds.toArray())
                : plain(kept.toString(), startsOriginal);
    }
}
