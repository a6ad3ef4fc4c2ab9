package io.cortado.bench.conformance;

import io.cortado.model.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/**
 * Files of a {@code bad.json}: the valid ones must be read, the others refused in time by an error
 * that names what is wrong. Where the suite says that readers differ, either will do.
 */
final class BadFiles {
    private static final double LIMIT_MS = 100;

    /** Identifiers in a row's explanation: the error must name one of them. */
    private static final Pattern FIELD =
            Pattern.compile("(?:__|\\b[a-z])\\w*(?:[._]\\w+)*[._]\\w+");

    private BadFiles() {}

    /**
     * @param only the one file to judge, or empty
     * @param reader opens and closes a file
     */
    static void run(Path facts, String only, int limit, Consumer<Path> reader, Tally tally)
            throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        JsonLines.readTree(facts).forEach(rows::add);
        // Classes are loaded before any file is timed.
        for (JsonNode row : rows) {
            attempt(file(facts, row), reader);
        }
        int judged = 0;
        for (JsonNode row : rows) {
            String name = row.path("file").asString("");
            if (judged < limit && (only.isEmpty() || only.equals(name))) {
                judged++;
                judge(file(facts, row), row, reader, tally);
            }
        }
    }

    private static Path file(Path facts, JsonNode row) {
        return facts.resolveSibling(row.path("file").asString(""));
    }

    /** The refusal, or empty. Every other exception is a crash and stays one. */
    private static String attempt(Path file, Consumer<Path> reader) {
        try {
            reader.accept(file);
            return "";
        } catch (ModelException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private static void judge(Path file, JsonNode row, Consumer<Path> reader, Tally tally) {
        String name = file.getFileName().toString();
        long start = System.nanoTime();
        String refusal;
        try {
            refusal = attempt(file, reader);
        } catch (RuntimeException | Error e) {
            tally.wrong(name + ": " + e);
            return;
        }
        double ms = (System.nanoTime() - start) / 1e6;
        boolean isValid = row.path("valid").booleanValue();
        boolean isFree = row.has("strictness");
        String why = row.path("why").asString("");
        if (ms > LIMIT_MS) {
            tally.wrong(String.format(Locale.ROOT, "%s: %.1f ms, limit %.0f", name, ms, LIMIT_MS));
        } else if (isValid && !isFree && !refusal.isEmpty()) {
            tally.wrong(name + " is valid and was refused: " + refusal);
        } else if (!isValid && !isFree && refusal.isEmpty()) {
            tally.wrong(name + " was read: " + why);
        } else if (!refusal.isEmpty() && !namesField(refusal.replace(file.toString(), ""), why)) {
            tally.wrong(name + ": the error does not name the field: " + refusal + "; " + why);
        } else {
            tally.right();
        }
    }

    private static boolean namesField(String refusal, String why) {
        Matcher fields = FIELD.matcher(why);
        boolean hasAny = false;
        while (fields.find()) {
            hasAny = true;
            if (refusal.contains(fields.group())) {
                return true;
            }
        }
        return !hasAny && !refusal.isBlank();
    }

    static boolean has(Path folder) {
        return Files.exists(folder.resolve("bad.json"));
    }
}
