package io.cortado.constrain.schema;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.TokenTable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * A token is allowed if and only if some completion of the output is valid: every prefix of a valid
 * value is allowed, no other value is, and walks at random never come to a place without a way on.
 */
class JsonSchemaOracleTest {
    private static final int NUM_SCHEMAS = 10_000;
    private static final int NUM_VALUES = 8;
    private static final int WALK = 30;
    private static final List<String> TOKENS =
            List.of(
                    "{",
                    "}",
                    "[",
                    "]",
                    ",",
                    ":",
                    "\"",
                    " ",
                    "a",
                    "b",
                    "0",
                    "1",
                    "2",
                    "5",
                    "-",
                    ".",
                    "e",
                    "n",
                    "u",
                    "l",
                    "t",
                    "r",
                    "f",
                    "s",
                    "\", \"",
                    "\": ",
                    "{\"",
                    "[]",
                    "null",
                    "true",
                    "\"a\"",
                    "\"}",
                    ", ",
                    "\"ab\": [");
    private static final String CLOSING = "\"}]l";
    private static final TokenTable VOCABULARY = vocabulary();

    private static TokenTable vocabulary() {
        var bytes = new byte[TOKENS.size() + 1][];
        for (int i = 0; i < TOKENS.size(); i++) {
            bytes[i] = TOKENS.get(i).getBytes(StandardCharsets.UTF_8);
        }
        bytes[TOKENS.size()] = new byte[0];
        return new TokenTable(bytes, Map.of(), bytes.length + 3, TOKENS.size());
    }

    @Test
    void allowsExactlyWhatCanBecomeValid() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        int judged = 0;
        for (int i = 0; i < NUM_SCHEMAS; i++) {
            String schema = "";
            try {
                var random = new Random(seed + i);
                var schemas = new RandomSchemas(random);
                schema = schemas.document();
                judged += judge(schema, schemas, random) ? 1 : 0;
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(
                        "re-run with -Dcortado.seed=" + (seed + i) + ": " + schema + ": " + e, e);
            }
        }
        assertTrue(judged > NUM_SCHEMAS / 2, "most schemas have values: judged=" + judged);
    }

    private static boolean judge(String schema, RandomSchemas schemas, Random random) {
        var oracle = new SimpleValidator(Json.value(Json.parse(schema)));
        CompiledGrammar grammar;
        try {
            grammar =
                    JsonSchema.compile(
                            schema, SchemaOptions.DEFAULT, VOCABULARY, GrammarLimits.DEFAULT);
        } catch (GrammarException e) {
            if (e.reason() == Reason.UNSATISFIABLE) {
                for (int i = 0; i < NUM_VALUES; i++) {
                    String value = schemas.value(2);
                    try {
                        assertFalse(oracle.isValid(Json.value(Json.parse(value))), value);
                    } catch (StackOverflowError tooDeep) {
                        // A definition that is nothing but itself: the oracle cannot tell.
                        return false;
                    }
                }
            } else {
                // The opposite of uniqueItems, and a definition that is nothing but itself.
                assertTrue(
                        schema.contains("uniqueItems") || schema.contains("$ref"), e.getMessage());
            }
            return false;
        }
        for (int i = 0; i < NUM_VALUES; i++) {
            String value = schemas.value(2);
            boolean isValid;
            try {
                isValid = oracle.isValid(Json.value(Json.parse(value)));
            } catch (StackOverflowError e) {
                return false;
            }
            assertEquals(isValid, accepts(grammar, value), value);
        }
        walk(grammar, oracle, random);
        return true;
    }

    /** Token by token, each time the longest that fits or a shorter one. */
    private static boolean accepts(CompiledGrammar grammar, String text) {
        Matcher matcher = grammar.matcher();
        var mask = new int[VOCABULARY.words()];
        int at = 0;
        while (at < text.length()) {
            int token = -1;
            for (int id = 0; id < TOKENS.size(); id++) {
                boolean fits = text.startsWith(TOKENS.get(id), at);
                if (fits && (token < 0 || TOKENS.get(id).length() > TOKENS.get(token).length())) {
                    token = id;
                }
            }
            matcher.allowed(mask);
            boolean isAllowed = (mask[token >> 5] >>> token & 1) != 0;
            assertEquals(isAllowed, matcher.accept(token), "mask and matcher at " + at);
            if (!isAllowed) {
                return false;
            }
            at += TOKENS.get(token).length();
        }
        return matcher.isAccepting();
    }

    private static void walk(CompiledGrammar grammar, SimpleValidator oracle, Random random) {
        Matcher matcher = grammar.matcher();
        var mask = new int[VOCABULARY.words()];
        var text = new StringBuilder();
        for (int step = 0; step < WALK; step++) {
            matcher.allowed(mask);
            int[] allowed = allowed(mask);
            if (matcher.isAccepting() && (allowed.length == 0 || random.nextInt(3) == 0)) {
                assertTrue(
                        oracle.isValid(Json.value(Json.parse(text.toString()))), text.toString());
                return;
            }
            assertTrue(allowed.length > 0 || !mayMiss(mask), "a dead end after " + text);
            if (allowed.length == 0) {
                return;
            }
            int token = allowed[random.nextInt(allowed.length)];
            if (step > WALK / 3) {
                for (int id : allowed) {
                    token = CLOSING.contains(TOKENS.get(id).substring(0, 1)) ? id : token;
                }
            }
            assertTrue(matcher.accept(token), "mask and matcher after " + text + TOKENS.get(token));
            text.append(TOKENS.get(token));
        }
    }

    /** Whether the end token is not allowed either. */
    private static boolean mayMiss(int[] mask) {
        return Arrays.stream(mask).allMatch(word -> word == 0);
    }

    private static int[] allowed(int[] mask) {
        return java.util.stream.IntStream.range(0, TOKENS.size())
                .filter(id -> (mask[id >> 5] >>> id & 1) != 0)
                .toArray();
    }
}
