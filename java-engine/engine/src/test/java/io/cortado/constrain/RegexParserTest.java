package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.GrammarException.Reason;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against the JDK's patterns. */
class RegexParserTest {
    private static final String ALPHABET = "aabbcxyzAB012_- .,\n\té€😀ß[]^$";

    private final Regexes regexes = new Regexes(GrammarLimits.DEFAULT);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a|b|",
                "(a|b)*c",
                "(?:ab?){2,3}",
                "a{2}",
                "a{2,}b??",
                "[a-c]+[^a-c]",
                "[^\\w]*\\W\\w",
                "\\d{1,3}(\\.\\d+)?",
                "a.b",
                "(?s)a.b",
                "(?i)aB[x-z]",
                "(?i:a)b",
                "(?i)[^a]b",
                "^ab$",
                "^a|b$",
                "(^a|b)c",
                "a(b$|c)",
                "^$",
                "(^|x)a",
                "a*^b*$",
                "\\s\\S",
                "[\\]\\-x]",
                "[-a]",
                "\\x41\\u0042\\.",
                "[é-€]+",
                "\\p{L}+\\P{L}",
                "(?<name>a)b",
                "\\Aab\\z",
                "[.$^]+",
                "\\t|\\n",
                "x{0}y",
                "((a?b){0,2}c)*"
            })
    void matchesWhatTheJdkMatches(String pattern) {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        var random = new Random(seed);
        Regex whole = RegexParser.whole(regexes, pattern, RegexDialect.COMMON, "");
        Regex anywhere =
                RegexParser.anywhere(regexes, Alphabet.utf8(regexes), pattern, RegexDialect.COMMON);
        var jdk = Pattern.compile(pattern, Pattern.UNIX_LINES);
        int[] letters = ALPHABET.codePoints().toArray();
        for (int i = 0; i < 1_500; i++) {
            regexes.fuel().refill(GrammarLimits.DEFAULT.compileFuel());
            var text = new StringBuilder();
            for (int length = random.nextInt(7); length > 0; length--) {
                text.appendCodePoint(letters[random.nextInt(1 + random.nextInt(letters.length))]);
            }
            // The JDK's $ also matches before a last line end; neither ECMA's nor Rust's does.
            String jdkText = text.toString();
            byte[] utf8 = jdkText.getBytes(StandardCharsets.UTF_8);
            String label = "re-run with -Dcortado.seed=" + seed + " '" + jdkText + "'";
            if (pattern.contains("$") && jdkText.endsWith("\n")) {
                continue;
            }
            assertEquals(jdk.matcher(jdkText).matches(), regexes.matches(whole, utf8), label);
            assertEquals(jdk.matcher(jdkText).find(), regexes.matches(anywhere, utf8), label);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a(?=b)",
                "a(?!b)",
                "(?<=a)b",
                "(?<!a)b",
                "(a)\\1",
                "(?P<n>a)(?P=n)",
                "\\bword\\b",
                "(?>a)",
                "a++",
                "(?m)^a",
                "(^a)*",
                "[a&&b]",
                "(?x)a b"
            })
    void refusesByNameWhatIsNotBuilt(String pattern) {
        var e =
                assertThrows(
                        GrammarException.class,
                        () -> RegexParser.whole(regexes, pattern, RegexDialect.COMMON, ""));
        assertEquals(Reason.UNSUPPORTED, e.reason());
        assertTrue(e.position().startsWith("offset "), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(",
                "a)",
                "*a",
                "a**",
                "[a",
                "[z-a]",
                "\\",
                "\\q",
                "a{3,2}",
                "\\x4",
                "\\uD800",
                "[[:nope:]]",
                "\\p{Nope",
                "\\p{Nope}",
                "\\p{}",
                "\\p(",
                "\\pé",
                "(?<>"
            })
    void refusesWhatIsNoPattern(String pattern) {
        assertThrows(
                GrammarException.class,
                () -> RegexParser.whole(regexes, pattern, RegexDialect.COMMON, ""));
    }

    @ParameterizedTest
    @ValueSource(strings = {"L", "Cs", "Cn", "IsHan", "IsAlphabetic", "InGreek", "LD"})
    void knowsThePropertiesOfTheJdk(String name) {
        var jdk = Pattern.compile("\\p{" + name + "}").asMatchPredicate();
        CodePoints ours = UnicodeClasses.read(new PatternText("{" + name + "}"), new Fuel(100_000));
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            boolean isIn =
                    Character.getType(c) != Character.SURROGATE && jdk.test(Character.toString(c));
            assertEquals(isIn, ours.contains(c), Integer.toHexString(c));
        }
    }

    @Test
    void readsTheClassesOfEcma() {
        Regex space = RegexParser.whole(regexes, "\\s", RegexDialect.ECMA, "");
        Regex dot = RegexParser.whole(regexes, ".", RegexDialect.ECMA, "");
        assertTrue(regexes.matches(space, "\u00A0".getBytes(StandardCharsets.UTF_8)));
        assertTrue(!regexes.matches(dot, "\u2028".getBytes(StandardCharsets.UTF_8)));
    }
}
