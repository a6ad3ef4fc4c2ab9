package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class GrammarCacheTest {
    private final TokenTable vocabulary = Masks.bytesAnd();

    @Test
    void staysBelowItsLimitWithManyGrammars() {
        var cache = new GrammarCache(200_000);
        for (int i = 0; i < 2_000; i++) {
            String pattern = "[a-z]{1," + (i + 2) + "}";
            Matcher matcher = cache.get(pattern, () -> compiled(pattern)).matcher();
            assertTrue(Masks.accepts(matcher, "a"));
        }
        cache.get("last", () -> compiled("last"));
        assertTrue(cache.sizeBytes() <= 200_000, "bytes=" + cache.sizeBytes());
        assertTrue(cache.size() > 1);
    }

    /** What a grammar is made of counts before it is used, the text that the cache keeps too. */
    @Test
    void countsWhatGrammarsAreMadeOf() {
        assertTrue(compiled("x").sizeBytes() < 20_000);
        assertTrue(compiled("[a-z]".repeat(10_000)).sizeBytes() > 1_000_000);
        String text = "#" + "x".repeat(1_000_000) + "\nroot ::= \"a\"";
        CompiledGrammar commented = Grammars.gbnf(text, "root", vocabulary, GrammarLimits.DEFAULT);
        assertTrue(commented.sizeBytes() > 1_000_000, "bytes=" + commented.sizeBytes());
        var cache = new GrammarCache(4_000_000);
        for (int i = 0; i < 10; i++) {
            cache.get(
                    text + i, () -> Grammars.gbnf(text, "root", vocabulary, GrammarLimits.DEFAULT));
        }
        assertTrue(cache.size() <= 2, "grammars=" + cache.size());
    }

    @Test
    void compilesEqualKeysOnceAndKeepsTheLatest() {
        var cache = new GrammarCache(1 << 20);
        CompiledGrammar first = cache.get("a", () -> compiled("a"));
        assertSame(first, cache.get("a", () -> compiled("b")));
        assertNotSame(first, cache.get("b", () -> compiled("b")));
    }

    @Test
    void forgetsRefusals() {
        var cache = new GrammarCache(1 << 20);
        assertThrows(GrammarException.class, () -> cache.get("k", () -> compiled("(")));
        assertEquals(0, cache.size());
        assertTrue(Masks.matches(cache.get("k", () -> compiled("x")), "x"));
    }

    private CompiledGrammar compiled(String pattern) {
        return Grammars.regex(pattern, vocabulary, GrammarLimits.DEFAULT);
    }
}
