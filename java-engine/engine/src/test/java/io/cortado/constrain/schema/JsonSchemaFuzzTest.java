package io.cortado.constrain.schema;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.TokenTable;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes as a schema: outputs of its masks, or a {@link GrammarException}. */
class JsonSchemaFuzzTest {
    private static final int MAX_TOKENS = 200;
    private static final TokenTable BYTES = bytes();
    private static final GrammarLimits LIMITS =
            new GrammarLimits(1 << 16, 100_000, 100_000, 50_000, 2_000, 1 << 24, 1 << 20);

    private static TokenTable bytes() {
        var bytes = new byte[257][];
        for (int i = 0; i < 256; i++) {
            bytes[i] = new byte[] {(byte) i};
        }
        bytes[256] = new byte[0];
        return new TokenTable(bytes, Map.of(), 257, 256);
    }

    static Stream<byte[]> seeds() {
        return Stream.of(
                        "true",
                        "{\"type\":[\"string\",\"null\"],\"minLength\":1,\"pattern\":\"^a+\"}",
                        "{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"],\"maxProperties\":2}",
                        "{\"oneOf\":[{\"const\":1},{\"enum\":[1,2,{}]}],\"not\":{\"multipleOf\":2}}",
                        "{\"items\":{\"type\":\"integer\",\"minimum\":-3},\"uniqueItems\":true,\"maxItems\":3}",
                        "{\"patternProperties\":{\"^x\":{}},\"unevaluatedProperties\":false,\"anyOf\":[{},{}]}",
                        "{\"$id\":\"http://a/b\",\"$defs\":{\"c\":{\"$anchor\":\"d\"}},\"$ref\":\"#d\"}")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @FuzzTest
    @MethodSource("seeds")
    void writesOutputsOrRefuses(byte[] input) {
        try {
            String schema = new String(input, StandardCharsets.UTF_8);
            CompiledGrammar grammar =
                    JsonSchema.compile(schema, SchemaOptions.DEFAULT, BYTES, LIMITS);
            walk(grammar, new Random(input.length));
        } catch (GrammarException e) {
            assertEquals(false, String.valueOf(e.getMessage()).isEmpty());
        }
    }

    private static void walk(CompiledGrammar grammar, Random random) {
        Matcher matcher = grammar.matcher();
        var mask = new int[BYTES.words()];
        for (int i = 0; i < MAX_TOKENS && !matcher.isEnded(); i++) {
            matcher.allowed(mask);
            int token = random.nextInt(BYTES.size());
            boolean isAllowed = (mask[token >> 5] >>> token & 1) != 0;
            assertEquals(isAllowed, matcher.accept(token));
        }
    }
}
