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

    /** The same in a part of a text that is taken for a text of its own. */
    default void find(String text, int start, int end, MatchSink sink) {
        if (start == 0) {
            find(end == text.length() ? text : text.substring(0, end), sink);
        } else {
            find(text.substring(start, end), (from, to) -> sink.match(start + from, start + to));
        }
    }

    /** Each character of a class by itself. */
    static PieceFinder each(IntPredicate isMember) {
        return new PieceFinder() {
            @Override
            public void find(String text, MatchSink sink) {
                find(text, 0, text.length(), sink);
            }

            @Override
            public void find(String text, int start, int end, MatchSink sink) {
                for (int i = start; i < end; ) {
                    int c = text.codePointAt(i);
                    int next = i + Character.charCount(c);
                    if (isMember.test(c)) {
                        sink.match(i, next);
                    }
                    i = next;
                }
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

    /** Each run of word characters, and each run of what is neither a word nor white space. */
    static PieceFinder wordsAndSymbols() {
        return (text, sink) -> {
            for (int i = 0; i < text.length(); ) {
                int kind = wordKind(text.codePointAt(i));
                int end = i;
                while (end < text.length() && wordKind(text.codePointAt(end)) == kind) {
                    end = text.offsetByCodePoints(end, 1);
                }
                if (kind != 0) {
                    sink.match(i, end);
                }
                i = end;
            }
        };
    }

    private static int wordKind(int c) {
        return CharKind.isSpace(c) ? 0 : CharKind.isWord(c) ? 1 : 2;
    }
}
