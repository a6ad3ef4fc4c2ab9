package io.cortado.text;

import java.util.Arrays;
import java.util.List;

/**
 * The whole text of a prompt with the trust of each stretch.
 *
 * <p>Lone surrogates have no UTF-8 and become U+FFFD.
 */
record PromptText(String text, int[] ends, AddedTokenMatch[] trust) {

    static PromptText of(String text, AddedTokenMatch match) {
        String wellFormed = replaceLoneSurrogates(text);
        return new PromptText(
                wellFormed, new int[] {wellFormed.length()}, new AddedTokenMatch[] {match});
    }

    static PromptText of(List<Segment> segments, AddedTokenMatch userMatch) {
        var text = new StringBuilder();
        var ends = new int[segments.size()];
        var trust = new AddedTokenMatch[segments.size()];
        for (int i = 0; i < ends.length; i++) {
            Segment segment = segments.get(i);
            text.append(segment.text());
            ends[i] = text.length();
            trust[i] =
                    switch (segment.origin()) {
                        case TEMPLATE -> AddedTokenMatch.ALL;
                        case USER -> userMatch;
                    };
        }
        return new PromptText(replaceLoneSurrogates(text.toString()), ends, trust);
    }

    /** The least trust of any stretch that {@code [start, end)} touches. */
    AddedTokenMatch trust(int start, int end) {
        AddedTokenMatch least = AddedTokenMatch.ALL;
        for (int i = firstStretch(start); i < ends.length; i++) {
            int from = i == 0 ? 0 : ends[i - 1];
            if (from >= end) {
                break;
            }
            if (ends[i] > from && trust[i].compareTo(least) > 0) {
                least = trust[i];
            }
        }
        return least;
    }

    /** Whether one stretch holds all of {@code [start, end)}. */
    boolean isOneStretch(int start, int end) {
        int i = firstStretch(start);
        return i < ends.length && end <= ends[i];
    }

    /** The part {@code [start, end)} with its trust. */
    PromptText part(int start, int end) {
        int first = firstStretch(start);
        int last = first;
        while (last < ends.length - 1 && ends[last] < end) {
            last++;
        }
        if (first >= ends.length) {
            return of(text.substring(start, end), AddedTokenMatch.NONE);
        }
        int[] partEnds = Arrays.copyOfRange(ends, first, last + 1);
        for (int i = 0; i < partEnds.length; i++) {
            partEnds[i] = Math.min(partEnds[i], end) - start;
        }
        return new PromptText(
                text.substring(start, end), partEnds, Arrays.copyOfRange(trust, first, last + 1));
    }

    /**
     * This text normalized. Where the normalizer moves text over a border of trust the least trust
     * goes for the whole.
     */
    PromptText normalized(Normalizer normalizer) {
        String whole = normalizer.normalize(text);
        if (whole.equals(text)) {
            return this;
        }
        if (ends.length > 1) {
            var parts = new StringBuilder();
            var partEnds = new int[ends.length];
            for (int i = 0; i < ends.length; i++) {
                int from = i == 0 ? 0 : ends[i - 1];
                parts.append(normalizer.normalize(text.substring(from, ends[i])));
                partEnds[i] = parts.length();
            }
            if (whole.contentEquals(parts)) {
                return new PromptText(whole, partEnds, trust);
            }
        }
        return new PromptText(
                whole, new int[] {whole.length()}, new AddedTokenMatch[] {trust(0, text.length())});
    }

    private int firstStretch(int start) {
        int found = Arrays.binarySearch(ends, start);
        int i = found >= 0 ? found : -found - 1;
        while (i < ends.length && ends[i] <= start) {
            i++;
        }
        return i;
    }

    private static String replaceLoneSurrogates(String text) {
        StringBuilder fixed = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            fixed = fixed == null ? new StringBuilder(text) : fixed;
            fixed.setCharAt(i, '\uFFFD');
        }
        return fixed == null ? text : fixed.toString();
    }
}
