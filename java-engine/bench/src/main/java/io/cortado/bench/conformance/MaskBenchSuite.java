package io.cortado.bench.conformance;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.schema.SchemaOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/**
 * {@code conformance maskbench}: real schemas with texts, token by token. A schema is a case: right
 * if each of its texts is let through exactly where it is valid, and no mask disagrees with what is
 * accepted.
 */
public final class MaskBenchSuite implements Suite {
    private static final int MAX_PRINTED = 40;

    private int schemas;
    private int wrongAccepts;
    private int wrongRefusals;
    private int disagreements;
    private final Map<String, Integer> reasons = new TreeMap<>();

    @Override
    public String name() {
        return "maskbench";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        schemas = 0;
        wrongAccepts = 0;
        wrongRefusals = 0;
        disagreements = 0;
        reasons.clear();
        SchemaJudge judge = SchemaJudge.near(path);
        var all = new Tally();
        for (Path file : SuiteFiles.under(path, MaskBenchSuite::isSuiteFile)) {
            var tally = new Tally();
            for (JsonNode row : JsonLines.readExact(file, options.limit())) {
                judge(row, judge, tally);
            }
            Report group = tally.report(VocabFiles.plainName(file).replace(".jsonl", ""));
            group.printGroup(out, MAX_PRINTED);
            all.add(group);
        }
        reasons.forEach((reason, count) -> out.printf("%6d refused: %s%n", count, reason));
        Report report = all.report(name());
        report.printResult(out);
        out.printf("RESULT wrong_accepts %d schemas%n", wrongAccepts);
        out.printf("RESULT maskbench_wrong_refusals %d schemas%n", wrongRefusals);
        out.printf("RESULT maskbench_mask_disagreements %d schemas%n", disagreements);
        out.printf(
                Locale.ROOT,
                "RESULT maskbench_all_right_share %.5f ratio%n",
                schemas == 0 ? 0 : (double) report.right() / schemas);
        return report;
    }

    /** Of all files under {@code path}, each up to so many. */
    static List<JsonNode> schemas(Path path, int limit) throws IOException {
        List<JsonNode> schemas = new ArrayList<>();
        for (Path file : SuiteFiles.under(path, MaskBenchSuite::isSuiteFile)) {
            schemas.addAll(JsonLines.readExact(file, limit));
        }
        return schemas;
    }

    private static boolean isSuiteFile(Path file) {
        return VocabFiles.plainName(file).endsWith(".jsonl");
    }

    private void judge(JsonNode row, SchemaJudge judge, Tally tally) {
        schemas++;
        String id = row.path("id").asString("");
        try {
            judge.use(row.path("schema").toString(), SchemaOptions.DEFAULT);
        } catch (GrammarException e) {
            String message = e.getMessage() == null ? "" : e.getMessage();
            tally.refused(id + ": " + e.reason() + " " + message);
            int at = message.indexOf(" at /");
            reasons.merge(at < 0 ? message : message.substring(0, at), 1, Integer::sum);
            return;
        }
        String failure = "";
        boolean letThrough = false;
        boolean heldBack = false;
        for (JsonNode test : row.path("tests")) {
            boolean isValid = test.path("valid").asBoolean(false);
            String text = test.path("text").asString("");
            SchemaJudge.Verdict verdict = judge.verdict(text);
            boolean isAccepted = verdict == SchemaJudge.Verdict.ACCEPTED;
            if (verdict == SchemaJudge.Verdict.DISAGREED) {
                disagreements++;
            }
            if (isAccepted != isValid || verdict == SchemaJudge.Verdict.DISAGREED) {
                letThrough |= isAccepted;
                heldBack |= isValid;
                failure +=
                        (isValid ? " valid " : " invalid ")
                                + verdict
                                + " "
                                + judge.reason()
                                + clip(text);
            }
        }
        wrongAccepts += letThrough ? 1 : 0;
        wrongRefusals += heldBack ? 1 : 0;
        if (failure.isEmpty()) {
            tally.right();
        } else {
            tally.wrong(id + failure);
        }
    }

    private static String clip(String text) {
        return text.length() < 200 ? text : text.substring(0, 200) + "...";
    }
}
