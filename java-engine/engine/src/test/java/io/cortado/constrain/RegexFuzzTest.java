package io.cortado.constrain;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a pattern: masks that hold what {@link MaskWalk} says, or a refusal. */
class RegexFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                        "",
                        "(a+)+b",
                        "(x{30}){30}",
                        "(.*.*.*.*.*)*x",
                        "[^\\w]*\\W\\w|[é-€]{2,}?",
                        "(?i:a)b(?s)a.b(?<n>\\p{Zs}+\\P{Zs})",
                        "^ab$|\\A\\x41\\u0042\\.\\z",
                        "a*^b*$",
                        "(a{2,3}|\\t|[\\]\\-x]){0,2}",
                        "\\bx\\B",
                        "(?=a)b\\1",
                        "\\p{}|\\p{Nope}",
                        "A00\\p\u0010")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @DictionaryEntries(
            value = {"(?i)", "(?s:", "(?<n>", "{0,3}", "{100}", "\\p{Zs}", "\\u00e9", "[^", "\\b"})
    @MethodSource("seeds")
    @FuzzTest
    void writesMatchesOrRefuses(byte[] input) {
        MaskWalk.checkOrRefuse(
                input,
                (pattern, vocabulary) -> Grammars.regex(pattern, vocabulary, MaskWalk.LIMITS));
    }
}
