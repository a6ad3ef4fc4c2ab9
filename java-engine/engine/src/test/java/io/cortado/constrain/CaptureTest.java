package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** States with parameters, and states that depend on what was written. */
class CaptureTest {
    private final Regexes regexes = new Regexes(GrammarLimits.DEFAULT);
    private final TokenTable vocabulary = Masks.bytesAnd("a,", ",b", "b]", "a]", "x>", "></");

    /** A list of different words of a or b, at most so long; the words so far as a parameter. */
    private record List(RuleState word, Set<String> words, boolean isBetween, Regexes regexes)
            implements RuleState {
        @Override
        public void expand(Edges out) {
            if (isBetween) {
                out.lexeme(regexes.literal("]"), new End());
                if (words.size() < 6) {
                    out.lexeme(regexes.literal(","), new List(word, words, false, regexes));
                }
                return;
            }
            Regex word = regexes.repeat(regexes.bytes(ByteSet.range('a', 'b')), 1, 2);
            for (String used : words) {
                word = regexes.and(word, regexes.not(regexes.literal(used)));
            }
            out.capture(new Word(word), this::with);
        }

        private List with(byte[] bytes) {
            var more = new TreeSet<>(words);
            more.add(new String(bytes, StandardCharsets.UTF_8));
            return new List(word, more, true, regexes);
        }
    }

    private record Word(Regex regex) implements RuleState {
        @Override
        public void expand(Edges out) {
            out.lexeme(regex, new End());
        }
    }

    private record End() implements RuleState {
        @Override
        public void expand(Edges out) {
            out.accept();
        }
    }

    /** An element that ends with the name it began with, and holds others. */
    private record Element(Regexes regexes) implements RuleState {
        @Override
        public void expand(Edges out) {
            out.lexeme(regexes.literal("<"), new Name(regexes));
        }
    }

    private record Name(Regexes regexes) implements RuleState {
        @Override
        public void expand(Edges out) {
            Regex name = regexes.plus(regexes.bytes(ByteSet.range('x', 'z')));
            out.captureAlike(
                    new Word(name),
                    bytes -> new Inside(regexes, new String(bytes, StandardCharsets.UTF_8)));
        }
    }

    private record Inside(Regexes regexes, String name) implements RuleState {
        @Override
        public void expand(Edges out) {
            out.lexeme(regexes.literal(">"), new Content(regexes, name));
        }
    }

    private record Content(Regexes regexes, String name) implements RuleState {
        @Override
        public void expand(Edges out) {
            out.lexeme(regexes.literal("</" + name + ">"), new End());
            out.call(new Element(regexes), this);
        }
    }

    @Test
    void excludesWhatWasWrittenBefore() {
        CompiledGrammar grammar = compiled(new List(new End(), Set.of(), false, regexes));
        assertTrue(Masks.matches(grammar, "a,b,ab,aa,bb,ba]"));
        assertFalse(Masks.matches(grammar, "a,b,a]"));
        assertTrue(Masks.matches(grammar, "a,b,ab]"));
        assertFalse(Masks.matches(grammar, "a,b,ab,aa,bb,ba,"));
        Matcher matcher = grammar.matcher();
        assertTrue(Masks.accepts(matcher, "b,"));
        assertTrue(Masks.isAllowed(matcher, Masks.textToken(0)), "a,");
        assertFalse(Masks.isAllowed(matcher, Masks.textToken(2)), "b] is there");
        assertTrue(Masks.accepts(matcher, "a"));
        assertFalse(Masks.isAllowed(matcher, Masks.textToken(1)) && !again(matcher));
    }

    /** Whether after a and a comma with b, the word may still become another. */
    private static boolean again(Matcher matcher) {
        Matcher copy = matcher.copy();
        return copy.accept(Masks.textToken(1)) && !Masks.isAllowed(copy, Masks.byteToken(']'));
    }

    @Test
    void endsElementsWithTheirOwnNames() {
        CompiledGrammar grammar = compiled(new Element(regexes));
        assertTrue(Masks.matches(grammar, "<x></x>"));
        assertTrue(Masks.matches(grammar, "<x><y><zz></zz></y><x></x></x>"));
        assertFalse(Masks.matches(grammar, "<x><y></x>"));
        Matcher matcher = grammar.matcher();
        assertTrue(Masks.accepts(matcher, "<xy><x"));
        assertTrue(matcher.accept(Masks.textToken(5)), "></");
        assertEquals("x><", new String(matcher.forcedBytes(), StandardCharsets.UTF_8));
    }

    @Test
    void tellsTokensApartThatGoBeyondWhatBeginsAlike() {
        String[] texts = {"x></x>", "x></y>", "y></x>", "y></y>", "y><x></x>", "y><x></y>", "z>"};
        CompiledGrammar grammar = compiled(new Element(regexes), Masks.bytesAnd(texts));
        assertAllowed(grammar, "<", "x></x>", "y></y>", "y><x></x>", "z>");
        assertAllowed(grammar, "<x", "y><x></x>", "z>");
        assertAllowed(grammar, "<z><", "x></x>", "y></y>", "y><x></x>", "z>");
    }

    /** That of the texts of the vocabulary just these may follow, and that accept agrees. */
    private static void assertAllowed(CompiledGrammar grammar, String before, String... allowed) {
        Matcher matcher = grammar.matcher();
        assertTrue(Masks.accepts(matcher, before));
        TokenTable tokens = grammar.vocabulary();
        var found = new TreeSet<String>();
        for (int token = Masks.textToken(0); token < Masks.textToken(7); token++) {
            assertEquals(matcher.copy().accept(token), Masks.isAllowed(matcher, token), before);
            if (Masks.isAllowed(matcher, token)) {
                found.add(new String(tokens.bytes(token), StandardCharsets.UTF_8));
            }
        }
        assertEquals(Set.of(allowed), found, before);
    }

    private CompiledGrammar compiled(RuleState root) {
        return compiled(root, vocabulary);
    }

    private CompiledGrammar compiled(RuleState root, TokenTable table) {
        return CompiledGrammar.of(root, regexes, GrammarLimits.DEFAULT, table);
    }
}
