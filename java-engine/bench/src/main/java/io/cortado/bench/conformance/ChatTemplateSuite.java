package io.cortado.bench.conformance;

import io.cortado.text.jinja.ChatTemplate;
import io.cortado.text.jinja.TemplateException;
import io.cortado.text.jinja.TemplateOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code conformance jinja} (small cases) and {@code conformance chat-templates} (whole templates).
 * Where the source and Jinja2 disagree, Jinja2's own result decides.
 */
public final class ChatTemplateSuite implements Suite {
    private static final int MAX_PRINTED = 20;
    private static final Clock CLOCK =
            Clock.fixed(
                    LocalDateTime.of(2025, 7, 10, 12, 0).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final String name;
    private final List<String> files;

    private ChatTemplateSuite(String name, List<String> files) {
        this.name = name;
        this.files = files;
    }

    public static ChatTemplateSuite jinja() {
        return new ChatTemplateSuite("jinja", List.of("jinja-cases.jsonl.gz"));
    }

    public static ChatTemplateSuite chatTemplates() {
        return new ChatTemplateSuite(
                "chat-templates", List.of("chat-cases.jsonl.gz", "templates-golden.jsonl.gz"));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        var all = new Tally();
        List<Path> paths =
                Files.isDirectory(path)
                        ? files.stream().map(path::resolve).filter(Files::exists).toList()
                        : List.of(path);
        for (Path file : paths) {
            var tally = new Tally();
            int line = 0;
            for (JsonNode row : JsonLines.read(file, options.limit())) {
                line++;
                if (row.has("golden")) {
                    golden(row, contexts(file), tally);
                } else {
                    oneCase(line, row, tally);
                }
            }
            Report group = tally.report(file.getFileName().toString().replaceAll("\\.jsonl.*", ""));
            group.printGroup(out, MAX_PRINTED);
            all.add(group);
        }
        Report report = all.report(name);
        report.printResult(out);
        return report;
    }

    private static JsonNode contexts(Path file) throws IOException {
        return JsonLines.readTree(file.resolveSibling("contexts.json")).path("contexts");
    }

    private static void oneCase(int line, JsonNode row, Tally tally) {
        String label =
                "line "
                        + line
                        + " "
                        + row.path("name").asString("")
                        + " "
                        + row.path("template").asString("").lines().findFirst().orElse("");
        TemplateOptions options =
                TemplateOptions.CHAT
                        .clock(CLOCK)
                        .blocks(
                                row.path("trim_blocks").asBoolean(true),
                                row.path("lstrip_blocks").asBoolean(true),
                                row.path("keep_trailing_newline").asBoolean(false));
        Outcome outcome =
                render(row.path("template").asString(""), variables(row.path("vars")), options);
        boolean agrees = row.path("jinja2_agrees").asBoolean(true);
        JsonNode decides = agrees ? row : row.path("jinja2");
        boolean wantsError = decides.has("err") || decides.has("error_contains");
        String expected = decides.path(agrees ? "expected" : "out").asString("");
        if (!agrees && expected.contains("<generator object") && row.has("error_contains")) {
            wantsError = true;
        }
        judge(label, wantsError, expected, outcome, tally);
    }

    private static void golden(JsonNode row, JsonNode contexts, Tally tally) {
        String source = row.path("template").asString("");
        for (Map.Entry<String, JsonNode> golden : row.path("golden").properties()) {
            Map<String, Object> variables = variables(contexts.path(golden.getKey()));
            Outcome outcome = render(source, variables, TemplateOptions.CHAT.clock(CLOCK));
            String label = row.path("path").asString("") + " " + golden.getKey();
            judge(
                    label,
                    golden.getValue().has("err"),
                    golden.getValue().path("out").asString(""),
                    outcome,
                    tally);
        }
    }

    private static void judge(
            String label, boolean wantsError, String expected, Outcome outcome, Tally tally) {
        if (!outcome.unexpected().isEmpty()) {
            tally.wrong(label + ": " + outcome.unexpected());
        } else if (wantsError == outcome.error().isEmpty()) {
            tally.wrong(
                    label
                            + (wantsError
                                    ? ": no error but " + outcome.text()
                                    : ": error " + outcome.error()));
        } else if (wantsError) {
            tally.right();
        } else {
            tally.compare(label, expected, outcome.text());
        }
    }

    private record Outcome(String text, String error, String unexpected) {}

    // A crash of the engine is a wrong case like any other, and the run goes on.
    private static Outcome render(
            String source, Map<String, Object> variables, TemplateOptions options) {
        try {
            return new Outcome(
                    ChatTemplate.compile(source, options).render(variables).text(), "", "");
        } catch (TemplateException e) {
            return new Outcome("", String.valueOf(e.getMessage()), "");
        } catch (RuntimeException e) {
            return new Outcome("", "", e + " at " + e.getStackTrace()[0]);
        }
    }

    private static Map<String, Object> variables(JsonNode node) {
        var variables = new LinkedHashMap<String, Object>();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            variables.put(entry.getKey(), MAPPER.treeToValue(entry.getValue(), Object.class));
        }
        return variables;
    }
}
