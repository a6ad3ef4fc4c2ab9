package io.cortado.text;

import java.util.function.IntPredicate;

/** Finds the stretches of a text that a split is about. */
interface PieceFinder {
    /** Hands over every match from left to right, without overlaps; an empty one cuts there. */
    void find(String text, MatchSink sink);

    /** Takes one match. */
    @FunctionalInterface
    interface MatchSink {
        void match(int start, int end);
    }

    /** Each character of a class by itself. */
    static PieceFinder each(IntPredicate isMember) {
        return (text, sink) -> {
            for (int i = 0; i < text.length(); ) {
                int c = text.codePointAt(i);
                int end = i + Character.charCount(c);
                if (isMember.test(c)) {
                    sink.match(i, end);
                }
                i = end;
            }
        };
    }

    /** Each occurrence of a string; an empty one occurs nowhere. */
    static PieceFinder literal(String needle) {
        return (text, sink) -> {
            if (needle.isEmpty()) {
                return;
            }
            for (int i = text.indexOf(needle);
                    i >= 0;
                    i = text.indexOf(needle, i + needle.length())) {
                sink.match(i, i + needle.length());
            }
        };
    }
}
