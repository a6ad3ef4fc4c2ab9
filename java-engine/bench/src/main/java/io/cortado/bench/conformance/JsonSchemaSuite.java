package io.cortado.bench.conformance;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.schema.Draft;
import io.cortado.constrain.schema.SchemaOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * {@code conformance json-schema}: the official suite. Each instance is written as Python's {@code
 * json.dumps} writes it and must be let through by the schema's masks exactly if it is valid.
 * Formats are annotations, as the specification has it, but for the optional files about formats.
 */
public final class JsonSchemaSuite implements Suite {
    private static final int MAX_PRINTED = 20;
    private static final String REMOTES = "remotes";

    /** Instances of invalid ones that were let through, and groups without a fault. */
    private static final class Counts {
        private int wrongAccepts;
        private int groups;
        private int rightGroups;
    }

    @Override
    public String name() {
        return "json-schema";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        Map<String, String> remotes = remotes(path);
        SchemaJudge judge = SchemaJudge.near(path);
        var all = new Tally();
        var required = new Counts();
        var optional = new Counts();
        for (Path file : SuiteFiles.under(path, JsonSchemaSuite::isSuiteFile)) {
            Map<String, Tally> tallies = new HashMap<>();
            List<JsonNode> rows = JsonLines.readExact(file, options.limit());
            for (JsonNode row : rows) {
                String group = row.path("draft").asString("") + " " + row.path("file").asString("");
                Tally tally = tallies.computeIfAbsent(group, key -> new Tally());
                boolean isOptional = row.path("optional").asBoolean(false);
                judge(row, remotes, judge, tally, isOptional ? optional : required);
            }
            for (var entry :
                    tallies.entrySet().stream().sorted(Map.Entry.comparingByKey()).toList()) {
                Report group = entry.getValue().report(entry.getKey());
                group.printGroup(out, MAX_PRINTED);
                all.add(group);
            }
        }
        Report report = all.report(name());
        report.printResult(out);
        print("", required, out);
        print("optional_", optional, out);
        return report;
    }

    private static void print(String prefix, Counts counts, PrintStream out) {
        out.printf("RESULT %swrong_accepts %d cases%n", prefix, counts.wrongAccepts);
        out.printf("RESULT json_schema_%sgroups %d groups%n", prefix, counts.groups);
        out.printf("RESULT json_schema_%sgroups_right %d groups%n", prefix, counts.rightGroups);
    }

    private static boolean isSuiteFile(Path file) {
        String name = VocabFiles.plainName(file);
        return name.endsWith(".jsonl") && !name.startsWith(REMOTES);
    }

    /** The documents that references lead to, beside the suite's files. */
    private static Map<String, String> remotes(Path path) throws IOException {
        Map<String, String> remotes = new HashMap<>();
        Path folder = Files.isDirectory(path) ? path : VocabSuite.folder(path);
        for (Path file :
                SuiteFiles.under(folder, f -> VocabFiles.plainName(f).startsWith(REMOTES))) {
            for (JsonNode row : JsonLines.readExact(file, Integer.MAX_VALUE)) {
                remotes.put(row.path("uri").asString(""), row.path("schema").toString());
            }
        }
        return remotes;
    }

    private static void judge(
            JsonNode row,
            Map<String, String> remotes,
            SchemaJudge judge,
            Tally tally,
            Counts counts) {
        counts.groups++;
        String name = row.path("file").asString("") + ": " + row.path("description").asString("");
        JsonNode tests = row.path("tests");
        try {
            judge.use(row.path("schema").toString(), options(row, remotes));
        } catch (GrammarException e) {
            tally.refused(name + ": " + e.reason() + " " + e.getMessage(), tests.size());
            return;
        }
        int before = tally.wrongs();
        for (JsonNode test : tests) {
            boolean isValid = test.path("valid").asBoolean(false);
            String text = PythonJson.dumps(test.path("data"));
            SchemaJudge.Verdict verdict = judge.verdict(text);
            SchemaJudge.Verdict expected =
                    isValid ? SchemaJudge.Verdict.ACCEPTED : SchemaJudge.Verdict.REJECTED;
            if (!isValid && verdict == SchemaJudge.Verdict.ACCEPTED) {
                counts.wrongAccepts++;
            }
            tally.compare(
                    name
                            + ": "
                            + test.path("description").asString("")
                            + " "
                            + text
                            + judge.reason(),
                    expected,
                    verdict);
        }
        if (tally.wrongs() == before) {
            counts.rightGroups++;
        }
    }

    private static SchemaOptions options(JsonNode row, Map<String, String> remotes) {
        boolean isAboutFormats = row.path("file").asString("").startsWith("optional/format/");
        return SchemaOptions.DEFAULT
                .withDraft(draft(row.path("draft").asString("")))
                .withDocuments(remotes)
                .withFormats(
                        isAboutFormats
                                ? SchemaOptions.Formats.ENFORCED
                                : SchemaOptions.Formats.ANNOTATIONS);
    }

    /** By the name of the suite's folder, like {@code draft2020-12} or {@code draft7}. */
    private static Draft draft(String name) {
        String plain = name.toUpperCase(Locale.ROOT).replace("DRAFT", "DRAFT_").replace('-', '_');
        for (Draft draft : Draft.values()) {
            if (draft.name().equals(plain)) {
                return draft;
            }
        }
        return Draft.DRAFT_2020_12;
    }
}
