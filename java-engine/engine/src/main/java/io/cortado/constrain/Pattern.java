package io.cortado.constrain;

import java.util.ArrayList;
import java.util.List;

/** A parsed pattern; what has no anchor in it is a regex already. */
sealed interface Pattern {
    record Plain(Regex regex) implements Pattern {}

    /** The start of the text. */
    record Start() implements Pattern {}

    /** The end of the text. */
    record End() implements Pattern {}

    record Sequence(List<Pattern> parts) implements Pattern {}

    record Choice(List<Pattern> options) implements Pattern {}

    /** Turns patterns into languages, anchors included. */
    final class Languages {
        private final Regexes regexes;
        private final Alphabet alphabet;

        Languages(Regexes regexes, Alphabet alphabet) {
            this.regexes = regexes;
            this.alphabet = alphabet;
        }

        /** The texts that the pattern matches as a whole. */
        Regex whole(Pattern pattern) {
            return match(List.of(pattern), true, Regex.EMPTY);
        }

        /** The texts in which the pattern matches somewhere. */
        Regex anywhere(Pattern pattern) {
            Regex text = alphabet.text();
            Regex before = regexes.plus(alphabet.letter(CodePoints.ANY));
            return regexes.or(
                    match(List.of(pattern), true, text),
                    regexes.concat(before, match(List.of(pattern), false, text)));
        }

        /**
         * What matches {@code parts} and then {@code rest}.
         *
         * @param isAtStart whether nothing came before
         */
        private Regex match(List<Pattern> parts, boolean isAtStart, Regex rest) {
            if (parts.isEmpty()) {
                return rest;
            }
            List<Pattern> after = parts.subList(1, parts.size());
            return switch (parts.getFirst()) {
                case Start start -> isAtStart ? match(after, true, rest) : Regex.NOTHING;
                case End end ->
                        match(after, isAtStart, rest).isNullable ? Regex.EMPTY : Regex.NOTHING;
                case Sequence(var inner) -> match(joined(inner, after), isAtStart, rest);
                case Choice(var options) -> {
                    var matches = new ArrayList<Regex>();
                    for (Pattern option : options) {
                        matches.add(match(joined(List.of(option), after), isAtStart, rest));
                    }
                    yield regexes.or(matches);
                }
                case Plain(Regex regex) -> {
                    Regex later = match(after, false, rest);
                    if (!isAtStart || !regex.isNullable || !hasStart(after)) {
                        yield regexes.concat(regex, later);
                    }
                    Regex some = regexes.and(regex, regexes.not(Regex.EMPTY));
                    yield regexes.or(match(after, true, rest), regexes.concat(some, later));
                }
            };
        }

        private static boolean hasStart(List<Pattern> parts) {
            return parts.stream()
                    .anyMatch(part ->
                            switch (part) {
                                case Start start -> true;
                                case Sequence(var inner) -> hasStart(inner);
                                case Choice(var options) -> hasStart(options);
                                case Plain plain -> false;
                                case End end -> false;
                            });
        }

        private static List<Pattern> joined(List<Pattern> first, List<Pattern> second) {
            if (second.isEmpty()) {
                return first;
            }
            var joined = new ArrayList<>(first);
            joined.addAll(second);
            return joined;
        }
    }
}
