package io.cortado.constrain.schema;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.TokenTable;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong, too large or never satisfied ends in an error that says where. */
class HostileSchemaTest {
    private static final TokenTable BYTES = bytes();

    private static TokenTable bytes() {
        var bytes = new byte[257][];
        for (int i = 0; i < 256; i++) {
            bytes[i] = new byte[] {(byte) i};
        }
        bytes[256] = new byte[0];
        return new TokenTable(bytes, Map.of(), 257, 256);
    }

    private static CompiledGrammar compiled(String schema) {
        return JsonSchema.compile(schema, SchemaOptions.DEFAULT, BYTES, GrammarLimits.DEFAULT);
    }

    private static boolean accepts(String schema, String text) {
        Matcher matcher = compiled(schema).matcher();
        for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
            if (!matcher.accept(value & 0xFF)) {
                return false;
            }
        }
        return matcher.isAccepting();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"type\":7} | /type",
                "{\"properties\":{\"a/b\":{\"type\":\"nul\"}}} | /properties/a~1b/type",
                "{\"properties\":[]} | /properties",
                "{\"items\":3} | /items",
                "{\"allOf\":[]} | /allOf",
                "{\"anyOf\":[{\"minLength\":-1}]} | /anyOf/0/minLength",
                "{\"maxItems\":1.5} | /maxItems",
                "{\"minimum\":\"1\"} | /minimum",
                "{\"multipleOf\":0} | /multipleOf",
                "{\"required\":[1]} | /required",
                "{\"enum\":1} | /enum",
                "{\"$ref\":\"#/nowhere\"} | /$ref",
                "{\"$ref\":\"other.json\"} | /$ref",
                "{\"not\":{\"pattern\":\"(\"}} | /not/pattern",
                "{\"uniqueItems\":1} | /uniqueItems"
            })
    void refusesGarbageWithAPointer(String schema, String pointer) {
        GrammarException e = assertThrows(GrammarException.class, () -> compiled(schema.strip()));
        assertEquals(Reason.SYNTAX, e.reason());
        assertEquals(pointer, e.position());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "nul", "3", "\"x\"", "[]", "{\"a\":1,\"a\":2}", "{} {}"})
    void refusesWhatIsNoSchema(String schema) {
        assertThrows(GrammarException.class, () -> compiled(schema));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"pattern\":\"(?<=a)b\"} | /pattern",
                "{\"pattern\":\"(a)\\\\1\"} | /pattern",
                "{\"not\":{\"items\":{\"uniqueItems\":true}}} | /not/items",
                "{\"multipleOf\":12345678901} | /"
            })
    void refusesByNameWhatItCannotEnforce(String schema, String pointer) {
        GrammarException e = assertThrows(GrammarException.class, () -> compiled(schema.strip()));
        assertEquals(Reason.UNSUPPORTED, e.reason());
        assertTrue(e.position().startsWith(pointer.replace("/ ", "")) || pointer.equals("/"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "false",
                "{\"type\":\"string\",\"minLength\":2,\"maxLength\":1}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
                "{\"allOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}",
                "{\"type\":\"array\",\"minItems\":1,\"items\":false}",
                "{\"type\":\"object\",\"minProperties\":1,\"propertyNames\":false}",
                "{\"type\":\"object\",\"maxProperties\":1,\"dependentRequired\":{\"b\":[\"a\"]},"
                        + "\"properties\":{\"a\":{\"const\":null}},"
                        + "\"not\":{\"patternProperties\":{\"^[ab]$\":{\"type\":\"null\"}}}}",
                "{\"type\":\"integer\",\"exclusiveMinimum\":1,\"exclusiveMaximum\":2}"
            })
    void saysWhatNothingSatisfies(String schema) {
        GrammarException e = assertThrows(GrammarException.class, () -> compiled(schema));
        assertEquals(Reason.UNSATISFIABLE, e.reason());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"$ref\":\"#\"}",
                "{\"allOf\":[{\"$ref\":\"#\"}]}",
                "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}}}",
                "{\"not\":{\"$ref\":\"#\"}}"
            })
    void refusesReferencesThatLeadNowhereButBack(String schema) {
        GrammarException e = assertThrows(GrammarException.class, () -> compiled(schema));
        assertEquals(Reason.SYNTAX, e.reason());
    }

    @Test
    void refusesNestingThatWouldOverflowTheStack() {
        String schema = "{\"not\":".repeat(10_000) + "{}" + "}".repeat(10_000);
        assertThrows(GrammarException.class, () -> compiled(schema));
    }

    @Test
    void refusesALongChainOfValuesThatNeedEachOther() {
        String links =
                IntStream.range(0, 10_000)
                        .mapToObj(i ->
                                "\"d"
                                        + i
                                        + "\":{\"type\":\"object\",\"required\":[\"n\"],"
                                        + "\"properties\":{\"n\":{\"$ref\":\"#/$defs/d"
                                        + (i + 1)
                                        + "\"}}}")
                        .collect(Collectors.joining(","));
        String schema = "{\"$ref\":\"#/$defs/d0\",\"$defs\":{" + links + ",\"d10000\":{}}}";
        GrammarException e = assertThrows(GrammarException.class, () -> compiled(schema));
        assertEquals(Reason.LIMIT, e.reason());
    }

    @Test
    void takesLongEnums() {
        String values =
                IntStream.range(0, 100_000)
                        .mapToObj(i -> "\"value " + i + "\"")
                        .collect(Collectors.joining(","));
        String schema = "{\"enum\":[" + values + "]}";
        assertTrue(accepts(schema, "\"value 99999\""));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"type\":\"string\",\"minLength\":1000000000}",
                "{\"type\":\"array\",\"minItems\":1000000000}",
                "{\"type\":\"string\",\"maxLength\":99999999999999999999}",
                "{\"type\":\"integer\",\"maximum\":1e300}"
            })
    void takesLargeCountsWithoutUnrollingThem(String schema) {
        assertNotNull(compiled(schema).matcher());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"minItems\":1000000000,\"type\":\"array\",\"contains\":{\"const\":1},\"minContains\":1000000000}",
                "{\"type\":\"integer\",\"maximum\":1e999999999}",
                "{\"minLength\":99999999999999999999}",
                "{\"type\":\"string\",\"pattern\":\"^(x{1000}){1000}$\",\"not\":{\"pattern\":\"^x*$\"}}"
            })
    void endsInAnErrorWhereAProofWouldTakeForever(String schema) {
        GrammarException e = assertThrows(GrammarException.class, () -> compiled(schema));
        assertEquals(Reason.LIMIT, e.reason());
    }
}
