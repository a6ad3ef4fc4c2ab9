package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class CommonMasksTest {
    @Test
    void keysAreStructuresNotObjects() {
        assertEquals(key("(a|bc){2,3}d"), key("(a|bc){2,3}d"));
        assertNotEquals(key("(a|bc){2,3}d"), key("(a|bc){2,4}d"));
        assertNotEquals(key("(a|bc){2,3}d"), key("(a|bd){2,3}d"));
        assertNotEquals(key("[ab]{2}"), key("[ac]{2}"));
        assertNotEquals(key("(ab)?c"), key("ab?c"));
    }

    @Test
    void largeStructuresHaveNoKey() {
        var regexes = new Regexes(GrammarLimits.DEFAULT);
        Regex[] parts = new Regex[301];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = regexes.literal(i + "x");
        }
        assertNull(CommonMasks.key(regexes.or(List.of(parts))));
    }

    @Test
    void theLeastRecentlyUsedGoFirst() {
        LexMask mask = new LexMask(TokenMask.of(new int[10_000]), new int[500], new int[500]);
        var masks = new CommonMasks(3 * mask.sizeBytes() + 1_000);
        ByteBuffer first = key("a");
        ByteBuffer second = key("b");
        masks.put(first, mask);
        masks.put(second, mask);
        masks.put(key("c"), mask);
        assertSame(mask, masks.get(first));
        masks.put(key("d"), mask);
        assertNull(masks.get(second));
        assertSame(mask, masks.get(first));
        assertTrue(masks.sizeBytes() <= 3 * mask.sizeBytes() + 1_000);
    }

    private static ByteBuffer key(String pattern) {
        var regexes = new Regexes(GrammarLimits.DEFAULT);
        return Objects.requireNonNull(
                CommonMasks.key(RegexParser.whole(regexes, pattern, RegexDialect.COMMON, "")));
    }
}
