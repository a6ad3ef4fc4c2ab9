package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A string that remembers which of its characters came from a client.
 *
 * <p>Equality is that of the text. {@code ends} and {@code first} describe stretches of alternating
 * origin: stretch 0 has the origin {@code first} and ends at {@code ends[0]}, and so on.
 *
 * <p>What {@code safe} and {@code escape} give is marked up, as MarkupSafe's Markup is: plain text
 * that is added to it is escaped.
 */
final class Str implements Comparable<Str> {
    static final Str EMPTY = new Str("", Origin.TEMPLATE, new int[] {0}, false);

    private final String text;
    private final Origin first;
    private final int[] ends;
    private final boolean isMarkup;

    private Str(String text, Origin first, int[] ends, boolean isMarkup) {
        this.text = text;
        this.first = first;
        this.ends = ends;
        this.isMarkup = isMarkup;
    }

    static Str of(String text, Origin origin) {
        return text.isEmpty() ? EMPTY : new Str(text, origin, new int[] {text.length()}, false);
    }

    boolean isMarkup() {
        return isMarkup;
    }

    Str markup(boolean on) {
        return on == isMarkup ? this : new Str(text, first, ends, on);
    }

    /** A text that the template or the engine itself wrote. */
    static Str literal(String text) {
        return of(text, Origin.TEMPLATE);
    }

    /** A keyword or attribute as a text: two stars may have taken it from a client's mapping. */
    static Str name(String name) {
        return of(name, Origin.USER);
    }

    String text() {
        return text;
    }

    boolean isEmpty() {
        return text.isEmpty();
    }

    /**
     * USER if any character came from a client: the origin of whatever is computed from this text.
     */
    Origin origin() {
        return ends.length > 1 ? Origin.USER : first;
    }

    /** Another text computed from this one. */
    Str derive(String changed) {
        return of(changed, origin()).markup(isMarkup);
    }

    /** Each stretch changed for itself, so that it keeps its origin. */
    Str map(UnaryOperator<String> change) {
        if (ends.length == 1) {
            return derive(change.apply(text));
        }
        var out = new Builder();
        stretches((piece, origin) -> out.append(change.apply(piece), origin));
        return out.build().markup(isMarkup);
    }

    /** Another text computed from this one and an argument. */
    Str derive(String changed, Str argument) {
        return of(changed, origin() == Origin.USER ? Origin.USER : argument.origin())
                .markup(isMarkup);
    }

    /** A part by UTF-16 indexes; each character keeps its origin. */
    Str part(int start, int end) {
        if (start == 0 && end == text.length()) {
            return this;
        }
        if (ends.length == 1) {
            return of(text.substring(start, end), first).markup(isMarkup);
        }
        var out = new Builder();
        out.append(this, start, end);
        return out.build().markup(isMarkup);
    }

    Str plus(Str other) {
        if (isEmpty() || other.isEmpty()) {
            return (isEmpty() ? other : this).markup(isMarkup || other.isMarkup);
        }
        return new Builder().append(this).append(other).build().markup(isMarkup || other.isMarkup);
    }

    /** The characters, each with its own origin. */
    List<Object> characters() {
        var characters = new ArrayList<Object>(text.length());
        stretches((piece, origin) -> {
            for (int i = 0; i < piece.length(); ) {
                int end = i + Character.charCount(piece.codePointAt(i));
                characters.add(of(piece.substring(i, end), origin));
                i = end;
            }
        });
        return characters;
    }

    /** The number of characters as Python counts them. */
    int length() {
        return text.codePointCount(0, text.length());
    }

    @Override
    public int compareTo(Str other) {
        // Code point order: surrogates sort above the rest of the basic plane.
        int mismatch = Arrays.mismatch(text.toCharArray(), other.text.toCharArray());
        if (mismatch < 0) {
            return 0;
        }
        if (mismatch >= text.length() || mismatch >= other.text.length()) {
            return Integer.compare(text.length(), other.text.length());
        }
        char a = text.charAt(mismatch);
        char b = other.text.charAt(mismatch);
        boolean sameKind = Character.isSurrogate(a) == Character.isSurrogate(b);
        return sameKind ? Character.compare(a, b) : Character.isSurrogate(a) ? 1 : -1;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Str that && text.equals(that.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return text;
    }

    /** Takes the stretches of a text from left to right. */
    @FunctionalInterface
    interface StretchSink {
        void stretch(String text, Origin origin);
    }

    void stretches(StretchSink sink) {
        Origin origin = first;
        int from = 0;
        for (int end : ends) {
            if (end > from) {
                sink.stretch(text.substring(from, end), origin);
            }
            from = end;
            origin = opposite(origin);
        }
    }

    private static Origin opposite(Origin origin) {
        return origin == Origin.USER ? Origin.TEMPLATE : Origin.USER;
    }

    /** Joins pieces; each keeps the origin of its characters. */
    static final class Builder {
        private final StringBuilder text = new StringBuilder();
        private int[] ends = new int[4];
        private int stretches;
        private Origin first = Origin.TEMPLATE;
        private Origin last = Origin.TEMPLATE;

        Builder append(Str piece) {
            return append(piece, 0, piece.text.length());
        }

        Builder append(String piece, Origin origin) {
            // Nothing is no stretch: it must not change whose the next one is.
            if (!piece.isEmpty()) {
                text.append(piece);
                mark(origin);
            }
            return this;
        }

        Builder append(Str piece, int start, int end) {
            int found = Arrays.binarySearch(piece.ends, start);
            int stretch = found < 0 ? -found - 1 : found + 1;
            Origin origin = stretch % 2 == 0 ? piece.first : opposite(piece.first);
            for (int low = start; low < end && stretch < piece.ends.length; stretch++) {
                int high = Math.min(end, piece.ends[stretch]);
                if (low < high) {
                    text.append(piece.text, low, high);
                    mark(origin);
                }
                low = high;
                origin = opposite(origin);
            }
            return this;
        }

        int length() {
            return text.length();
        }

        Str build() {
            return stretches == 0
                    ? EMPTY
                    : new Str(text.toString(), first, Arrays.copyOf(ends, stretches), false);
        }

        private void mark(Origin origin) {
            if (stretches == 0) {
                first = origin;
                stretches = 1;
            } else if (origin != last) {
                stretches++;
            }
            if (stretches > ends.length) {
                ends = Arrays.copyOf(ends, ends.length * 2);
            }
            ends[stretches - 1] = text.length();
            last = origin;
        }
    }
}
