package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.GrammarException.Reason;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LarkParserTest {
    private static final int CALL = Masks.textToken(2);

    private final TokenTable vocabulary = Masks.bytesAnd(Map.of("<|call|>", CALL), "ab", "+ ");

    @Test
    void readsACalculator() {
        CompiledGrammar grammar =
                compiled(
                        """
                        // from the manual of Lark
                        ?start: sum
                        ?sum: product
                            | sum "+" product   -> add
                            | sum "-" product   -> sub
                        ?product: atom
                            | product "*" atom  -> mul
                        ?atom: NUMBER           -> number
                             | "-" atom         -> neg
                             | "(" sum ")"
                        %import common.NUMBER
                        %import common.WS_INLINE
                        %ignore WS_INLINE
                        """);
        assertTrue(Masks.matches(grammar, " 1 + 2.5*( -3 - 4)  "));
        assertFalse(Masks.matches(grammar, "1 + "));
        assertFalse(Masks.matches(grammar, "1 2"));
        assertFalse(Masks.matches(grammar, "1\n+2"));
    }

    @Test
    void readsTerminalsWithAndAndNot() {
        CompiledGrammar grammar =
                compiled(
                        """
                        start: LINES
                        LINES: /[a-z \\n]*/ & ~/(?s:.*)\\n\\n(?s:.*)/
                        """);
        assertTrue(Masks.matches(grammar, "a\nb\n"));
        assertFalse(Masks.matches(grammar, "a\n\nb"));
    }

    @Test
    void readsCountsRangesAndOptions() {
        CompiledGrammar grammar =
                compiled(
                        """
                        start: A~2..3 ["-" B{1,2}] "x"i C
                        A: "a".."c"
                        B: "0" | "1"
                        C: _C2+
                        _C2: /\\/[d-f]/i
                        """);
        assertTrue(Masks.matches(grammar, "abX/d/E"));
        assertTrue(Masks.matches(grammar, "abc-01x/f"));
        assertFalse(Masks.matches(grammar, "a-0x/d"));
        assertFalse(Masks.matches(grammar, "ab-x/d"));
    }

    @Test
    void endsLazyTerminalsWhereTheyFirstMatch() {
        CompiledGrammar grammar =
                compiled(
                        """
                        start: head /[0-9]/ | other
                        head[lazy]: /(?s:.*)/ "<f>"
                        other[suffix="!"]: /[a-z]*/
                        """);
        assertTrue(Masks.matches(grammar, "text <f>1"));
        assertFalse(Masks.matches(grammar, "text <f><f>1"));
        assertTrue(Masks.matches(grammar, "abc!"));
        assertFalse(Masks.matches(grammar, "abc!!"));
    }

    @Test
    void readsTokensByNameAndId() {
        CompiledGrammar grammar = compiled("start: \"a\" <|call|> <[1-3,98]> <[^98]>");
        Matcher matcher = grammar.matcher();
        assertTrue(Masks.accepts(matcher, "a"));
        assertTrue(matcher.accept(CALL));
        assertTrue(Masks.isAllowed(matcher, 3) && Masks.isAllowed(matcher, 98));
        assertFalse(Masks.isAllowed(matcher, 97) || Masks.isAllowed(matcher, CALL));
        assertTrue(matcher.accept(98));
        assertFalse(Masks.isAllowed(matcher, 98) || Masks.isAllowed(matcher, CALL));
        assertTrue(matcher.accept(99));
        assertTrue(matcher.isAccepting());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "start: %json {}",
                "start: @other",
                "start[max_tokens=3]: \"a\"",
                "start[capture]: \"a\"",
                "%declare A\nstart: A",
                "%import other.A\nstart: A",
                "%import common.NOPE\nstart: NOPE",
                "pair{x}: x x\nstart: pair{\"a\"}",
                "start: A\nA: b\nb: \"x\"",
                "start: A\nA: <[1]>",
                "%llguidance {\"no_forcing\": true}\nstart: \"a\""
            })
    void refusesByNameWhatIsNotBuilt(String grammar) {
        assertEquals(Reason.UNSUPPORTED, refusal(grammar));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "begin: \"a\"",
                "start: other",
                "start: OTHER",
                "start: (\"a\"",
                "start: [\"a\"",
                "start: \"a",
                "start: /a",
                "start \"a\"",
                "start: \"a\"\nstart: \"b\"",
                "start: A\nA: B\nB: A",
                "start: <|nothing|>",
                "start: <[1000000]>",
                "start: \"a\" )"
            })
    void refusesWhatIsNoGrammar(String grammar) {
        assertEquals(Reason.SYNTAX, refusal(grammar));
    }

    @Test
    void refusesALongChainOfTerminalsForItsLength() {
        var chain = new StringBuilder("start: T0\n");
        for (int i = 0; i < 2_000; i++) {
            chain.append("T%d: T%d \"x\"\n".formatted(i, i + 1));
        }
        assertEquals(Reason.LIMIT, refusal(chain + "T2000: \"a\""));
    }

    private Reason refusal(String grammar) {
        return assertThrows(GrammarException.class, () -> compiled(grammar)).reason();
    }

    private CompiledGrammar compiled(String grammar) {
        return Grammars.lark(grammar, vocabulary, GrammarLimits.DEFAULT);
    }
}
