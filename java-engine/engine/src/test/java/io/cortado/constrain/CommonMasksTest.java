package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class CommonMasksTest {
    private static final LexMask MASK =
            new LexMask(TokenMask.of(new int[10_000]), new int[500], new int[500]);

    @Test
    void masksAreKeptByStructuresNotObjects() {
        var masks = new CommonMasks(1 << 20);
        masks.put(regex("(a|bc){2,3}d"), MASK);
        masks.put(regex("[ab]{2}"), MASK);
        masks.put(regex("(ab)?c"), MASK);
        assertSame(MASK, masks.get(regex("(a|bc){2,3}d")));
        assertNull(masks.get(regex("(a|bc){2,4}d")));
        assertNull(masks.get(regex("(a|bd){2,3}d")));
        assertSame(MASK, masks.get(regex("[ab]{2}")));
        assertNull(masks.get(regex("[ac]{2}")));
        assertNull(masks.get(regex("ab?c")));
    }

    @Test
    void largeStructuresAreNotKept() {
        var regexes = new Regexes(GrammarLimits.DEFAULT);
        Regex[] parts = new Regex[301];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = regexes.literal(i + "x");
        }
        var masks = new CommonMasks(1 << 20);
        masks.put(regexes.or(List.of(parts)), MASK);
        assertEquals(0, masks.sizeBytes());
        assertNull(masks.get(regexes.or(List.of(parts))));
    }

    @Test
    void theLeastRecentlyUsedGoFirst() {
        var masks = new CommonMasks(3 * MASK.sizeBytes() + 1_500);
        Regex first = regex("a");
        Regex second = regex("b");
        masks.put(first, MASK);
        masks.put(second, MASK);
        masks.put(regex("c"), MASK);
        assertSame(MASK, masks.get(first));
        masks.put(regex("d"), MASK);
        assertNull(masks.get(second));
        assertSame(MASK, masks.get(first));
        assertTrue(masks.sizeBytes() <= 3 * MASK.sizeBytes() + 1_500);
    }

    private static Regex regex(String pattern) {
        var regexes = new Regexes(GrammarLimits.DEFAULT);
        return RegexParser.whole(regexes, pattern, RegexDialect.COMMON, "");
    }
}
