package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinearRegexTest {
    private static final String[] ATOMS = {
        "a",
        "b",
        "ab",
        "[ab]",
        "[^a]",
        "[a-c&&[^b]]",
        ".",
        "\\s",
        "\\S",
        "\\p{L}",
        "[\\p{Lu}\\d]",
        "1",
        "(?i:k)"
    };
    private static final String[] SUFFIXES = {
        "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?"
    };
    private static final String ALPHABET = "aabbcAB1 1\n-kK\u212Aé\u0301";

    @Test
    void randomPatternsMatchAsABacktrackingEngineDoes() {
        var random = new Random(3);
        for (int round = 0; round < 4000; round++) {
            String pattern = pattern(random, 3);
            PieceFinder linear = LinearRegex.compile(pattern);
            Pattern backtracking = Pattern.compile(pattern, Pattern.UNICODE_CHARACTER_CLASS);
            for (int i = 0; i < 20; i++) {
                String text = text(random, 10);
                assertEquals(
                        matches(backtracking, text),
                        matches(linear, text),
                        "seed 3, round " + round + ": " + pattern + " on " + text);
            }
        }
    }

    private static String pattern(Random random, int depth) {
        var out = new StringBuilder();
        int parts = 1 + random.nextInt(3);
        for (int i = 0; i < parts; i++) {
            switch (random.nextInt(depth == 0 ? 1 : 6)) {
                case 1 -> out.append("(?:").append(pattern(random, depth - 1)).append(')');
                case 2 -> out.append(i == 0 ? "" : "|");
                case 3 ->
                        out.append(random.nextBoolean() ? "(?=" : "(?!")
                                .append(ATOMS[random.nextInt(ATOMS.length)])
                                .append(')');
                case 4 -> out.append("[ab]").append(random.nextBoolean() ? "++" : "?+");
                default ->
                        out.append(atom(random)).append(SUFFIXES[random.nextInt(SUFFIXES.length)]);
            }
        }
        return out.toString();
    }

    private static String atom(Random random) {
        String atom = ATOMS[random.nextInt(ATOMS.length)];
        return atom.equals("ab") ? "(?:ab)" : atom;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(?:\\r?\\n)+(?!\\r?\\n)|[^\\n]",
                "\\d{1,3}(?=(?:\\d{3})*\\b)",
                "a(?=b*c)|b+(?!b*1)",
                "\\bab?\\b|\\B1",
                "\\Aa|b\\z"
            })
    void lookaheadsOverManyCharactersAndAnchors(String pattern) {
        var random = new Random(4);
        PieceFinder linear = LinearRegex.compile(pattern);
        Pattern backtracking = Pattern.compile(pattern, Pattern.UNICODE_CHARACTER_CLASS);
        for (int round = 0; round < 5000; round++) {
            String text = text(random, 12).replace('-', '\r').replace('\u0301', 'c');
            assertEquals(
                    matches(backtracking, text), matches(linear, text), "seed 4, round " + round);
        }
    }

    @Test
    void linesEndAsInOniguruma() {
        assertEquals(List.of("0-1", "3-4"), matches(LinearRegex.compile("a$"), "a\nba"));
        assertEquals(List.of("0-1", "2-3"), matches(LinearRegex.compile("^a"), "a\na"));
        assertEquals(List.of("2-3"), matches(LinearRegex.compile("a\\Z"), "a a\n"));
        assertEquals(List.of("0-4"), matches(LinearRegex.compile("[[:alpha:]\\h]+"), "xyé9 "));
    }

    @Test
    void emptyMatchesAreCuts() {
        var groups = LinearRegex.compile("(?=(\\d{3})+(?!\\d))");
        assertEquals(List.of("2-2", "5-5"), matches(groups, "12345678 "));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a+)+$",
                "(a|a)*b",
                "(a*)*c",
                "(?:a?){50}a{50}b",
                "a*b|a",
                "(?:a{1,20}){1,20}b|a",
                "(?:aa|a)*?b|aa",
                "a(?=a*b)|a"
            })
    void patternsThatRuinABacktrackingEngineTakeLinearTime(String pattern) {
        String text = "a".repeat(200_000);
        var covered = new int[1];
        LinearRegex.compile(pattern).find(text, (start, end) -> covered[0] += end - start);
        assertTrue(covered[0] == 0 || covered[0] == text.length(), () -> "covered=" + covered[0]);
    }

    @Test
    void whatAutomataCannotDoIsRefusedByName() {
        refuses("backreference", "(a)\\1");
        refuses("backreference", "(?<n>a)\\k<n>");
        refuses("lookbehind", "(?<=a)b");
        refuses("lookbehind", "(?<!a)b");
        refuses("atomic group", "(?>ab|a)c");
        refuses("possessive", "(?:ab)++");
        refuses("one within the other", "(?=a(?=bc))");
        refuses("unknown character class: name=Foo", "\\p{Foo}");
        refuses("group (?(", "(?(1)a|b)");
        refuses("escape \\q", "\\q");
    }

    @Test
    void malformedOrHugePatternsAreRefused() {
        refuses("without its end", "(a");
        refuses("without its opening one", "a)");
        refuses("a bracket without its end", "[a");
        refuses("quantifier without", "*a");
        refuses("not two characters in order", "[b-a]");
        refuses("min <= max", "a{3,2}");
        refuses("min <= max", "a{1,100000}");
        refuses("instructions>", "(?:(?:a{1000}){1000}){1000}");
        refuses("deeper than", "(".repeat(1000) + ")".repeat(1000));
        refuses("deeper than", "[".repeat(1000) + "]".repeat(1000));
        refuses("too long", "a".repeat(100_000));
        refuses("backslash at its end", "a\\");
    }

    @Test
    void automatonThatGrowsTooLargeIsStopped() {
        var finder = LinearRegex.compile("(?:a|b)*a(?:a|b){20}c|[ab]");
        String text = text(new Random(6), 100_000).replaceAll("[^ab]", "b");
        assertThrows(TextBudgetException.class, () -> finder.find(text, (start, end) -> {}));
    }

    private static void refuses(String reason, String pattern) {
        var error =
                assertThrows(TokenizerFormatException.class, () -> LinearRegex.compile(pattern));
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error::toString);
    }

    private static String text(Random random, int most) {
        var text = new StringBuilder();
        for (int i = random.nextInt(most); i >= 0; i--) {
            text.append(ALPHABET.charAt(random.nextInt(ALPHABET.length())));
        }
        return text.toString();
    }

    /** Empty matches are left out: an engine may or may not report one right after a match. */
    private static List<String> matches(Pattern pattern, String text) {
        var matches = new ArrayList<String>();
        Matcher matcher = pattern.matcher(text);
        while (matcher.find()) {
            if (matcher.end() > matcher.start()) {
                matches.add(matcher.start() + "-" + matcher.end());
            }
        }
        return matches;
    }

    private static List<String> matches(PieceFinder finder, String text) {
        var matches = new ArrayList<String>();
        finder.find(
                text,
                (start, end) -> {
                    if (end > start || text.contains("12345678")) {
                        matches.add(start + "-" + end);
                    }
                });
        return matches;
    }
}
