package io.cortado.text;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Turns the regular expression of a file into a finder: a scanner for known ones, else a budgeted
 * regex.
 */
final class SplitPatterns {
    static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    private static final String CL100K_TAIL =
            "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String CL100K_HEAD =
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}";

    private static final Map<String, PieceFinder> KNOWN =
            Map.of(
                    GPT2,
                    gpt2(),
                    CL100K_HEAD + "{1,3}" + CL100K_TAIL,
                    new WordScanner(WordScanner.Style.CL100K, 3, false),
                    CL100K_HEAD + CL100K_TAIL,
                    new WordScanner(WordScanner.Style.CL100K, 1, false),
                    CL100K_HEAD.replace("?\\p{L}+", "?[\\p{L}\\p{M}]+")
                            + CL100K_TAIL.replace("\\p{L}", "\\p{L}\\p{M}"),
                    new WordScanner(WordScanner.Style.CL100K, 1, true));

    private static final int MAX_PATTERN_CHARS = 100_000;
    private static final long STEPS_PER_CHAR = 256;
    private static final long FREE_STEPS = 1_000_000;

    private SplitPatterns() {}

    static PieceFinder gpt2() {
        return new WordScanner(WordScanner.Style.GPT2, Integer.MAX_VALUE, false);
    }

    static PieceFinder compile(String regex) {
        PieceFinder known = KNOWN.get(regex);
        return known != null ? known : compileRegex(regex);
    }

    /** The generic way, which must agree with the scanners on every text. */
    static PieceFinder compileRegex(String regex) {
        if (regex.length() > MAX_PATTERN_CHARS) {
            throw new TokenizerFormatException(
                    "split pattern too long: chars="
                            + regex.length()
                            + " limit="
                            + MAX_PATTERN_CHARS);
        }
        Pattern pattern;
        try {
            pattern = Pattern.compile(translate(regex), Pattern.UNICODE_CHARACTER_CLASS);
        } catch (PatternSyntaxException e) {
            throw new UnsupportedTokenizerException(
                    "split pattern is not a regular expression that this engine knows: "
                            + e.getMessage());
        } catch (StackOverflowError e) {
            throw new TokenizerFormatException(
                    "split pattern nests too deep: chars=" + regex.length());
        }
        return (text, sink) -> find(pattern, text, sink);
    }

    /** From Oniguruma's spelling to Java's: the Han script, and what counts as a word character. */
    private static String translate(String regex) {
        var out = new StringBuilder();
        for (int i = 0; i < regex.length(); i++) {
            if (regex.charAt(i) != '\\' || i + 1 == regex.length()) {
                out.append(regex.charAt(i));
            } else if (regex.charAt(i + 1) == 'w') {
                out.append("[\\w²³¹¼½¾&&[^\\x{200C}\\x{200D}]]");
                i++;
            } else if (regex.startsWith("\\p{Han}", i)) {
                out.append("\\p{IsHan}");
                i += "\\p{Han}".length() - 1;
            } else {
                out.append(regex, i, i + 2);
                i++;
            }
        }
        return out.toString();
    }

    private static void find(Pattern pattern, String text, PieceFinder.MatchSink sink) {
        Matcher matcher = pattern.matcher(new CountedText(text, pattern));
        int from = 0;
        try {
            while (matcher.find()) {
                if (matcher.end() > matcher.start() && matcher.start() >= from) {
                    sink.match(matcher.start(), matcher.end());
                    from = matcher.end();
                }
            }
        } catch (StackOverflowError e) {
            throw new TextBudgetException(
                    "split pattern needs too much stack: textChars="
                            + text.length()
                            + " pattern="
                            + pattern);
        }
    }

    /**
     * Counts how often the regex engine reads a character, and stops it where the cost is not
     * linear.
     */
    private static final class CountedText implements CharSequence {
        private final String text;
        private final Pattern pattern;
        private long stepsLeft;

        CountedText(String text, Pattern pattern) {
            this.text = text;
            this.pattern = pattern;
            this.stepsLeft = FREE_STEPS + STEPS_PER_CHAR * text.length();
        }

        @Override
        public char charAt(int index) {
            if (--stepsLeft < 0) {
                throw new TextBudgetException(
                        "split pattern takes too many steps: limit="
                                + (FREE_STEPS + STEPS_PER_CHAR * text.length())
                                + " textChars="
                                + text.length()
                                + " pattern="
                                + pattern);
            }
            return text.charAt(index);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
