package io.cortado.constrain.schema;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarCache;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Grammars;
import io.cortado.constrain.MaskWalk;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.TokenTable;
import io.cortado.constrain.schema.TaggedText.Tag;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What clients may send to hurt: it is refused, or it is compiled, writes some tokens, and takes no
 * more memory than a grammar may. The work of both is what the fuel of {@link
 * GrammarLimits#DEFAULT} pays; the time limits here only catch work that burns none.
 */
class HostileInputTest {
    private static final TokenTable VOCABULARY = MaskWalk.VOCABULARY;
    private static final GrammarLimits LIMITS = GrammarLimits.DEFAULT;
    private static final int NUM_TOKENS = 40;

    /** Regex nodes and formulas at their limits, and a full automaton with full masks. */
    private static final long MAX_BYTES = 600L << 20;

    private interface Compiler {
        CompiledGrammar compile();
    }

    private static Named<Compiler> schema(String name, String schema) {
        return Named.of(
                name, () -> JsonSchema.compile(schema, SchemaOptions.DEFAULT, VOCABULARY, LIMITS));
    }

    private static Named<Compiler> regex(String name, String pattern) {
        return Named.of(name, () -> Grammars.regex(pattern, VOCABULARY, LIMITS));
    }

    private static Named<Compiler> grammar(String name, String grammar) {
        return Named.of(name, () -> Grammars.grammar(grammar, VOCABULARY, LIMITS));
    }

    private static String joined(int count, IntFunction<String> part) {
        return IntStream.range(0, count).mapToObj(part).collect(Collectors.joining(","));
    }

    private static String nested(int depth, String open, String inner, String close) {
        return open.repeat(depth) + inner + close.repeat(depth);
    }

    static Stream<Named<Compiler>> patterns() {
        return Stream.of(
                regex("plus of plus", "(a+)+b"),
                regex("count of count", "(x{1000}){1000}"),
                regex("counts of counts", "(((((a{0,9}){0,9}){0,9}){0,9}){0,9}){0,9}"),
                regex("states 2^25", "(a|b)*a(a|b){25}"),
                regex("mail", "(\\w+\\s?)*\\w+@\\w+"),
                regex("gaps", "(.{0,50}x){0,50}"),
                regex("properties", "(\\p{L}{1,50}\\P{L}{1,50}){1,50}"),
                regex("property after property", "\\p{L}".repeat(3_000)),
                regex("a million letters", "a".repeat(1_000_000)),
                regex("classes", "[a-z]".repeat(50_000)),
                regex("bars", "a|".repeat(100_000) + "b"),
                regex("words", joined(100_000, i -> "e" + i * 7919L).replace(',', '|')),
                regex("depth", nested(10_000, "(", "a", ")")),
                regex("copies", "x{99999999999}"),
                schema("plus of plus in it", "{\"pattern\":\"(a+)+b\"}"),
                schema("count of count in it", "{\"pattern\":\"^(x{1000}){1000}$\"}"),
                schema(
                        "patterns of many keys",
                        "{\"patternProperties\":{"
                                + joined(200, i -> "\"a.*" + i + "\":{\"minimum\":" + i + "}")
                                + "}}"),
                schema(
                        "patterns at once",
                        "{\"type\":\"string\",\"allOf\":["
                                + joined(40, i -> "{\"pattern\":\"a.{" + (i + 1) + "}b\"}")
                                + "]}"));
    }

    static Stream<Named<Compiler>> sizes() {
        return Stream.of(
                schema("texts", "{\"enum\":[" + joined(100_000, i -> "\"e" + i + "\"") + "]}"),
                schema("numbers", "{\"enum\":[" + joined(100_000, i -> i * 7919L + "") + "]}"),
                schema("objects", "{\"enum\":[" + joined(100_000, i -> "{\"k\":" + i + "}") + "]}"),
                schema("arrays", "{\"enum\":[" + joined(100_000, i -> "[" + i + "]") + "]}"),
                schema(
                        "none of many texts",
                        "{\"type\":\"string\",\"not\":{\"enum\":["
                                + joined(100_000, i -> "\"e" + i + "\"")
                                + "]}}"),
                schema(
                        "properties",
                        "{\"properties\":{" + joined(100_000, i -> "\"e" + i + "\":{}") + "}}"),
                schema(
                        "required properties",
                        "{\"required\":[" + joined(20_000, i -> "\"e" + i + "\"") + "]}"),
                schema("minLength", "{\"type\":\"string\",\"minLength\":1000000000}"),
                schema(
                        "minLength and pattern",
                        "{\"type\":\"string\",\"minLength\":1000000000,\"pattern\":\"(a|b)*c\"}"),
                schema("minProperties", "{\"type\":\"object\",\"minProperties\":1000000000}"),
                schema(
                        "items that differ",
                        "{\"type\":\"array\",\"uniqueItems\":true,\"minItems\":1000000,"
                                + "\"items\":{\"type\":\"integer\"}}"),
                schema("multipleOf", "{\"type\":\"integer\",\"multipleOf\":999983}"),
                schema("a small multipleOf", "{\"multipleOf\":1e-300}"),
                schema(
                        "alternatives",
                        "{\"allOf\":["
                                + joined(
                                        40,
                                        i ->
                                                "{\"anyOf\":[{\"required\":[\"a%d\"]},{\"required\":[\"b%d\"]}]}"
                                                        .formatted(i, i))
                                + "]}"),
                schema(
                        "exactly one",
                        "{\"oneOf\":["
                                + joined(40, i -> "{\"multipleOf\":" + (i + 2) + "}")
                                + "]}"),
                schema(
                        "all contained",
                        "{\"allOf\":["
                                + joined(40, i -> "{\"contains\":{\"const\":" + i + "}}")
                                + "]}"),
                schema("garbage", "{\"type\":7}"),
                grammar(
                        "repetitions",
                        "root ::= ((((\"a\" | \"b\" root){0,1000}){0,1000}){0,1000}){0,1000}"),
                grammar("copies of a rule", "root ::= a{100000}\na ::= \"(\" a \")\" | \"x\""),
                grammar("ambiguity", "root ::= root root root | \"a\" | \"\""),
                grammar(
                        "rules that may be empty",
                        "root ::= r0\n"
                                + joined(1_000, i -> "r%d ::= (r%d)* | \"k\"".formatted(i, i + 1))
                                        .replace(',', '\n')
                                + "\nr1000 ::= \"y\"?"),
                grammar("and and not", "start: A\nA: /.*a.{30}/ & ~/.*b.{30}/ & ~/.*c.{31}/"),
                Named.of(
                        "tags",
                        () ->
                                TaggedText.compile(
                                        tags(2_000),
                                        tags(2_000).stream().map(Tag::begin).toList(),
                                        SchemaOptions.DEFAULT,
                                        VOCABULARY,
                                        LIMITS)));
    }

    private static List<Tag> tags(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> new Tag("<" + i + ">", "{}", "</>"))
                .toList();
    }

    static Stream<Named<Compiler>> depths() {
        return Stream.of(200, 10_000)
                .flatMap(depth ->
                        Stream.of(
                                schema("not", nested(depth, "{\"not\":", "{}", "}")),
                                schema("items", nested(depth, "{\"items\":", "{}", "}")),
                                schema("allOf", nested(depth, "{\"allOf\":[", "{}", "]}")),
                                schema("if", nested(depth, "{\"else\":{},\"if\":", "{}", "}")),
                                schema(
                                        "anyOf",
                                        nested(
                                                depth,
                                                "{\"anyOf\":[{\"type\":\"null\"},",
                                                "{}",
                                                "]}")),
                                schema(
                                        "oneOf",
                                        nested(
                                                depth,
                                                "{\"oneOf\":[{\"type\":\"null\"},",
                                                "{}",
                                                "]}")),
                                schema(
                                        "properties",
                                        nested(
                                                depth,
                                                "{\"required\":[\"a\"],\"properties\":{\"a\":",
                                                "{}",
                                                "}}")),
                                schema(
                                        "dependentSchemas",
                                        nested(depth, "{\"dependentSchemas\":{\"a\":", "{}", "}}")),
                                schema("const", "{\"const\":" + nested(depth, "[", "", "]") + "}"),
                                grammar("GBNF", "root ::= " + nested(depth, "(", "\"a\"", ")")),
                                grammar("Lark", "start: " + nested(depth, "(", "\"a\"", ")")),
                                grammar(
                                        "Lark's options",
                                        "start: " + nested(depth, "[", "\"a\"", "]"))));
    }

    static Stream<Named<Compiler>> references() {
        String links =
                joined(
                        200,
                        i ->
                                "\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"properties\":{\"x\":{\"$ref\":\"#/$defs/d%d\"}}}]}"
                                        .formatted(i, i + 1, i + 1));
        return Stream.of(
                schema("itself", "{\"$ref\":\"#\"}"),
                schema("itself not", "{\"not\":{\"$ref\":\"#\"}}"),
                schema("itself or itself", "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}"),
                schema("a tree of itself", "{\"items\":{\"$ref\":\"#\"},\"minItems\":2}"),
                schema(
                        "dynamic",
                        "{\"$dynamicAnchor\":\"a\",\"properties\":{\"b\":{\"$dynamicRef\":\"#a\"}}}"),
                schema(
                        "2^200 ways",
                        "{\"$ref\":\"#/$defs/d0\",\"$defs\":{" + links + ",\"d200\":{}}}"));
    }

    @ParameterizedTest
    @MethodSource({"patterns", "sizes", "depths", "references"})
    @Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void isRefusedOrServed(Compiler compiler) {
        CompiledGrammar grammar;
        try {
            grammar = compiler.compile();
        } catch (GrammarException refused) {
            assertFalse(String.valueOf(refused.getMessage()).isBlank());
            return;
        }
        Matcher matcher = grammar.matcher();
        var mask = new int[VOCABULARY.words()];
        try {
            for (int i = 0; i < NUM_TOKENS && !matcher.isEnded(); i++) {
                matcher.allowed(mask);
                int token = first(mask, i);
                assertTrue(matcher.accept(token), "token=" + token);
            }
        } catch (GrammarException limit) {
            assertEquals(Reason.LIMIT, limit.reason());
        }
        assertTrue(grammar.sizeBytes() < MAX_BYTES, "bytes=" + grammar.sizeBytes());
    }

    /** An allowed token, another one at each place. */
    private static int first(int[] mask, int place) {
        for (int i = 0; i < VOCABULARY.size(); i++) {
            int id = (place * 37 + i) % VOCABULARY.size();
            if ((mask[id >> 5] >>> id & 1) != 0) {
                return id;
            }
        }
        throw new AssertionError("a dead end");
    }

    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES)
    void manySchemasKeepTheCacheBelowItsLimit() {
        long limit = 8 << 20;
        var cache = new GrammarCache(limit);
        for (int i = 0; i < 100_000; i++) {
            String schema = "{\"properties\":{\"a\":{\"const\":" + i + "}}}";
            CompiledGrammar grammar =
                    cache.get(
                            schema,
                            () ->
                                    JsonSchema.compile(
                                            schema, SchemaOptions.DEFAULT, VOCABULARY, LIMITS));
            if (i % 100 == 0) {
                assertTrue(cache.sizeBytes() <= limit, "bytes=" + cache.sizeBytes());
                assertTrue(grammar.matcher().accept('{'));
            }
        }
        assertTrue(cache.size() > 1, "grammars=" + cache.size());
    }
}
