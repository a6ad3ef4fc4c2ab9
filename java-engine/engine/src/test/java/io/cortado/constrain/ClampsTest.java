package io.cortado.constrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.schema.JsonSchema;
import io.cortado.constrain.schema.SchemaOptions;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Masks that states share which differ in counts only are those of what is accepted. */
class ClampsTest {
    private static final String LETTERS = "ab1- \"";

    private static final List<String> PATTERNS =
            List.of(
                    "a{20}b",
                    "[ab]{9,30}",
                    "a{0,25}1?",
                    "(ab|1){10,14}-",
                    "(a[ab]{12}-){2,11}b",
                    "[ab1-]*[ab]{15}[ab1-]*",
                    "((ab?){9,20} ){0,12}1{17}",
                    "[ab]{9}|[ab]{12}|a{14}-");

    private static final List<String> SCHEMAS =
            List.of(
                    schema("^(?:\\\\S+\\\\s+){0,19}\\\\S+$", 3, 400),
                    schema("^(?:\\\\S+\\\\s+){0,19}\\\\S+$", 0, 30),
                    schema("[ab-]{22}", 0, 60),
                    schema("^[ab]{10,}1", 12, 200),
                    schema("^(a{9,11} ?){1,40}$", 0, 300));

    private static String schema(String pattern, int min, int max) {
        return "{\"type\":\"string\",\"pattern\":\"%s\",\"minLength\":%d,\"maxLength\":%d}"
                .formatted(pattern, min, max);
    }

    private static TokenTable vocabulary() {
        List<byte[]> tokens = new ArrayList<>();
        tokens.add(new byte[0]);
        for (char a : LETTERS.toCharArray()) {
            add(tokens, "" + a);
            for (char b : LETTERS.toCharArray()) {
                add(tokens, "" + a + b);
                add(tokens, "" + a + b + "ab");
            }
            for (int n = 3; n < 24; n += 2) {
                add(tokens, ("" + a).repeat(n));
                add(tokens, ("" + a).repeat(n) + "b");
                add(tokens, ("b" + a).repeat(n / 2) + "\"");
            }
        }
        return new TokenTable(tokens.toArray(new byte[0][]), Map.of(), tokens.size(), 0);
    }

    private static void add(List<byte[]> tokens, String text) {
        tokens.add(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void masksOfCountsAreThoseOfWhatIsAccepted() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        TokenTable vocabulary = vocabulary();
        GrammarLimits limits = GrammarLimits.DEFAULT;
        List<CompiledGrammar> grammars = new ArrayList<>();
        PATTERNS.forEach(each -> grammars.add(Grammars.regex(each, vocabulary, limits)));
        for (String schema : SCHEMAS) {
            grammars.add(JsonSchema.compile(schema, SchemaOptions.DEFAULT, vocabulary, limits));
        }
        for (int i = 0; i < 8 * grammars.size(); i++) {
            Random random = new Random(seed + i);
            try {
                walk(random, grammars.get(i % grammars.size()).matcher(), vocabulary);
            } catch (AssertionError e) {
                throw new AssertionError("re-run with -Dcortado.seed=" + seed, e);
            }
        }
    }

    private static void walk(Random random, Matcher matcher, TokenTable vocabulary) {
        int[] mask = new int[vocabulary.words()];
        for (int step = 0; step < 60 && !matcher.isEnded(); step++) {
            matcher.allowed(mask);
            List<Integer> allowed = new ArrayList<>();
            for (int id = 0; id < vocabulary.size(); id++) {
                boolean isAccepted = matcher.accept(id);
                if (isAccepted) {
                    matcher.rollback(1);
                    allowed.add(id);
                }
                assertEquals(isAccepted, (mask[id >> 5] >>> id & 1) != 0, "id=" + id);
            }
            assertTrue(!allowed.isEmpty());
            assertTrue(matcher.accept(allowed.get(random.nextInt(allowed.size()))));
        }
    }
}
