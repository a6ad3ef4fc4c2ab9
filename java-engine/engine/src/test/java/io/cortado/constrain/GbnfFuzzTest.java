package io.cortado.constrain;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a GBNF grammar: masks that hold what {@link MaskWalk} says, or a refusal. */
class GbnfFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                        "",
                        "root ::= \"a\" root | \"b\"",
                        "root ::= root root root | \"a\"",
                        "root ::= \"[\" ws (item (\",\" ws item)*)? \"]\"\nitem ::= [1-9] [0-9]{0,2}\nws ::= \" \"?",
                        "root ::= \"\\x41\\u00e9\\U0001F600\" [\\]\\-a-c] [^\\x00-\\x7F] .",
                        "root ::= \"<\" s \">\" # c\ns ::= \"\" | [a-z] s | \"&\" e s\ne ::= \"lt;\"",
                        "root ::= Regex(\"[a-c]+\", flags=\"i\") \"-\" Substring(\"x\", \"yz\")",
                        "root ::= r \"!\" <|call|> | <[^270]>\nr[lazy] ::= [a-z]* \"end\"",
                        "root ::= \"\\U800F6010\" [\\UB001F600]",
                        "root ::= a | b\na ::= b a | \"\"\nb ::= a | \"x\" b{2,3}")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @DictionaryEntries(
            value = {
                "root ::= ",
                " ::= ",
                "{2,3}",
                "[lazy]",
                "<|call|>",
                "<[^270]>",
                "Regex(\"",
                "Substring(\"",
                "[^"
            })
    @MethodSource("seeds")
    @FuzzTest
    void writesSentencesOrRefuses(byte[] input) {
        MaskWalk.checkOrRefuse(
                input,
                (grammar, vocabulary) ->
                        Grammars.gbnf(grammar, "root", vocabulary, MaskWalk.LIMITS));
    }
}
