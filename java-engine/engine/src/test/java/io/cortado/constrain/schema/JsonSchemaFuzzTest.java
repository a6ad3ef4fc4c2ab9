package io.cortado.constrain.schema;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.cortado.constrain.MaskWalk;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a schema: masks that hold what {@link MaskWalk} says, or a refusal. */
class JsonSchemaFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                        "true",
                        "{\"type\":[\"string\",\"null\"],\"minLength\":1,\"pattern\":\"^a+\"}",
                        "{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"],\"maxProperties\":2}",
                        "{\"oneOf\":[{\"const\":1},{\"enum\":[1,2,{}]}],\"not\":{\"multipleOf\":2}}",
                        "{\"items\":{\"type\":\"integer\",\"minimum\":-3},\"uniqueItems\":true,\"maxItems\":3}",
                        "{\"patternProperties\":{\"^x\":{}},\"unevaluatedProperties\":false,\"anyOf\":[{},{}]}",
                        "{\"$id\":\"http://a/b\",\"$defs\":{\"c\":{\"$anchor\":\"d\"}},\"$ref\":\"#d\"}",
                        "{\"if\":{\"properties\":{\"a\":{\"const\":1}}},\"then\":{\"required\":[\"b\"]},\"else\":false}",
                        "{\"type\":\"array\",\"contains\":{\"const\":1},\"minContains\":2,\"prefixItems\":[true,{\"type\":\"string\"}]}",
                        "{\"dependentSchemas\":{\"a\":{\"minProperties\":2}},\"propertyNames\":{\"maxLength\":3}}",
                        "{\"type\":\"string\",\"format\":\"date-time\"}",
                        "{\"$dynamicAnchor\":\"n\",\"properties\":{\"c\":{\"items\":{\"$dynamicRef\":\"#n\"}}}}")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @DictionaryEntries(
            value = {
                "\"$ref\":\"#\"",
                "\"additionalProperties\":",
                "\"unevaluatedItems\":",
                "\"minContains\":",
                "\"multipleOf\":",
                "\"dependentRequired\":",
                "\"exclusiveMinimum\":",
                "\"uniqueItems\":true",
                "\"format\":\"ipv6\"",
                "\"not\":{",
                "\"oneOf\":[",
                "\"required\":["
            })
    @MethodSource("seeds")
    @FuzzTest
    void writesValuesOrRefuses(byte[] input) {
        MaskWalk.checkOrRefuse(
                input,
                (schema, vocabulary) ->
                        JsonSchema.compile(
                                schema, SchemaOptions.DEFAULT, vocabulary, MaskWalk.LIMITS));
    }
}
