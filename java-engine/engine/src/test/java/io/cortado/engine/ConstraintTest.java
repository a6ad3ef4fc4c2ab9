package io.cortado.engine;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.JsonStyle;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenRules;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Outputs under constraints through the whole engine, on the demo models. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ConstraintTest {
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
    private static final String PERSON =
            """
            {"type":"object","additionalProperties":false,"required":["name","age","tags"],
             "properties":{
               "name":{"type":"string","minLength":1,"maxLength":8},
               "age":{"type":"integer","minimum":0,"maximum":120},
               "tags":{"type":"array","items":{"enum":["a","bc","déf"]},"maxItems":3},
               "email":{"type":"string","pattern":"^[a-z]{1,5}@[a-z]{1,5}$"}}}
            """;

    /** A constraint and what each whole output of it has to be. */
    private record Case(Constraint constraint, Predicate<String> isRight) {}

    private static final List<Case> CASES =
            List.of(
                    schema(PERSON, ConstraintTest::isPerson),
                    schema(
                            "{\"type\":\"array\",\"minItems\":2,\"maxItems\":4,\"items\":{\"type\":"
                                    + "\"number\",\"multipleOf\":0.5,\"minimum\":-3,\"maximum\":3}}",
                            ConstraintTest::isListOfHalves),
                    schema(
                            "{\"anyOf\":[{\"const\":null},{\"type\":\"boolean\"}]}",
                            node -> node.isNull() || node.isBoolean()),
                    regex("(19|20)[0-9]{2}-(0[1-9]|1[0-2])"),
                    regex("[a-f]{2,6}( [äöü€]{1,3}){0,2}!"),
                    choice("yes", "no", "maybe so", "yes, but"),
                    new Case(
                            new Constraint.Grammar(
                                    "root ::= sum\nsum ::= digit (\"+\" digit){1,3}\n"
                                            + "digit ::= [0-9]"),
                            text -> text.matches("[0-9](\\+[0-9]){1,3}")),
                    new Case(
                            new Constraint.Grammar("start: \"<\" WORD \">\"\nWORD: /[a-z]{1,4}/"),
                            text -> text.matches("<[a-z]{1,4}>")));

    @TempDir Path folder;

    private static Case schema(String schema, Predicate<JsonNode> isRight) {
        return new Case(
                new Constraint.JsonSchema(schema), text -> isRight.test(JSON.readTree(text)));
    }

    private static Case regex(String pattern) {
        return new Case(new Constraint.Regex(pattern), Pattern.compile(pattern).asMatchPredicate());
    }

    private static Case choice(String... texts) {
        List<String> all = List.of(texts);
        return new Case(new Constraint.Choice(all), all::contains);
    }

    private static boolean isPerson(JsonNode node) {
        Set<String> keys = Set.copyOf(node.propertyNames());
        String name = node.get("name").stringValue();
        double age = node.get("age").doubleValue(); // 8.00 is an integer of JSON Schema
        boolean tagsAreRight =
                node.get("tags").size() <= 3
                        && node.get("tags")
                                .valueStream()
                                .allMatch(
                                        tag -> List.of("a", "bc", "déf").contains(tag.asString()));
        return Set.of("name", "age", "tags", "email").containsAll(keys)
                && name.codePointCount(0, name.length()) >= 1
                && name.codePointCount(0, name.length()) <= 8
                && age == Math.rint(age)
                && age >= 0
                && age <= 120
                && tagsAreRight
                && node.path("email").asString("a@b").matches("[a-z]{1,5}@[a-z]{1,5}");
    }

    private static boolean isListOfHalves(JsonNode node) {
        return node.isArray()
                && node.size() >= 2
                && node.size() <= 4
                && node.valueStream()
                        .mapToDouble(JsonNode::doubleValue)
                        .allMatch(x -> 2 * x == Math.rint(2 * x) && Math.abs(x) <= 3);
    }

    private static SamplingParams params(Constraint constraint, long seed) {
        return SamplingParams.builder()
                .temperature(1.5f)
                .seed(seed)
                .maxTokens(300)
                .constraint(constraint)
                .build();
    }

    private static GenerationRequest request(int place, SamplingParams params) {
        return new GenerationRequest(Prompt.text("Once upon a time " + place), params);
    }

    /** All cases at once, several answers each. */
    private static List<GenerationRequest> requests() {
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 3 * CASES.size(); i++) {
            Constraint constraint = CASES.get(i % CASES.size()).constraint();
            requests.add(request(i, params(constraint, i).toBuilder().n(1 + i % 3).build()));
        }
        return requests;
    }

    private static List<Answers> together(Engine engine, List<GenerationRequest> requests)
            throws InterruptedException {
        List<GenerationStream> streams = new ArrayList<>();
        for (GenerationRequest request : requests) {
            streams.add(engine.generate(request));
        }
        List<Answers> answers = new ArrayList<>();
        for (GenerationStream stream : streams) {
            answers.add(Answers.read(stream));
        }
        return answers;
    }

    private static List<List<Integer>> ids(List<Answers> answers) {
        List<List<Integer>> ids = new ArrayList<>();
        for (Answers each : answers) {
            assertNull(each.failure);
            each.answers.forEach(answer -> ids.add(answer.ids));
        }
        return ids;
    }

    @ParameterizedTest
    @EnumSource
    void everyOutputIsOfItsConstraint(DemoEngine.Model model) throws Exception {
        try (Engine engine = model.open(DemoEngine.options())) {
            List<Answers> answers = together(engine, requests());
            for (int i = 0; i < answers.size(); i++) {
                Case asked = CASES.get(i % CASES.size());
                assertNull(answers.get(i).failure, () -> asked.constraint().toString());
                assertEquals(1 + i % 3, answers.get(i).answers.size());
                for (Answers.Answer answer : answers.get(i).answers) {
                    String what = asked.constraint() + " gave " + answer.text();
                    assertInstanceOf(FinishReason.EndToken.class, answer.reason, what);
                    assertTrue(asked.isRight().test(answer.text()), what);
                }
            }
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    @Test
    void aLimitLeavesABeginningAndAnObjectIsOne() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams params = params(new Constraint.JsonObject(), 3);
            Answers.Answer cut =
                    together(engine, List.of(request(0, params.toBuilder().maxTokens(3).build())))
                            .getFirst()
                            .answers
                            .getFirst();
            assertEquals("length", requireNonNull(cut.reason).apiName());
            assertTrue(cut.text().startsWith("{"), cut.text());
            assertEquals(3, cut.ids.size());
        }
    }

    /** The style is part of what is compiled: equal schemas of two styles are two grammars. */
    @Test
    void jsonIsWrittenInItsStyle() throws Exception {
        String schema = "{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"]}";
        JsonStyle tight =
                JsonStyle.DEFAULT.whitespace(JsonStyle.Whitespace.NONE).closedObjects(true);
        var object = new Constraint.JsonSchema(schema.replaceFirst("\\{", "{\"type\":\"object\","));
        var tightObject = new Constraint.JsonSchema(object.schema(), tight);
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams params = params(tightObject, 5).toBuilder().n(8).build();
            List<Answers> answers =
                    together(
                            engine,
                            List.of(
                                    request(0, params),
                                    request(0, params.toBuilder().constraint(object).build())));
            assertNull(answers.getFirst().failure);
            for (Answers.Answer each : answers.getFirst().answers) {
                assertTrue(each.text().matches("\\{\"a\":1[.0eE+-]*\\}"), each.text());
            }
            assertTrue(
                    answers.getLast().answers.stream().anyMatch(each -> each.text().contains(" ")));
        }
    }

    /** Free text has no end of its own: the last tag may be cut. */
    @Test
    void freeTextHoldsTags() throws Exception {
        Constraint tags =
                new Constraint.StructuralTags(
                        List.of(
                                new Structure("e=", "{\"enum\":[\"x\",\"yz\"]}", ";"),
                                new Structure("t=", "{\"type\":\"null\"}", ";")),
                        List.of("e", "t"));
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams params = params(tags, 5).toBuilder().n(4).maxTokens(100).build();
            Answers answers = together(engine, List.of(request(0, params))).getFirst();
            assertNull(answers.failure);
            for (Answers.Answer answer : answers.answers) {
                String free = answer.text().replaceAll("e=\"(x|yz)\";|t=null;", "#");
                assertTrue(free.contains("#"), free);
                assertTrue(free.matches("[^et]*([et][=\"a-z]{0,6})?"), free);
            }
        }
    }

    /** Preemption, one thread, a full batch and a warm cache change nothing. */
    @ParameterizedTest
    @EnumSource
    void theTokensDependOnNothingElse(DemoEngine.Model model) throws Exception {
        List<List<Integer>> expected;
        try (Engine engine = model.open(DemoEngine.options())) {
            List<Answers> answers = new ArrayList<>();
            for (GenerationRequest request : requests()) {
                answers.addAll(together(engine, List.of(request)));
            }
            expected = ids(answers);
            assertEquals(expected, ids(together(engine, requests())), "together, cached");
        }
        var tight =
                DemoEngine.options()
                        .maxModelLen(96)
                        .prefixCaching(false)
                        .kvCacheBytes(12 * model.blockBytes(Float.BYTES));
        List<GenerationRequest> shorter =
                requests().stream()
                        .map(request ->
                                request.params(request.params().toBuilder().maxTokens(60).build()))
                        .toList();
        try (Engine engine = model.open(DemoEngine.options())) {
            expected = ids(together(engine, shorter));
        }
        try (Engine engine = model.open(tight)) {
            assertEquals(expected, ids(together(engine, shorter)), "preempted");
            assertTrue(engine.stats().preemptions() > 0, () -> "" + engine.stats());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
    }

    /** Those without a constraint run a step ahead as before, and draw what they draw alone. */
    @Test
    void aNeighbourChangesNothing() throws Exception {
        List<GenerationRequest> free = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            SamplingParams params =
                    params(new Constraint.JsonObject(), i).toBuilder()
                            .constraint(null)
                            .maxTokens(24)
                            .ignoreEos(true)
                            .build();
            free.add(request(i, params));
        }
        List<GenerationRequest> mixed = new ArrayList<>();
        for (int i = 0; i < free.size(); i++) {
            mixed.add(free.get(i));
            mixed.add(requests().get(i));
        }
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            List<List<Integer>> alone = ids(together(engine, free));
            List<Answers> all = together(engine, mixed);
            List<Answers> ofFree = new ArrayList<>();
            for (int i = 0; i < all.size(); i += 2) {
                ofFree.add(all.get(i));
            }
            assertEquals(alone, ids(ofFree));
        }
    }

    @Test
    void refusesWhatItCannotEnforceAndSaysWhere() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            assertRefused(
                    engine,
                    new Constraint.JsonSchema("{\"properties\":{\"a\":{\"type\":7}}}"),
                    "/properties/a/type");
            assertRefused(engine, new Constraint.JsonSchema("{"), "must be JSON");
            assertRefused(engine, new Constraint.JsonSchema("false"), "no value satisfies");
            assertRefused(engine, new Constraint.Regex("a(b"), "offset");
            assertRefused(engine, new Constraint.Regex("(?=a)b"), "look-ahead");
            assertRefused(engine, new Constraint.Grammar("root ::= nobody"), "nobody");
            assertRefused(engine, new Constraint.JsonSchema("[".repeat(100_000)), "");
            SamplingParams params = params(new Constraint.Regex("a"), 0);
            for (var wrong :
                    List.of(
                            params.toBuilder().minTokens(2).build(),
                            params.toBuilder().ignoreEos(true).build())) {
                EngineException e =
                        assertThrows(
                                EngineException.class, () -> engine.generate(request(0, wrong)));
                assertEquals(EngineException.Code.INVALID_REQUEST, e.code());
            }
        }
        EngineException e =
                assertThrows(EngineException.class, () -> new Constraint.Choice(List.of()));
        assertEquals(Constraint.PARAM, e.param());
    }

    private static void assertRefused(Engine engine, Constraint wrong, String where) {
        EngineException e =
                assertThrows(
                        EngineException.class,
                        () -> engine.generate(request(0, params(wrong, 0))).close());
        assertEquals(EngineException.Code.INVALID_REQUEST, e.code());
        assertEquals(Constraint.PARAM, e.param());
        assertTrue(String.valueOf(e.getMessage()).contains(where), e.getMessage());
    }

    @Test
    void aModelWithoutTextTakesNone() throws Exception {
        try (Engine engine = Engine.open(TinyModel.in(folder), TinyModel.options("cpu"))) {
            var asked =
                    new GenerationRequest(
                            Prompt.tokens(1, 2),
                            params(new Constraint.Regex("a"), 0).toBuilder().maxTokens(4).build());
            EngineException e =
                    assertThrows(EngineException.class, () -> engine.generate(asked).close());
            assertEquals(Constraint.PARAM, e.param());
            assertTrue(String.valueOf(e.getMessage()).contains("tokenizer"), e.getMessage());
        }
    }

    /** What other rules leave nothing of ends the request, and no other. */
    @Test
    void anOutputThatCannotGoOnFailsAlone() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            int[] ofDigits = engine.tokenize(new Prompt.Text("7", false));
            List<Integer> onlyDigits = new ArrayList<>();
            for (int id : ofDigits) {
                onlyDigits.add(id);
            }
            SamplingParams impossible =
                    params(new Constraint.Regex("[a-z]{4}"), 1).toBuilder()
                            .tokens(TokenRules.NONE.allowedTokenIds(onlyDigits))
                            .build();
            SamplingParams good = params(new Constraint.Choice(List.of("yes", "no")), 1);
            List<Answers> answers =
                    together(engine, List.of(request(0, impossible), request(1, good)));
            assertEquals(
                    EngineException.Code.INVALID_REQUEST,
                    requireNonNull(answers.getFirst().failure).code());
            assertNull(answers.getLast().failure);
            assertTrue(List.of("yes", "no").contains(answers.getLast().answers.getFirst().text()));
        }
    }

    @Test
    void endsWhereItsReaderLeaves() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            SamplingParams endless = params(new Constraint.Regex("a{200,}"), 1);
            try (GenerationStream stream = engine.generate(request(0, endless))) {
                GenerationEvent event = stream.next();
                while (!(event instanceof GenerationEvent.Delta)) {
                    event = requireNonNull(stream.next());
                }
            }
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
            assertEquals(0, engine.stats().running());
        }
    }
}
