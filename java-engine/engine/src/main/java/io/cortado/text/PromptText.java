package io.cortado.text;

import java.util.Arrays;
import java.util.List;

/**
 * The whole text of a prompt with the trust of each stretch.
 *
 * <p>Lone surrogates have no UTF-8 and become U+FFFD.
 */
record PromptText(String text, int[] ends, AddedTokenMatch[] trust, boolean[] guarded)
        implements Trust {

    /** A text that the model's pieces may spell as they like, as in the reference. */
    static PromptText of(String text, AddedTokenMatch match) {
        String wellFormed = replaceLoneSurrogates(text);
        return new PromptText(
                wellFormed,
                new int[] {wellFormed.length()},
                new AddedTokenMatch[] {match},
                new boolean[1]);
    }

    static PromptText of(List<Segment> segments, AddedTokenMatch userMatch) {
        var text = new StringBuilder();
        var ends = new int[segments.size()];
        var trust = new AddedTokenMatch[segments.size()];
        var guarded = new boolean[segments.size()];
        for (int i = 0; i < ends.length; i++) {
            Segment segment = segments.get(i);
            text.append(segment.text());
            ends[i] = text.length();
            trust[i] =
                    switch (segment.origin()) {
                        case TEMPLATE -> AddedTokenMatch.ALL;
                        case USER -> userMatch;
                    };
            guarded[i] = trust[i] != AddedTokenMatch.ALL;
        }
        return new PromptText(replaceLoneSurrogates(text.toString()), ends, trust, guarded);
    }

    /** Whether {@code [start, end)} touches text that must not spell a control token in any way. */
    boolean isGuarded(int start, int end) {
        for (int i = firstStretch(start); i < ends.length; i++) {
            int from = i == 0 ? 0 : ends[i - 1];
            if (from >= end) {
                break;
            }
            if (guarded[i] && ends[i] > from) {
                return true;
            }
        }
        return false;
    }

    @Override
    public AddedTokenMatch of(int start, int end) {
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

    @Override
    public boolean isOneStretch(int start, int end) {
        int i = firstStretch(start);
        return i < ends.length && end <= ends[i];
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
