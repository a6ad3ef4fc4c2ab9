package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** The suite's files, malformed and valid; where the suite says that readers differ, we refuse. */
class GgufSuiteTest {
    private static final Path SUITE =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/gguf");

    @TestFactory
    List<DynamicTest> refusesWhatIsSpoiltAndReadsTheRest() throws IOException {
        Path facts = SUITE.resolve("bad/bad.json");
        assumeTrue(Files.exists(facts), "there is no " + facts);
        List<DynamicTest> tests = new ArrayList<>();
        for (JsonNode row : JsonFile.MAPPER.readTree(Files.readAllBytes(facts))) {
            String file = row.path("file").stringValue();
            Path path = facts.resolveSibling(file);
            boolean isValid = row.path("valid").booleanValue();
            tests.add(DynamicTest.dynamicTest(file, () -> judge(path, isValid)));
        }
        return tests;
    }

    private static void judge(Path path, boolean isValid) {
        if (isValid) {
            assertDoesNotThrow(() -> GgufModel.open(path).close());
        } else {
            assertThrows(ModelException.class, () -> GgufModel.open(path));
        }
    }

    @TestFactory
    List<DynamicTest> saysOfEachModelWhatItsGoldenSays() throws IOException {
        assumeTrue(Files.exists(SUITE), "there is no " + SUITE);
        List<DynamicTest> tests = new ArrayList<>();
        try (var folders = Files.list(SUITE)) {
            for (Path folder : folders.sorted().toList()) {
                Path golden = folder.resolve("golden.json");
                if (Files.exists(golden)) {
                    JsonNode config =
                            JsonFile.MAPPER.readTree(Files.readAllBytes(golden)).path("config");
                    Path file = folder.resolve("model.gguf");
                    tests.add(
                            DynamicTest.dynamicTest(
                                    folder.getFileName().toString(), () -> compare(file, config)));
                }
            }
        }
        return tests;
    }

    private static void compare(Path file, JsonNode golden) {
        try (GgufModel model = GgufModel.open(file)) {
            JsonNode ours = model.config();
            for (Map.Entry<String, JsonNode> entry : golden.properties()) {
                String key = entry.getKey();
                if (key.equals("rope_parameters")) {
                    compareRope(entry.getValue(), ours);
                } else if (entry.getValue().isNumber()) {
                    double wanted = entry.getValue().doubleValue();
                    assertEquals(wanted, ours.path(key).asDouble(Double.NaN), 1e-6 * wanted, key);
                } else if (ours.has(key)) {
                    assertEquals(entry.getValue(), ours.path(key), key);
                }
            }
        }
    }

    private static void compareRope(JsonNode golden, JsonNode ours) {
        JsonNode full = golden.has("full_attention") ? golden.path("full_attention") : golden;
        assertEquals(full.path("rope_theta").doubleValue(), ours.path("rope_theta").doubleValue());
        if (golden.has("sliding_attention")) {
            assertEquals(
                    golden.path("sliding_attention").path("rope_theta").doubleValue(),
                    ours.path("rope_local_base_freq").doubleValue());
        }
        String kind = full.path("rope_type").stringValue();
        // The file holds what Llama 3's recipe comes to, not the recipe.
        String stored = kind.equals("llama3") ? "longrope" : kind;
        assertEquals(stored, ours.path("rope_scaling").path("rope_type").asString("default"));
    }
}
