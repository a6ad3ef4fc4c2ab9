package io.cortado.constrain;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A grammar that is given as a whole: the right-hand sides of context-free rules. */
public sealed interface Syntax {
    /** A string of a regular language. */
    record Lexeme(Regex regex) implements Syntax {}

    /** One token of a set. */
    record Tokens(TokenSet set) implements Syntax {}

    /** One after the other; none is the empty string. */
    record Sequence(List<Syntax> parts) implements Syntax {
        public Sequence {
            parts = List.copyOf(parts);
        }
    }

    /** One of them; of none, nothing matches. */
    record Choice(List<Syntax> options) implements Syntax {
        public Choice {
            options = List.copyOf(options);
        }
    }

    /** From {@code min} to {@code max} times; {@link Regexes#UNBOUNDED} is no limit. */
    record Repeat(Syntax body, int min, int max) implements Syntax {
        public Repeat {
            if (min < 0 || max < min) {
                throw new IllegalArgumentException(
                        "a repetition must have 0 <= min <= max: min=" + min + " max=" + max);
            }
        }
    }

    /** A rule by itself, so that it may refer to itself. Equal only to itself. */
    final class Rule implements Syntax {
        private final String name;
        private @Nullable Syntax body;

        public Rule(String name) {
            this.name = name;
        }

        public String name() {
            return name;
        }

        /** Says once what the rule is. */
        public void define(Syntax newBody) {
            if (body != null) {
                throw new IllegalStateException("a rule is defined once: rule=" + name);
            }
            body = newBody;
        }

        public boolean isDefined() {
            return body != null;
        }

        Syntax body() {
            if (body == null) {
                throw new IllegalStateException("rule is not defined: rule=" + name);
            }
            return body;
        }

        void redefine(Syntax newBody) {
            body = newBody;
        }
    }

    /** A rule whose states a front-end makes; it must be live. */
    record States(RuleState start) implements Syntax {}

    /**
     * The state in which exactly this is left to match. What can never match is cut off: see {@link
     * RuleState}.
     *
     * @throws GrammarException UNSATISFIABLE if nothing matches at all
     */
    static RuleState start(Syntax grammar, Regexes regexes) {
        return Rest.of(Pruning.prune(grammar, regexes));
    }
}
