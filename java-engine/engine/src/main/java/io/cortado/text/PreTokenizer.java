package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Cuts a normalized text into the words that the model tokenizes one by one. */
@FunctionalInterface
interface PreTokenizer {
    PreTokenizer WHOLE = (text, out) -> out.accept(text);

    /** Hands the pieces of {@code text}, none of them empty, to {@code out} from left to right. */
    void split(String text, Consumer<String> out);

    static PreTokenizer sequence(List<PreTokenizer> parts) {
        PreTokenizer chain = WHOLE;
        for (PreTokenizer part : parts.reversed()) {
            PreTokenizer rest = chain;
            chain = (text, out) -> part.split(text, piece -> rest.split(piece, out));
        }
        return chain;
    }

    static PreTokenizer split(PieceFinder finder, SplitBehavior behavior, boolean invert) {
        if (behavior == SplitBehavior.ISOLATED) {
            return (text, out) -> isolate(finder, text, out);
        }
        return (text, out) -> {
            var spans = new ArrayList<SplitBehavior.Span>();
            int[] covered = {0};
            finder.find(
                    text,
                    (start, end) -> {
                        if (start > covered[0]) {
                            spans.add(new SplitBehavior.Span(covered[0], start, invert));
                        }
                        spans.add(new SplitBehavior.Span(start, end, !invert));
                        covered[0] = end;
                    });
            if (covered[0] < text.length()) {
                spans.add(new SplitBehavior.Span(covered[0], text.length(), invert));
            }
            behavior.cut(text, spans, out);
        };
    }

    /**
     * The usual case without a list of spans: the matches and what lies between them are all kept.
     */
    private static void isolate(PieceFinder finder, String text, Consumer<String> out) {
        int[] covered = {0};
        finder.find(
                text,
                (start, end) -> {
                    if (start > covered[0]) {
                        out.accept(text.substring(covered[0], start));
                    }
                    if (end > start) {
                        out.accept(text.substring(start, end));
                    }
                    covered[0] = end;
                });
        if (covered[0] < text.length()) {
            out.accept(text.substring(covered[0]));
        }
    }

    static PreTokenizer byteLevel(boolean addPrefixSpace, boolean useRegex) {
        PreTokenizer words =
                useRegex ? split(SplitPatterns.gpt2(), SplitBehavior.ISOLATED, false) : WHOLE;
        return (text, out) -> {
            String prefixed = addPrefixSpace && !text.startsWith(" ") ? " " + text : text;
            words.split(prefixed, piece -> out.accept(ByteLetters.spell(piece)));
        };
    }
}
