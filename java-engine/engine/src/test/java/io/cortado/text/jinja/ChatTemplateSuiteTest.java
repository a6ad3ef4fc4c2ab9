package io.cortado.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cortado.text.Segment;
import io.cortado.text.Suites;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The shared cases; where their source and Jinja2 disagree, Jinja2's own result decides. */
class ChatTemplateSuiteTest {
    private static final TemplateOptions OPTIONS =
            TemplateOptions.CHAT.clock(
                    Clock.fixed(Instant.parse("2025-07-10T12:00:00Z"), ZoneOffset.UTC));

    @Test
    void jinjaCasesAgreeWithJinja2() throws IOException {
        for (JsonNode row :
                Suites.rows(Suites.shared("suites/chat-templates/jinja-cases.jsonl.gz"))) {
            runCase(row);
        }
    }

    @Test
    void chatCasesAgreeWithJinja2() throws IOException {
        for (JsonNode row :
                Suites.rows(Suites.shared("suites/chat-templates/chat-cases.jsonl.gz"))) {
            runCase(row);
        }
    }

    @Test
    void templatesOfRealModelsAgreeWithJinja2() throws IOException {
        Path file = Suites.shared("suites/chat-templates/templates-golden.jsonl.gz");
        JsonNode contexts = Suites.tree(file.resolveSibling("contexts.json")).path("contexts");
        for (JsonNode row : Suites.rows(file)) {
            for (Map.Entry<String, JsonNode> golden : row.path("golden").properties()) {
                String label = row.path("path").asString("") + " " + golden.getKey();
                check(
                        label,
                        row.path("template").asString(""),
                        contexts.path(golden.getKey()),
                        OPTIONS,
                        golden.getValue());
            }
        }
    }

    private static void runCase(JsonNode row) {
        TemplateOptions options =
                OPTIONS.blocks(
                        row.path("trim_blocks").asBoolean(true),
                        row.path("lstrip_blocks").asBoolean(true),
                        row.path("keep_trailing_newline").asBoolean(false));
        boolean agrees = row.path("jinja2_agrees").asBoolean(true);
        // Jinja2 prints a generator's address there.
        boolean isGenerator = row.path("jinja2").path("out").asString("").contains("<generator");
        check(
                row.toString(),
                row.path("template").asString(""),
                row.path("vars"),
                options,
                agrees || isGenerator ? row : row.path("jinja2"));
    }

    private static void check(
            String label,
            String source,
            JsonNode vars,
            TemplateOptions options,
            JsonNode expected) {
        var variables = new LinkedHashMap<String, Object>();
        vars.properties()
                .forEach(entry -> variables.put(entry.getKey(), Suites.value(entry.getValue())));
        if (expected.has("err") || expected.has("error_contains")) {
            assertThrows(
                    TemplateException.class,
                    () -> ChatTemplate.compile(source, options).render(variables),
                    label);
            return;
        }
        Rendered rendered = ChatTemplate.compile(source, options).render(variables);
        String text =
                expected.has("out")
                        ? expected.path("out").asString("")
                        : expected.path("expected").asString("");
        assertEquals(text, rendered.text(), label);
        assertEquals(
                text,
                rendered.segments().stream().map(Segment::text).collect(Collectors.joining()),
                label);
    }
}
