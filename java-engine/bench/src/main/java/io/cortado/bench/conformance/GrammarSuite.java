package io.cortado.bench.conformance;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Grammars;
import io.cortado.constrain.TokenTable;
import io.cortado.constrain.schema.JsonSchema;
import io.cortado.constrain.schema.SchemaOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * {@code conformance grammar}: grammars with texts that they must accept or reject, token by token.
 * Each text is fed twice, byte by byte and in longer tokens; both must come to the same end, and no
 * mask may disagree with what is accepted. Where a row says that the specification differs from the
 * engine it comes from, the specification is right.
 */
public final class GrammarSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final Set<String> BUILT = Set.of("regex", "ebnf", "gbnf", "json_schema");

    @Override
    public String name() {
        return "grammar";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        var all = new Tally();
        for (Path file : SuiteFiles.under(path, GrammarSuite::isSuiteFile)) {
            var tally = new Tally();
            for (JsonNode row : JsonLines.read(file, options.limit())) {
                if (row.has("accept")) {
                    judge(row, tally);
                }
            }
            Report group = tally.report(VocabFiles.plainName(file).replace(".jsonl", ""));
            group.printGroup(out, MAX_PRINTED);
            all.add(group);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static boolean isSuiteFile(Path file) {
        return VocabFiles.plainName(file).endsWith(".jsonl");
    }

    private static void judge(JsonNode row, Tally tally) {
        String kind = row.path("kind").asString("");
        int numTexts = row.path("accept").size() + row.path("reject").size();
        if (!BUILT.contains(kind)) {
            tally.refused("kind " + kind + " is not built yet", numTexts);
            return;
        }
        List<String> texts = new ArrayList<>();
        row.path("accept").forEach(text -> texts.add(text.asString()));
        row.path("reject").forEach(text -> texts.add(text.asString()));
        var vocabulary = new CaseVocabulary(texts);
        CompiledGrammar grammar;
        try {
            grammar = compiled(row, kind, vocabulary.table());
        } catch (GrammarException e) {
            boolean isEmpty = e.reason() == GrammarException.Reason.UNSATISFIABLE;
            if (isEmpty && row.path("accept").isEmpty()) {
                row.path("reject").forEach(text -> tally.right());
            } else {
                tally.refused(kind + ": " + e.getMessage(), numTexts);
            }
            return;
        }
        judge(row, "accept", grammar, vocabulary, tally);
        judge(row, "reject", grammar, vocabulary, tally);
    }

    private static CompiledGrammar compiled(JsonNode row, String kind, TokenTable vocabulary) {
        if (kind.equals("json_schema")) {
            return JsonSchema.compile(
                    row.path("schema").toString(),
                    SchemaOptions.DEFAULT,
                    vocabulary,
                    GrammarLimits.DEFAULT);
        }
        String text = row.path(kind).asString("");
        String root = row.path("root").asString("root");
        return kind.equals("regex")
                ? Grammars.regex(text, vocabulary, GrammarLimits.DEFAULT)
                : Grammars.gbnf(text, root, vocabulary, GrammarLimits.DEFAULT);
    }

    private static void judge(
            JsonNode row,
            String side,
            CompiledGrammar grammar,
            CaseVocabulary vocabulary,
            Tally tally) {
        for (int i = 0; i < row.path(side).size(); i++) {
            String text = row.path(side).path(i).asString();
            boolean expected = row.path(side + "_spec").path(i).asBoolean(side.equals("accept"));
            String name =
                    row.path("kind").asString("")
                            + " "
                            + row.path(row.path("kind").asString("")).asString("")
                            + (row.has("schema") ? row.path("schema").toString() : "")
                            + " '"
                            + text
                            + "'";
            Object byBytes = outcome(grammar, vocabulary.bytes(text));
            Object byTokens = outcome(grammar, vocabulary.longest(text));
            if (byBytes.equals(byTokens)) {
                tally.compare(name, expected, byBytes);
            } else {
                tally.wrong(name + ": by bytes " + byBytes + ", by longer tokens " + byTokens);
            }
        }
    }

    /** Whether the whole is accepted, or what went wrong on the way. */
    private static Object outcome(CompiledGrammar grammar, int[] tokens) {
        try {
            return new MaskRun(grammar).accepts(tokens);
        } catch (GrammarException e) {
            return String.valueOf(e.getMessage());
        }
    }
}
