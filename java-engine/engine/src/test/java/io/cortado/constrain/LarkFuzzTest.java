package io.cortado.constrain;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a Lark grammar: masks that hold what {@link MaskWalk} says, or a refusal. */
class LarkFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                        "",
                        "start: \"a\" start | \"b\"",
                        "?start: sum\n?sum: atom | sum \"+\" atom -> add\n?atom: NUMBER | \"(\" sum \")\"\n%import common.NUMBER\n%import common.WS_INLINE\n%ignore WS_INLINE",
                        "start: LINES\nLINES: /[a-z \\n]*/ & ~/(?s:.*)\\n\\n(?s:.*)/",
                        "start: A~2..3 [\"-\" B{1,2}] \"x\"i C\nA: \"a\"..\"c\"\nB: \"0\" | \"1\"\nC: /\\/[d-f]/i+",
                        "start: head /[0-9]/ | other\nhead[lazy]: /(?s:.*)/ \"<f>\"\nother[suffix=\"!\"]: /[a-z]*/",
                        "start: <|call|> x // c\nx: \"{\" [x (\",\" x)*] \"}\"",
                        "start: (A|B)* _c+\nA.2: \"ab\"\nB: \"a\"\n!_c: \"c\"?",
                        "start: %json {\"type\":\"integer\"}")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @DictionaryEntries(
            value = {
                "start: ",
                "%import common.",
                "%ignore ",
                "[lazy]",
                "[suffix=\"",
                "~2..3",
                "<|call|>",
                "<[^270]>",
                "& ~/",
                "/i"
            })
    @MethodSource("seeds")
    @FuzzTest
    void writesSentencesOrRefuses(byte[] input) {
        MaskWalk.checkOrRefuse(
                input,
                (grammar, vocabulary) -> Grammars.lark(grammar, vocabulary, MaskWalk.LIMITS));
    }
}
