package io.cortado.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class TextSearchTest {
    @Test
    void findsWhatStringFinds() {
        long seed = Long.getLong("cortado.seed", 7);
        var random = new Random(seed);
        for (int round = 0; round < 5000; round++) {
            String text = letters(random, random.nextInt(200));
            String sub = random.nextBoolean() ? part(random, text) : letters(random, 40);
            int from = random.nextInt(text.length() + 1);
            String label = "re-run with -Dcortado.seed=" + seed + " " + text + " " + sub;
            assertEquals(text.indexOf(sub, from), TextSearch.first(text, sub, from), label);
            assertEquals(text.lastIndexOf(sub, from), TextSearch.last(text, sub, from), label);
            assertEquals(text.contains(sub), TextSearch.contains(text, sub), label);
        }
    }

    private static String letters(Random random, int length) {
        var out = new StringBuilder();
        for (int i = 0; i < length; i++) {
            out.append(random.nextInt(12) == 0 ? 'b' : 'a');
        }
        return out.toString();
    }

    private static String part(Random random, String text) {
        int start = random.nextInt(text.length() + 1);
        return text.substring(start, start + random.nextInt(text.length() - start + 1));
    }
}
