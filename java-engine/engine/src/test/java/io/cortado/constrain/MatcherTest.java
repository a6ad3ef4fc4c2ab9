package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MatcherTest {
    private static final GrammarLimits LIMITS = GrammarLimits.DEFAULT;

    @Test
    void walksForthAndBackAsFreshAutomataDo() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        for (int i = 0; i < 150; i++) {
            var random = new Random(seed + i);
            var made = new RandomGrammars(random);
            Syntax syntax = made.grammar(1 + random.nextInt(3));
            RuleState root;
            try {
                root = Syntax.start(syntax, made.regexes);
            } catch (GrammarException e) {
                continue;
            }
            TokenTable vocabulary = made.vocabulary();
            var grammar = CompiledGrammar.of(root, made.regexes, LIMITS, vocabulary);
            try {
                walk(random, grammar, vocabulary);
            } catch (AssertionError e) {
                throw new AssertionError("re-run with -Dcortado.seed=" + (seed + i), e);
            }
        }
    }

    private static void walk(Random random, CompiledGrammar grammar, TokenTable vocabulary) {
        Matcher matcher = grammar.matcher();
        List<Integer> output = new ArrayList<>();
        for (int step = 0; step < 60; step++) {
            NextMask asked = matcher.nextMask();
            List<Integer> before = List.copyOf(output);
            if (random.nextInt(3) == 0 && !output.isEmpty()) {
                int back = 1 + random.nextInt(output.size());
                matcher.rollback(back);
                output.subList(output.size() - back, output.size()).clear();
            } else {
                int token = random.nextInt(vocabulary.width());
                if (matcher.accept(token)) {
                    output.add(token);
                }
            }
            Matcher then = grammar.matcher();
            before.forEach(token -> assertTrue(then.accept(token)));
            int[] mask = new int[vocabulary.words()];
            asked.allowed(mask);
            assertArrayEquals(Masks.mask(then, vocabulary), mask, "asked before the step");
            Matcher fresh = grammar.matcher();
            output.forEach(token -> assertTrue(fresh.accept(token)));
            assertArrayEquals(Masks.mask(fresh, vocabulary), Masks.mask(matcher, vocabulary));
            assertEquals(fresh.isAccepting(), matcher.isAccepting());
            assertEquals(fresh.isEnded(), matcher.isEnded());
            assertEquals(output.size(), matcher.numTokens());
        }
    }

    @Test
    void endsOnceAndComesBackFromTheEnd() {
        TokenTable vocabulary = Masks.bytesAnd("ab");
        Matcher matcher = Grammars.regex("ab|abc", vocabulary, LIMITS).matcher();
        assertFalse(matcher.accept(Masks.END));
        assertTrue(matcher.accept(Masks.textToken(0)));
        assertTrue(matcher.isAccepting());
        assertTrue(matcher.accept(Masks.END));
        assertTrue(matcher.isEnded());
        assertFalse(matcher.accept(Masks.byteToken('c')), "nothing follows the end");
        int[] mask = Masks.mask(matcher, vocabulary);
        assertTrue(Masks.has(mask, Masks.END));
        assertFalse(Masks.has(mask, Masks.byteToken('c')));
        matcher.rollback(1);
        assertFalse(matcher.isEnded());
        assertTrue(matcher.accept(Masks.byteToken('c')));
        assertThrows(IllegalArgumentException.class, () -> matcher.rollback(3));
    }

    @Test
    void copiesGoTheirOwnWays() {
        TokenTable vocabulary = Masks.bytesAnd();
        Matcher first = Grammars.choice(List.of("left", "lion"), vocabulary, LIMITS).matcher();
        assertTrue(Masks.accepts(first, "l"));
        Matcher second = first.copy();
        assertTrue(Masks.accepts(first, "eft"));
        assertTrue(Masks.accepts(second, "ion"));
        assertTrue(first.isAccepting() && second.isAccepting());
    }

    @Test
    void allowsControlTokensOnlyWhereTheGrammarNamesThem() {
        int call = Masks.textToken(1);
        TokenTable vocabulary = Masks.bytesAnd(Map.of("<|call|>", call), "<|call|>");
        Matcher matcher =
                Grammars.gbnf("root ::= [a<|>cl]* <|call|> \"x\"", "root", vocabulary, LIMITS)
                        .matcher();
        assertTrue(Masks.isAllowed(matcher, Masks.textToken(0)), "text that spells it is text");
        assertTrue(Masks.isAllowed(matcher, call));
        assertTrue(matcher.accept(call));
        assertFalse(Masks.isAllowed(matcher, call));
        assertTrue(Masks.accepts(matcher, "x"));
        Matcher free = Grammars.regex("(?s).*", vocabulary, LIMITS).matcher();
        assertFalse(Masks.isAllowed(free, call));
        assertFalse(free.accept(call));
    }

    @Test
    void forcesWhatEveryCompletionBeginsWith() {
        TokenTable vocabulary = Masks.bytesAnd("nam", "name", "name\": \"");
        String grammar = "root ::= \"{\\\"name\\\": \" (\"1\" | \"2\") \"}\"";
        Matcher matcher = Grammars.gbnf(grammar, "root", vocabulary, LIMITS).matcher();
        assertEquals("{\"name\": ", new String(matcher.forcedBytes(), StandardCharsets.UTF_8));
        assertTrue(Masks.accepts(matcher, "{\"name\": 1"));
        assertEquals("}", new String(matcher.forcedBytes(), StandardCharsets.UTF_8));
        assertTrue(Masks.accepts(matcher, "}"));
        assertEquals(0, matcher.forcedBytes().length);
    }

    @Test
    void keepsForcedTokensOffABoundaryThatALongerTokenSpans() {
        TokenTable vocabulary = Masks.bytesAnd("na", "name");
        Matcher matcher = Grammars.regex("xna(me|il)", vocabulary, LIMITS).matcher();
        int[] ids = {Masks.byteToken('x'), Masks.textToken(0)};
        assertArrayEquals(
                new int[] {Masks.byteToken('x')},
                matcher.forcedTokens(bytes -> ids),
                "na may be the beginning of name");
    }

    @Test
    void tellsADeadEndThatTheVocabularyMakes() {
        byte[][] bytes = {{}, {'a'}};
        var vocabulary = new TokenTable(bytes, Map.of(), 2, 0);
        Matcher matcher = Grammars.regex("ab", vocabulary, LIMITS).matcher();
        assertFalse(matcher.isDeadEnd());
        assertTrue(matcher.accept(1));
        assertTrue(matcher.isDeadEnd());
    }

    @Test
    void refusesAMaskOfAnotherWidth() {
        Matcher matcher = Grammars.regex("a", Masks.bytesAnd(), LIMITS).matcher();
        assertThrows(IllegalArgumentException.class, () -> matcher.allowed(new int[1]));
    }
}
