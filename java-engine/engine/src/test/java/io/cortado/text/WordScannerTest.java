package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The scanners compiled by hand against the general engine on the patterns they stand for. */
class WordScannerTest {
    private static final List<String> PATTERNS =
            List.of(
                    PublishedPatterns.GPT2,
                    PublishedPatterns.LLAMA3,
                    PublishedPatterns.QWEN2,
                    PublishedPatterns.QWEN35);
    private static final String ALPHABET =
            "aBsStTlLvVeErR''mMdD \u00A0\t\n\r\u0085\u30001২²!?-_.é中\u0301\u0903\u017F\u212A\u200B";

    @Test
    void scannersCutLikeTheirPatterns() {
        var random = new Random(5);
        for (String pattern : PATTERNS) {
            PieceFinder scanner = SplitPatterns.compile(pattern);
            assertEquals(WordScanner.class, scanner.getClass(), pattern);
            PieceFinder regex = LinearRegex.compile(pattern);
            for (int round = 0; round < 20_000; round++) {
                var text = new StringBuilder();
                for (int i = random.nextInt(12); i >= 0; i--) {
                    int c =
                            random.nextInt(20) == 0
                                    ? random.nextInt(0x11_0000)
                                    : ALPHABET.charAt(random.nextInt(ALPHABET.length()));
                    text.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 'x' : c);
                }
                assertEquals(
                        pieces(regex, text.toString()),
                        pieces(scanner, text.toString()),
                        "seed 5, round " + round + " " + pattern);
            }
        }
    }

    private static List<String> pieces(PieceFinder finder, String text) {
        var pieces = new ArrayList<String>();
        finder.find(text, (start, end) -> pieces.add(text.substring(start, end)));
        return pieces;
    }
}
