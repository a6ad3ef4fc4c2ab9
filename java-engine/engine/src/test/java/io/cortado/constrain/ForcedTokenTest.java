package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A token that is said to be forced is the only one of its mask, on random walks. */
class ForcedTokenTest {
    private static final List<String> LONGER =
            List.of("ab", "abc", "bc", "cde", "ee", "ab", "de", "x", "xy");
    private static final int END = 256 + LONGER.size();
    private static final TokenTable TABLE = table();

    private static TokenTable table() {
        var bytes = new byte[END + 1][];
        for (int i = 0; i < 256; i++) {
            bytes[i] = new byte[] {(byte) i};
        }
        for (int i = 0; i < LONGER.size(); i++) {
            bytes[256 + i] = LONGER.get(i).getBytes(StandardCharsets.UTF_8);
        }
        bytes[END] = new byte[0];
        return new TokenTable(bytes, Map.of("[END]", END), END + 1, END);
    }

    private static int only(int[] mask) {
        int count = 0;
        int id = -1;
        for (int w = 0; w < mask.length; w++) {
            count += Integer.bitCount(mask[w]);
            id = mask[w] == 0 ? id : 32 * w + Integer.numberOfTrailingZeros(mask[w]);
        }
        return count == 1 ? id : -1;
    }

    @Test
    void isTheOnlyTokenOfItsMask() {
        List<String> patterns =
                List.of(
                        "abcde{1,3}[fg]hij",
                        "(abc|abd)xyz?",
                        "中文[字文]漢",
                        "dede",
                        "qrs(tu|tv)w{2}",
                        "x(yx)*y");
        int forced = 0;
        for (String pattern : patterns) {
            CompiledGrammar grammar = Grammars.regex(pattern, TABLE, GrammarLimits.DEFAULT);
            for (int seed = 0; seed < 20; seed++) {
                walk(grammar, seed, false);
                forced += walk(grammar, seed, true);
            }
        }
        assertTrue(forced > 300, "forced=" + forced);
    }

    /** Forced tokens of a walk; all are known where another has gone the same way. */
    private static int walk(CompiledGrammar grammar, int seed, boolean isKnown) {
        Random random = new Random(seed);
        Matcher matcher = grammar.matcher();
        int[] mask = new int[TABLE.words()];
        int forced = 0;
        int next;
        do {
            int said = matcher.forcedToken();
            matcher.allowed(mask);
            int only = only(mask);
            assertTrue(said == only || !isKnown && said < 0, said + " and " + only);
            assertEquals(only, matcher.forcedToken());
            forced += said >= 0 ? 1 : 0;
            next = draw(mask, random);
            assertTrue(matcher.accept(next));
        } while (next != END);
        assertEquals(-1, matcher.forcedToken());
        return forced;
    }

    private static int draw(int[] mask, Random random) {
        int[] ids =
                java.util.stream.IntStream.range(0, END + 1)
                        .filter(id -> (mask[id >> 5] >>> id & 1) != 0)
                        .toArray();
        return ids[random.nextInt(ids.length)];
    }
}
