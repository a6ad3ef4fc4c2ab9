package io.cortado.server.cli;

import io.cortado.api.Constraint;
import io.cortado.server.StructuralTagText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags that say what an output has to be; at most one. */
final class ConstraintFlags {
    @Option(
            names = "--json-schema",
            paramLabel = "FILE|TEXT",
            description =
                    "the output is a JSON value of this schema; a text begins with {, all else"
                            + " names a file")
    @Nullable String jsonSchema;

    @Option(names = "--json-object", description = "the output is a JSON object")
    boolean jsonObject;

    @Option(names = "--regex", paramLabel = "REGEX", description = "the output matches as a whole")
    @Nullable String regex;

    @Option(
            names = "--choice",
            paramLabel = "TEXT",
            description = "the output is one of these; may be repeated")
    List<String> choices = List.of();

    @Option(
            names = "--grammar",
            paramLabel = "FILE|TEXT",
            description =
                    "the output is of this grammar, in llama.cpp's GBNF or Lark's syntax; a text"
                            + " has a colon, all else names a file")
    @Nullable String grammar;

    @Option(
            names = "--structural-tag",
            paramLabel = "FILE|JSON",
            description =
                    "free text with tags that hold JSON, as structural_tag of the server's"
                            + " structured_outputs; JSON begins with {, all else names a file")
    @Nullable String structuralTag;

    /** Null: the output may be anything. */
    @Nullable Constraint constraint() {
        List<Constraint> given = new ArrayList<>();
        if (jsonSchema != null) {
            boolean isText = jsonSchema.stripLeading().startsWith("{");
            given.add(
                    new Constraint.JsonSchema(
                            isText ? jsonSchema : file("--json-schema", jsonSchema)));
        }
        if (jsonObject) {
            given.add(new Constraint.JsonObject());
        }
        if (regex != null) {
            given.add(new Constraint.Regex(regex));
        }
        if (!choices.isEmpty()) {
            given.add(new Constraint.Choice(choices));
        }
        if (grammar != null) {
            boolean isText = grammar.contains(":");
            given.add(new Constraint.Grammar(isText ? grammar : file("--grammar", grammar)));
        }
        if (structuralTag != null) {
            boolean isText = structuralTag.stripLeading().startsWith("{");
            given.add(
                    StructuralTagText.read(
                            isText ? structuralTag : file("--structural-tag", structuralTag)));
        }
        if (given.size() > 1) {
            throw new IllegalArgumentException(
                    "give at most one of --json-schema, --json-object, --regex, --choice,"
                            + " --grammar and --structural-tag");
        }
        return given.isEmpty() ? null : given.getFirst();
    }

    private static String file(String flag, String name) {
        try {
            return Files.readString(Path.of(name));
        } catch (IOException e) {
            throw new IllegalArgumentException(flag + ": cannot read " + name + ": " + e, e);
        }
    }
}
