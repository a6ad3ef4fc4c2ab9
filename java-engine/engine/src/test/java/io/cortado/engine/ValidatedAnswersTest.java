package io.cortado.engine;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaException;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a hot demo model answers under a constraint, judged by those who know nothing of ours:
 * networknt's validator with the formats asserted, and {@code java.util.regex}. The long run over a
 * suite is asked for by {@code -Dcortado.validate.suite=FOLDER}, a folder of MaskBench's files.
 */
@Timeout(value = 1800, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ValidatedAnswersTest {
    private static final List<String> SCHEMAS =
            List.of(
                    """
                    {"type":"object","properties":{"a":{"type":"integer","minimum":-5,"maximum":50},
                     "b":{"type":"boolean"}},"required":["a"],"additionalProperties":false}\
                    """,
                    """
                    {"type":"array","items":{"type":"number","multipleOf":0.25,"minimum":0,
                     "exclusiveMaximum":3},"minItems":1,"maxItems":4,"uniqueItems":true}\
                    """,
                    """
                    {"oneOf":[{"type":"integer","multipleOf":2,"minimum":0,"maximum":40},
                     {"type":"integer","multipleOf":3,"minimum":0,"maximum":40}]}\
                    """,
                    """
                    {"type":"object","properties":{"kind":{"enum":["x","y"]}},"required":["kind"],
                     "if":{"properties":{"kind":{"const":"x"}}},
                     "then":{"properties":{"n":{"type":"null"}},"required":["n"]},
                     "else":{"properties":{"m":{"const":[1,"é"]}},"required":["m"]},
                     "unevaluatedProperties":false}\
                    """,
                    """
                    {"type":"string","pattern":"^[A-Z][a-z]{1,6}( [a-z]+)?$","maxLength":12}\
                    """,
                    """
                    {"type":"object","patternProperties":{"^a":{"type":"null"},"b$":{"const":7}},
                     "propertyNames":{"enum":["a","a2","b","cb"]},"additionalProperties":false,
                     "minProperties":1,"maxProperties":3}\
                    """,
                    """
                    {"type":"array","prefixItems":[{"type":"boolean"}],"items":{"enum":[1,2,3]},
                     "contains":{"const":2},"minContains":1,"maxContains":2,"maxItems":5}\
                    """,
                    """
                    {"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{
                     "v":{"type":"integer","minimum":0,"maximum":9},"kids":{"type":"array",
                     "items":{"$ref":"#/$defs/tree"},"maxItems":1}},"required":["v"],
                     "additionalProperties":false}}}\
                    """,
                    """
                    {"not":{"type":["object","array","string"]},"type":["null","boolean","integer",
                     "object"],"maximum":999,"minimum":-999}\
                    """,
                    """
                    {"type":"object","properties":{"day":{"type":"string","format":"date"},
                     "id":{"type":"string","format":"uuid"},"ip":{"type":"string","format":"ipv4"}},
                     "required":["day","id","ip"],"additionalProperties":false,
                     "dependentRequired":{"day":["id"]}}\
                    """);
    private static final List<String> PATTERNS =
            List.of(
                    "(19|20)[0-9]{2}-(0[1-9]|1[0-2])",
                    "[a-f]{2,6}( [äöü€]{1,3}){0,2}!",
                    "\\d{1,3}(\\.\\d{1,3}){3}",
                    "(a|b)*abb?",
                    "[^x-z\\s]{3,9}",
                    "(yes|no|maybe( so)?)[.!?]",
                    "#[0-9A-Fa-f]{6}",
                    "\\w{1,8}@\\w{1,8}\\.(com|org)",
                    "(?:[A-Z][a-z]{0,5} ){1,3}end",
                    "-?(0|[1-9][0-9]{0,5})([.][0-9]{1,3})?");

    private static final int ANSWERS = 5;

    /** Of the long run: what issue 8 asks for. */
    private static final int SUITE_SCHEMAS = 50;

    private static final int SUITE_ANSWERS = 10;

    /** A schema that names none is of this draft, as with us. */
    private static final SchemaRegistry REGISTRY =
            SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);

    private static List<String> answers(
            Engine engine, Constraint constraint, int count, int maxTokens, long seed)
            throws InterruptedException {
        SamplingParams params =
                SamplingParams.builder()
                        .temperature(1.5f)
                        .seed(seed)
                        .n(count)
                        .maxTokens(maxTokens)
                        .constraint(constraint)
                        .build();
        Answers all =
                Answers.read(
                        engine.generate(
                                new GenerationRequest(Prompt.text("Once upon a time"), params)));
        if (all.failure != null) {
            throw all.failure;
        }
        List<String> whole = new ArrayList<>();
        for (Answers.Answer each : all.answers) {
            if (each.reason instanceof FinishReason.EndToken) {
                whole.add(each.text());
            }
        }
        return whole;
    }

    /** What is wrong; empty where nothing is. */
    private static String errors(Schema schema, String answer) {
        var errors =
                schema.validate(
                        answer,
                        InputFormat.JSON,
                        context ->
                                context.executionConfig(
                                        config -> config.formatAssertionsEnabled(true)));
        return errors.isEmpty() ? "" : errors + " in " + answer;
    }

    private static Schema schema(String text) {
        return REGISTRY.getSchema(JsonMapper.shared().readTree(text));
    }

    @Test
    void everyAnswerIsValid() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            for (String text : SCHEMAS) {
                Schema schema = schema(text);
                List<String> answers =
                        answers(engine, new Constraint.JsonSchema(text), ANSWERS, 400, 8);
                assertEquals(ANSWERS, answers.size(), text);
                for (String answer : answers) {
                    assertEquals("", errors(schema, answer), text);
                }
            }
        }
    }

    @Test
    void everyAnswerMatches() throws Exception {
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            for (String text : PATTERNS) {
                Pattern pattern = Pattern.compile(text);
                List<String> answers =
                        answers(engine, new Constraint.Regex(text), 10 * ANSWERS, 200, 9);
                assertTrue(answers.size() > 5 * ANSWERS, text + " " + answers.size());
                for (String answer : answers) {
                    assertTrue(pattern.matcher(answer).matches(), () -> text + " gave " + answer);
                }
            }
        }
    }

    /** Every so manieth schema of a file. */
    private static List<String> some(Path file, int count) throws IOException {
        List<String> lines;
        try (var reader =
                new BufferedReader(
                        new InputStreamReader(
                                new GZIPInputStream(Files.newInputStream(file)),
                                StandardCharsets.UTF_8))) {
            lines = reader.lines().toList();
        }
        List<String> schemas = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String line = lines.get((int) ((long) i * lines.size() / count));
            schemas.add(JsonMapper.shared().readTree(line).get("schema").toString());
        }
        return schemas;
    }

    @Test
    @EnabledIfSystemProperty(named = "cortado.validate.suite", matches = ".+")
    void everyAnswerOfASuiteIsValid() throws Exception {
        Path suite = Path.of(requireNonNull(System.getProperty("cortado.validate.suite")));
        List<List<String>> files = new ArrayList<>();
        try (var paths = Files.list(suite)) {
            for (Path file : paths.filter(f -> f.toString().endsWith(".gz")).sorted().toList()) {
                files.add(some(file, 2 * SUITE_SCHEMAS));
            }
        }
        int refused = 0;
        int cut = 0;
        int unread = 0;
        int judged = 0;
        List<String> wrong = new ArrayList<>();
        try (Engine engine = DemoEngine.open(DemoEngine.options())) {
            for (int i = 0; i < 2 * SUITE_SCHEMAS * files.size() && judged < SUITE_SCHEMAS; i++) {
                String text = files.get(i % files.size()).get(i / files.size());
                List<String> answers;
                try {
                    var constraint = new Constraint.JsonSchema(text);
                    answers = answers(engine, constraint, 2 * SUITE_ANSWERS, 400, i);
                } catch (EngineException e) {
                    System.out.println("refused: " + e.getMessage());
                    refused++;
                    continue;
                }
                if (answers.size() < SUITE_ANSWERS) {
                    cut++;
                    continue;
                }
                Schema schema;
                try {
                    schema = schema(text);
                } catch (SchemaException e) {
                    System.out.println("the validator does not take it: " + e.getMessage());
                    unread++;
                    continue;
                }
                judged++;
                for (String answer : answers.subList(0, SUITE_ANSWERS)) {
                    String errors = errors(schema, answer);
                    if (!errors.isEmpty()) {
                        wrong.add(errors + " by " + text);
                    }
                }
            }
        }
        System.out.printf(
                "%d schemas, %d answers: %d wrong; %d schemas refused, %d not taken by the"
                        + " validator, %d with fewer than %d of %d answers whole%n",
                judged,
                judged * SUITE_ANSWERS,
                wrong.size(),
                refused,
                unread,
                cut,
                SUITE_ANSWERS,
                2 * SUITE_ANSWERS);
        assertEquals(List.of(), wrong);
        assertEquals(SUITE_SCHEMAS, judged);
    }
}
