package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CodePointsTest {
    private final Regexes regexes = new Regexes(GrammarLimits.DEFAULT);

    @Test
    void spellsEachCodePointOfASetAndNoOther() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        var random = new Random(seed);
        int[] edges = {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF};
        for (int round = 0; round < 20; round++) {
            int[] pairs = new int[2 * (1 + random.nextInt(4))];
            for (int i = 0; i < pairs.length; i += 2) {
                int first =
                        random.nextBoolean() ? edges[random.nextInt(10)] : random.nextInt(0x3000);
                pairs[i] = first;
                pairs[i + 1] = Math.min(0x10FFFF, first + random.nextInt(1 << random.nextInt(17)));
            }
            CodePoints set = CodePoints.ofRanges(pairs);
            Regex regex = regexes.codePoints(set);
            for (int i = 0; i < 400; i++) {
                int c =
                        i < 40
                                ? edges[i / 4] + i % 4 - 1
                                : pairs[random.nextInt(pairs.length)] + random.nextInt(9) - 4;
                if (c < 0 || c > 0x10FFFF || c >= 0xD800 && c <= 0xDFFF) {
                    continue;
                }
                byte[] utf8 = Character.toString(c).getBytes(StandardCharsets.UTF_8);
                assertEquals(
                        set.contains(c),
                        regexes.matches(regex, utf8),
                        "re-run with -Dcortado.seed=" + seed + " code point " + c);
            }
        }
    }

    @Test
    void refusesBytesThatAreNotUtf8() {
        Regex any = regexes.codePoints(CodePoints.ANY);
        int[][] malformed = {
            {0x80},
            {0xC0, 0x80},
            {0xC1, 0xBF},
            {0xE0, 0x9F, 0xBF},
            {0xED, 0xA0, 0x80},
            {0xF0, 0x8F, 0xBF, 0xBF},
            {0xF4, 0x90, 0x80, 0x80},
            {0xF5, 0x80, 0x80, 0x80},
            {0xC2}
        };
        for (int[] units : malformed) {
            byte[] bytes = new byte[units.length];
            for (int i = 0; i < units.length; i++) {
                bytes[i] = (byte) units[i];
            }
            assertFalse(regexes.matches(any, bytes), "first byte " + units[0]);
        }
    }

    @Test
    void complementsWithinUnicode() {
        CodePoints set = CodePoints.ofRanges('a', 'z', 0x4E00, 0x9FFF);
        assertFalse(set.not().contains('q'));
        assertTrue(set.not().contains('A'));
        assertFalse(set.not().contains(0xD800));
        assertEquals(set, set.not().not());
        assertTrue(set.and(set.not()).isEmpty());
        assertEquals(
                CodePoints.range('b', 'z'),
                set.minus(CodePoints.ofRanges('a', 'a', 0x4E00, 0x9FFF)));
    }
}
