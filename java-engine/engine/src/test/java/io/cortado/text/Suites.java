package io.cortado.text;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Finds the facts beside the project; a test that needs them is skipped where they are absent. */
// Tests of the same module only.
@SuppressWarnings("exports")
public final class Suites {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private Suites() {}

    /**
     * A path under the folder {@code shared}, which stands beside the project's root or one of its
     * parents.
     */
    public static Path shared(String path) {
        Path home = Path.of(System.getProperty("user.dir", ".")).toAbsolutePath();
        for (Path folder = home; folder != null; folder = folder.getParent()) {
            Path candidate = folder.resolve("shared").resolve(path);
            if (Files.exists(candidate)) {
                return candidate;
            }
        }
        assumeTrue(false, "shared/" + path + " is not beside the project: " + home);
        return home;
    }

    public static List<JsonNode> rows(Path file) throws IOException {
        var rows = new ArrayList<JsonNode>();
        try (var in =
                new BufferedReader(
                        new InputStreamReader(
                                new GZIPInputStream(Files.newInputStream(file)),
                                StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                rows.add(MAPPER.readTree(line));
            }
        }
        return rows;
    }

    public static JsonNode tree(Path file) throws IOException {
        return MAPPER.readTree(Files.readAllBytes(file));
    }

    public static Object value(JsonNode node) {
        return MAPPER.treeToValue(node, Object.class);
    }

    static int[] ints(JsonNode array) {
        var ints = new int[array.size()];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = array.path(i).intValue();
        }
        return ints;
    }

    /**
     * A text of the tokenizer suite: a string, {@code {"repeat": [unit, n]}} or {@code {"concat":
     * [...]}}.
     */
    static String text(JsonNode node) {
        if (node.has("repeat")) {
            JsonNode repeat = node.path("repeat");
            return repeat.path(0).asString("").repeat(repeat.path(1).intValue());
        }
        if (node.has("concat")) {
            var joined = new StringBuilder();
            node.path("concat").forEach(part -> joined.append(text(part)));
            return joined.toString();
        }
        return node.asString("");
    }
}
