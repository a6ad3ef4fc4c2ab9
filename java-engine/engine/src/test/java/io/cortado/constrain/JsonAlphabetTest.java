package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;

class JsonAlphabetTest {
    private final Regexes regexes = new Regexes(GrammarLimits.DEFAULT);
    private final Alphabet json = Alphabet.jsonString(regexes);

    @Test
    void spellsEachCharacterInAllItsWays() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        var random = new Random(seed);
        for (int round = 0; round < 10; round++) {
            int first = random.nextInt(0x11000);
            int last = Math.min(0x10FFFF, first + random.nextInt(1 << random.nextInt(18)));
            CodePoints set = CodePoints.ofRanges(first, last, '"', '"', 0x1F600, 0x1F6FF);
            Regex letter = json.letter(set);
            for (int i = 0; i < 300; i++) {
                int c =
                        i % 3 == 0
                                ? first + random.nextInt(4) - 2
                                : i % 3 == 1
                                        ? last + random.nextInt(4) - 2
                                        : random.nextInt(0x20000);
                if (c < 0 || c > 0x10FFFF || c >= 0xD800 && c <= 0xDFFF) {
                    continue;
                }
                String label = "re-run with -Dcortado.seed=" + seed + " code point " + c;
                boolean isMember = set.contains(c);
                boolean isRaw = c >= 0x20 && c != '"' && c != '\\';
                assertEquals(isMember && isRaw, matches(letter, Character.toString(c)), label);
                assertEquals(isMember, matches(letter, escaped(c)), label);
                assertEquals(
                        isMember,
                        matches(letter, escaped(c).toUpperCase(Locale.ROOT).replace("\\U", "\\u")),
                        label);
            }
        }
    }

    private static String escaped(int codePoint) {
        var escaped = new StringBuilder();
        for (char unit : Character.toChars(codePoint)) {
            escaped.append(String.format("\\u%04x", (int) unit));
        }
        return escaped.toString();
    }

    @Test
    void spellsPatternsOfTheValue() {
        Regex quoted = RegexParser.anywhere(regexes, json, "^a\"\\n[b-c]$", RegexDialect.ECMA);
        assertTrue(matches(quoted, "a\\\"\\nb"));
        assertTrue(matches(quoted, "\\u0061\\u0022\\u000Ac"));
        assertFalse(matches(quoted, "a\"\nb"));
        assertFalse(matches(quoted, "a\\\"nb"));
        Regex other = regexes.and(json.text(), regexes.not(quoted));
        assertFalse(matches(other, "a\\u0022\\nb"));
        assertTrue(matches(other, "a\\\"\\nd"));
        assertFalse(matches(json.text(), "\\uD83D"), "a surrogate without its pair");
        assertFalse(matches(json.text(), "\\x"));
        assertTrue(matches(json.text(), "\\/\\b\\f\\r\\t\\uD83D\\uDE00\u007F"));
    }

    private boolean matches(Regex regex, String text) {
        regexes.fuel().refill(GrammarLimits.DEFAULT.compileFuel());
        return regexes.matches(regex, text.getBytes(StandardCharsets.UTF_8));
    }
}
