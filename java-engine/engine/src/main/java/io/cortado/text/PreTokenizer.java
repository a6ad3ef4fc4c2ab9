package io.cortado.text;

import java.util.ArrayList;
import java.util.List;

/** Cuts a normalized text into the words that the model tokenizes one by one. */
@FunctionalInterface
interface PreTokenizer {
    PreTokenizer WHOLE = (text, start, end, out) -> out.word(text, start, end);

    /** Takes one word, which is not empty. */
    @FunctionalInterface
    interface Sink {
        void word(AlignedText text, int start, int end);
    }

    /** Hands the words of {@code text[start, end)} to {@code out} from left to right. */
    void split(AlignedText text, int start, int end, Sink out);

    static PreTokenizer sequence(List<PreTokenizer> parts) {
        if (parts.isEmpty()) {
            return WHOLE;
        }
        PreTokenizer chain = parts.getLast();
        for (PreTokenizer part : parts.subList(0, parts.size() - 1).reversed()) {
            PreTokenizer rest = chain;
            chain =
                    (text, start, end, out) ->
                            part.split(
                                    text,
                                    start,
                                    end,
                                    (piece, from, to) -> rest.split(piece, from, to, out));
        }
        return chain;
    }

    static PreTokenizer split(PieceFinder finder, SplitBehavior behavior, boolean invert) {
        return switch (behavior) {
            case ISOLATED -> pieces(finder, true, true);
            case REMOVED -> pieces(finder, invert, !invert);
            case MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS ->
                    merged(finder, behavior, invert);
        };
    }

    /** The usual cases, without a list of spans. */
    private static PreTokenizer pieces(
            PieceFinder finder, boolean keepsMatches, boolean keepsRest) {
        return (text, start, end, out) -> {
            int[] covered = {start};
            finder.find(
                    text.text(),
                    start,
                    end,
                    (from, to) -> {
                        if (keepsRest && from > covered[0]) {
                            out.word(text, covered[0], from);
                        }
                        if (keepsMatches && to > from) {
                            out.word(text, from, to);
                        }
                        covered[0] = to;
                    });
            if (keepsRest && covered[0] < end) {
                out.word(text, covered[0], end);
            }
        };
    }

    private static PreTokenizer merged(PieceFinder finder, SplitBehavior behavior, boolean invert) {
        return (text, start, end, out) -> {
            var spans = new ArrayList<SplitBehavior.Span>();
            int[] covered = {start};
            finder.find(
                    text.text(),
                    start,
                    end,
                    (from, to) -> {
                        if (from > covered[0]) {
                            spans.add(new SplitBehavior.Span(covered[0], from, invert));
                        }
                        spans.add(new SplitBehavior.Span(from, to, !invert));
                        covered[0] = to;
                    });
            if (covered[0] < end) {
                spans.add(new SplitBehavior.Span(covered[0], end, invert));
            }
            for (SplitBehavior.Span span : behavior.arrange(spans)) {
                if (span.start() < span.end()) {
                    out.word(text, span.start(), span.end());
                }
            }
        };
    }

    /**
     * GPT-2's words.
     *
     * @param spells whether the words come in byte letters, or as they are for a model that spells
     *     them itself
     */
    static PreTokenizer byteLevel(boolean addPrefixSpace, boolean useRegex, boolean spells) {
        PreTokenizer words =
                useRegex ? split(SplitPatterns.gpt2(), SplitBehavior.ISOLATED, false) : WHOLE;
        PreTokenizer spelled =
                !spells
                        ? words
                        : (text, start, end, out) ->
                                words.split(
                                        text,
                                        start,
                                        end,
                                        (piece, from, to) -> {
                                            AlignedText letters =
                                                    Normalizers.byteLevel(piece.slice(from, to));
                                            out.word(letters, 0, letters.length());
                                        });
        if (!addPrefixSpace) {
            return spelled;
        }
        return (text, start, end, out) -> {
            if (text.text().charAt(start) == ' ') {
                spelled.split(text, start, end, out);
            } else {
                AlignedText prefixed = text.slice(start, end).prepend(" ");
                spelled.split(prefixed, 0, prefixed.length(), out);
            }
        };
    }

    /** Pieces of so many characters. */
    static PreTokenizer fixedLength(int length) {
        return (text, start, end, out) -> {
            for (int from = start; from < end; ) {
                int to = from;
                for (int i = 0; i < length && to < end; i++) {
                    to = text.text().offsetByCodePoints(to, 1);
                }
                out.word(text, from, to);
                from = to;
            }
        };
    }
}
