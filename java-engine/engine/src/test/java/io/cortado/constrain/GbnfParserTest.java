package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.GrammarException.Reason;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GbnfParserTest {
    private final TokenTable vocabulary = Masks.bytesAnd("ab", "\",", "1,");

    @Test
    void readsRulesOverSeveralLines() {
        CompiledGrammar grammar =
                compiled(
                        """
                        # a list
                        root ::= "[" ws (item
                            ("," ws item)*   # more
                        )? "]"
                        item ::= number
                          | "\\"" [^"\\\\] + "\\""

                        number ::= "-"? [1-9] [0-9]{0,2}
                        ws ::= " "?
                        """);
        assertTrue(Masks.matches(grammar, "[-12, \"ab\",7]"));
        assertTrue(Masks.matches(grammar, "[ ]"));
        assertFalse(Masks.matches(grammar, "[1234]"));
        assertFalse(Masks.matches(grammar, "[\"\"]"));
    }

    @Test
    void readsEscapesAndClasses() {
        CompiledGrammar grammar =
                compiled("root ::= \"\\x41\\u00e9\\U0001F600\\t\" [\\]\\-a-c\\n] [^\\x00-\\x7F] .");
        assertTrue(Masks.matches(grammar, "Aé😀\t]ß\n"));
        assertTrue(Masks.matches(grammar, "Aé😀\t-ßx"));
        assertFalse(Masks.matches(grammar, "Aé😀\tdßx"));
    }

    @Test
    void readsRecursionToTheRightAsARepetition() {
        CompiledGrammar grammar =
                compiled("root ::= \"<\" s \">\"\ns ::= \"\" | [a-z] s | \"&\" e s\ne ::= \"lt;\"");
        assertTrue(Masks.matches(grammar, "<ab&lt;c>"));
        assertFalse(Masks.matches(grammar, "<a&b>"));
    }

    @Test
    void readsTheMacrosThatAreBuilt() {
        CompiledGrammar grammar =
                compiled("root ::= Regex(\"[a-c]+\", flags=\"i\") \"-\" Substring(\"x\", \"yz\")");
        assertTrue(Masks.matches(grammar, "aBC-xyz"));
        assertTrue(Masks.matches(grammar, "a-yz"));
        assertTrue(Masks.matches(grammar, "a-"));
        assertFalse(Masks.matches(grammar, "a-z"));
    }

    @Test
    void endsALazyRuleWhereItFirstMatches() {
        CompiledGrammar grammar = compiled("root ::= r \"!\"\nr[lazy] ::= [a-z]* \"end\"");
        assertTrue(Masks.matches(grammar, "theend!"));
        assertFalse(Masks.matches(grammar, "endend!"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "root ::= TagDispatch((\"a\", root))",
                "root ::= \"a\" (= \"b\")",
                "root[capture] ::= \"a\"",
                "root ::= Regex(\"a\", mode=\"x\")",
                "root[lazy] ::= \"(\" root \")\" | \"a\""
            })
    void refusesByNameWhatIsNotBuilt(String grammar) {
        assertEquals(
                Reason.UNSUPPORTED,
                assertThrows(GrammarException.class, () -> compiled(grammar)).reason());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "root",
                "root ::= (\"a\"",
                "root ::= \"a",
                "root ::= [a",
                "root ::= other",
                "other ::= \"a\"",
                "root ::= \"a\"\nroot ::= \"b\"",
                "root ::= \"a\" )",
                "root ::= <[x]>",
                "root ::= <[100000]>",
                "root ::= <nothing>",
                "root ::= a{2,1}\na ::= \"a\"",
                "root ::= \"\\U800F6010\"",
                "root ::= [\\UB001F600]",
                "root ::= [\\p]",
                "root := \"a\""
            })
    void refusesWhatIsNoGrammar(String grammar) {
        assertEquals(
                Reason.SYNTAX,
                assertThrows(GrammarException.class, () -> compiled(grammar)).reason());
    }

    private CompiledGrammar compiled(String grammar) {
        return Grammars.gbnf(grammar, "root", vocabulary, GrammarLimits.DEFAULT);
    }
}
