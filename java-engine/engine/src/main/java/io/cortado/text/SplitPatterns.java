package io.cortado.text;

import java.util.Map;

/**
 * Turns the regular expression of a file into a finder: a scanner compiled by hand for known ones,
 * else an automaton. Both take time linear in the text whatever the pattern.
 */
final class SplitPatterns {
    private static final Map<String, PieceFinder> KNOWN =
            Map.of(
                    PublishedPatterns.GPT2,
                    gpt2(),
                    PublishedPatterns.LLAMA3,
                    new WordScanner(WordScanner.Style.CL100K, 3, false),
                    PublishedPatterns.QWEN2,
                    new WordScanner(WordScanner.Style.CL100K, 1, false),
                    PublishedPatterns.QWEN35,
                    new WordScanner(WordScanner.Style.CL100K, 1, true));

    private SplitPatterns() {}

    static PieceFinder gpt2() {
        return new WordScanner(WordScanner.Style.GPT2, Integer.MAX_VALUE, false);
    }

    static PieceFinder compile(String regex) {
        PieceFinder known = KNOWN.get(regex);
        return known != null ? known : LinearRegex.compile(regex);
    }
}
