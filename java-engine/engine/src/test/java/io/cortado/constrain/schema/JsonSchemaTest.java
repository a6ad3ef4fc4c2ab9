package io.cortado.constrain.schema;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.TokenTable;
import io.cortado.constrain.schema.SchemaOptions.Formats;
import io.cortado.constrain.schema.SchemaOptions.PropertyOrder;
import io.cortado.constrain.schema.SchemaOptions.Whitespace;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the options mean, and how values are written. */
class JsonSchemaTest {
    private static final TokenTable BYTES = bytes();

    private static TokenTable bytes() {
        var bytes = new byte[257][];
        for (int i = 0; i < 256; i++) {
            bytes[i] = new byte[] {(byte) i};
        }
        bytes[256] = new byte[0];
        return new TokenTable(bytes, Map.of(), 257, 256);
    }

    private static Matcher matcher(String schema, SchemaOptions options) {
        CompiledGrammar grammar = JsonSchema.compile(schema, options, BYTES, GrammarLimits.DEFAULT);
        return grammar.matcher();
    }

    private static boolean accepts(String schema, SchemaOptions options, String text) {
        Matcher matcher = matcher(schema, options);
        for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
            if (!matcher.accept(value & 0xFF)) {
                return false;
            }
        }
        return matcher.isAccepting();
    }

    private static boolean accepts(String schema, String text) {
        return accepts(schema, SchemaOptions.DEFAULT, text);
    }

    @Test
    void propertiesComeInAnyOrderOrAsDeclared() {
        String schema =
                """
                {"properties":{"a":{},"b":{},"c":{}},"required":["b"],\
                "dependentRequired":{"c":["a"]}}\
                """;
        SchemaOptions declared = SchemaOptions.DEFAULT.withOrder(PropertyOrder.DECLARED);
        assertTrue(accepts(schema, "{\"b\": 1, \"a\": 2}"));
        assertFalse(accepts(schema, declared, "{\"b\": 1, \"a\": 2}"));
        assertTrue(accepts(schema, declared, "{\"a\": 2, \"b\": 1, \"x\": 3}"));
        assertFalse(accepts(schema, declared, "{\"a\": 2, \"x\": 3, \"b\": 1}"));
        assertTrue(accepts(schema, declared, "{\"a\": 2, \"b\": 1, \"c\": 3}"));
        assertFalse(accepts(schema, declared, "{\"b\": 1, \"c\""));
    }

    @Test
    void itemsThatMustDifferAreOnlyBegunWhereThereAreEnough() {
        String one = "{\"type\":\"array\",\"enum\":[[0,null]]}";
        String array = "{\"items\":%s,\"minItems\":%d,\"uniqueItems\":true}";
        assertFalse(accepts(array.formatted(one, 2), "[["));
        assertTrue(accepts(array.formatted(one, 1), "[[-0.0, null]]"));
        String object = "{\"const\":{\"a\":[true,{}]}}";
        String either = "{\"anyOf\":[%s,%s]}".formatted(one, object);
        assertTrue(accepts(array.formatted(either, 2), "[[0, null], {\"a\": [true, {}]}]"));
        assertFalse(accepts(array.formatted(either, 2), "[[0, null], [0, null"));
        assertFalse(accepts(array.formatted(either, 3), "["));
        String pair = "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"maxItems\":1}";
        assertTrue(accepts(array.formatted(pair, 3), "[[], [true], [false]]"));
        assertFalse(accepts(array.formatted(pair, 4), "["));
    }

    @Test
    void whitespaceIsBounded() {
        SchemaOptions none = SchemaOptions.DEFAULT.withWhitespace(Whitespace.NONE);
        assertTrue(accepts("{}", "{\n  \"a\": [\n    1,\n    2\n  ]\n}"));
        assertFalse(accepts("{}", "{  \"a\": 1}"));
        assertFalse(accepts("{}", "[1 , 2]"));
        assertTrue(accepts("{}", none, "{\"a\":[1,2]}"));
        assertFalse(accepts("{}", none, "[1, 2]"));
    }

    @Test
    void otherPropertiesAreAllowedUnlessObjectsAreClosed() {
        String schema = "{\"properties\":{\"a\":{}}}";
        assertTrue(accepts(schema, "{\"b\": 1}"));
        SchemaOptions closed = SchemaOptions.DEFAULT.withClosedObjects(true);
        assertFalse(accepts(schema, closed, "{\"b\": 1}"));
        assertTrue(accepts("{}", closed, "{\"b\": 1}"));
    }

    @Test
    void formatsAreEnforcedOrAnnotations() {
        String schema = "{\"format\":\"date\"}";
        assertTrue(accepts(schema, "\"2024-02-29\""));
        assertFalse(accepts(schema, "\"2023-02-29\""));
        assertTrue(
                accepts(
                        schema,
                        SchemaOptions.DEFAULT.withFormats(Formats.ANNOTATIONS),
                        "\"2023-02-29\""));
        assertTrue(accepts("{\"format\":\"of another world\"}", "\"x\""));
    }

    @Test
    void keysAreNeverRepeatedHoweverTheyAreWritten() {
        assertTrue(accepts("{}", "{\"é\": 1, \"e\": 2}"));
        assertFalse(accepts("{}", "{\"é\": 1, \"\\u00e9\": 2}"));
        assertFalse(accepts("{}", "{\"\\u00E9\": 1, \"\\u00e9\": 2}"));
        assertFalse(accepts("{\"properties\":{\"é\":{}}}", "{\"\\u00e9\": 1, \"é\": 2}"));
        assertFalse(accepts("{\"properties\":{\"é\":false}}", "{\"\\u00e9\": 1}"));
    }

    @Test
    void stringsHaveTheirShortestEscapes() {
        assertTrue(accepts("{\"maxLength\":1}", "\"\\ud83d\\uDE00\""));
        assertTrue(accepts("{\"const\":\"a\\nb/\"}", "\"a\\nb/\""));
        assertFalse(accepts("{}", "\"\\u0061\""));
        assertFalse(accepts("{}", "\"\\ud83d\""));
        assertFalse(accepts("{}", "\"\n\""));
        assertTrue(accepts("{\"pattern\":\"^\\\\s$\"}", "\"\\t\""));
        assertTrue(accepts("{\"pattern\":\"^[^a]$\"}", "\"\\u00e9\""));
    }

    @Test
    void numbersAreJudgedByTheirValue() {
        String schema = "{\"minimum\":-0.5,\"exclusiveMaximum\":120}";
        for (String text : new String[] {"-0.5", "-0.50", "0", "-0", "119.99", "1.19e2", "1e-5"}) {
            assertTrue(accepts(schema, text), text);
        }
        for (String text : new String[] {"-0.51", "120", "120.0", "1.2e2", "1e3", "-1", "01"}) {
            assertFalse(accepts(schema, text), text);
        }
        assertTrue(accepts("{\"type\":\"integer\"}", "1.0"));
        SchemaOptions draft4 = SchemaOptions.DEFAULT.withDraft(Draft.DRAFT_4);
        assertFalse(accepts("{\"type\":\"integer\"}", draft4, "1.0"));
        assertTrue(accepts("{\"multipleOf\":0.01}", "19.99"));
        assertFalse(accepts("{\"multipleOf\":0.01}", "19.999"));
        assertFalse(accepts("{\"minimum\":3,\"exclusiveMinimum\":true}", draft4, "3"));
    }

    @Test
    void documentsAreFoundByTheirUri() {
        SchemaOptions options =
                SchemaOptions.DEFAULT.withDocuments(
                        Map.of("http://x.test/n.json", "{\"$defs\":{\"n\":{\"type\":\"null\"}}}"));
        assertTrue(accepts("{\"$ref\":\"http://x.test/n.json#/$defs/n\"}", options, "null"));
        assertFalse(accepts("{\"$ref\":\"http://x.test/n.json#/$defs/n\"}", options, "1"));
    }

    @Test
    void whatIsFixedIsForced() {
        Matcher matcher =
                matcher(
                        "{\"type\":\"object\",\"properties\":{\"name\":{\"const\":\"x\"}},"
                                + "\"required\":[\"name\"],\"additionalProperties\":false}",
                        SchemaOptions.DEFAULT.withWhitespace(Whitespace.NONE));
        assertEquals("{\"name\":\"x\"}", new String(matcher.forcedBytes(), StandardCharsets.UTF_8));
    }
}
