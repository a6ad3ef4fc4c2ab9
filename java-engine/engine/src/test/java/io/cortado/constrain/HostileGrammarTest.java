package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.GrammarException.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Grammars that blow up elsewhere are served within their limits, or refused by them. */
class HostileGrammarTest {
    private static final GrammarLimits LIMITS = GrammarLimits.DEFAULT;

    /** A step of at most so many derivatives and items. */
    private static final GrammarLimits TIGHT =
            new GrammarLimits(1 << 16, 100_000, 1_000_000, 3_000, 2_000, 1 << 24, 1 << 20);

    private static final long MAX_BYTES = 2 * LIMITS.automatonBytes();

    private final TokenTable vocabulary = Masks.bytesAnd("aaaa", "aa", "xxxxxxxx", "ab");

    @ParameterizedTest
    @CsvSource({
        "(a+)+b, a, 3000",
        "(x{1000}){1000}, x, 5000",
        "((a|aa){1000}){1000}, a, 5000",
        "(.*.*.*.*.*)*x, a, 1000",
        "(a?){1000}a{1000}, a, 1500",
        "[^b]{1000000000}, a, 1000"
    })
    void servesRepetitionsOfRepetitions(String pattern, String letter, int count) {
        CompiledGrammar grammar = Grammars.regex(pattern, vocabulary, LIMITS);
        assertTrue(Masks.accepts(grammar.matcher(), letter.repeat(count)));
        assertTrue(grammar.sizeBytes() < MAX_BYTES, "bytes=" + grammar.sizeBytes());
    }

    @Test
    void servesALongListOfChoices() {
        List<String> choices = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            choices.add("entry " + Integer.toString(i * 7919, 36) + " of list " + i);
        }
        CompiledGrammar grammar = Grammars.choice(choices, vocabulary, LIMITS);
        assertTrue(Masks.matches(grammar, choices.get(777)));
        assertTrue(!Masks.matches(grammar, choices.get(777) + "0000"));
    }

    /** Each property is a look at all characters, and its name has 2^n spellings. */
    @Test
    void refusesManyProperties() {
        var pattern = new StringBuilder();
        for (int i = 0; i < 1_000; i++) {
            var name = new StringBuilder("Is");
            for (int bit = 0; bit < 10; bit++) {
                char letter = "phoenician".charAt(bit);
                name.append((i >> bit & 1) == 0 ? letter : Character.toUpperCase(letter));
            }
            pattern.append("\\p{").append(name).append('}');
        }
        assertEquals(
                Reason.LIMIT,
                refusal(() -> Grammars.regex(pattern.toString(), vocabulary, LIMITS)));
    }

    @Test
    void refusesWhatIsTooDeep() {
        String deep = "(".repeat(10_000) + "a" + ")".repeat(10_000);
        assertEquals(Reason.LIMIT, refusal(() -> Grammars.regex(deep, vocabulary, LIMITS)));
        String nested = "root ::= " + "(".repeat(10_000) + "\"a\"" + ")".repeat(10_000);
        assertEquals(Reason.LIMIT, refusal(() -> gbnf(nested)));
    }

    @Test
    void refusesWhatIsTooLong() {
        String text = "a".repeat(LIMITS.maxInputChars() + 1);
        assertEquals(Reason.LIMIT, refusal(() -> Grammars.regex(text, vocabulary, LIMITS)));
        assertEquals(
                Reason.LIMIT, refusal(() -> Grammars.choice(List.of(text), vocabulary, LIMITS)));
    }

    @Test
    void endsAnOutputWhoseStatesGrowWithoutBound() {
        Matcher matcher =
                Grammars.regex(".*a.{200}b.{200}|.*b.{100}a", vocabulary, TIGHT).matcher();
        assertEquals(Reason.LIMIT, refusal(() -> Masks.accepts(matcher, "abbabaab".repeat(100))));
        assertTrue(matcher.numTokens() > 0);
        assertFalse(matcher.isDeadEnd(), "the state stays as it was");
    }

    @Test
    void endsAnOutputThatIsTooAmbiguous() {
        Matcher matcher =
                Grammars.gbnf("root ::= root root root | \"a\"", "root", vocabulary, TIGHT)
                        .matcher();
        assertEquals(Reason.LIMIT, refusal(() -> Masks.accepts(matcher, "a".repeat(1_000))));
    }

    @Test
    void servesDeepNestingOfTheOutput() {
        Matcher matcher = gbnf("root ::= \"(\" root \")\" | \"a\"").matcher();
        assertTrue(Masks.accepts(matcher, "(".repeat(3_000) + "a" + ")".repeat(3_000)));
        assertTrue(matcher.isAccepting());
    }

    @Test
    void refusesLongChainsOfRules() {
        String chain =
                IntStream.range(0, 20_000)
                        .mapToObj(i -> "r" + i + " ::= r" + (i + 1) + " \"x\" | \"k\" r" + i)
                        .collect(Collectors.joining("\n", "root ::= r0\n", "\nr20000 ::= \"y\""));
        assertEquals(Reason.LIMIT, refusal(() -> gbnf(chain)));
    }

    @Test
    void saysWhatNothingCanMatch() {
        assertEquals(
                Reason.UNSATISFIABLE, refusal(() -> Grammars.regex("a^b", vocabulary, LIMITS)));
        assertEquals(Reason.UNSATISFIABLE, refusal(() -> gbnf("root ::= \"a\" root")));
        assertEquals(
                Reason.UNSATISFIABLE,
                refusal(() -> Grammars.choice(List.of(), vocabulary, LIMITS)));
    }

    private CompiledGrammar gbnf(String grammar) {
        return Grammars.gbnf(grammar, "root", vocabulary, LIMITS);
    }

    private static Reason refusal(Executable action) {
        return assertThrows(GrammarException.class, action).reason();
    }
}
