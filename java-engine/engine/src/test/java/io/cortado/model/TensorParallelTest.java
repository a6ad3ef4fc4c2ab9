package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Ranks that share a model out compute what one rank does. */
class TensorParallelTest {
    private static final Path SUITES =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites");
    private static final List<String> DENSE =
            List.of(
                    "cohere2",
                    "gemma2",
                    "gemma3",
                    "glm4",
                    "granite",
                    "llama",
                    "llama-bias",
                    "llama-rope3",
                    "llama-yarn",
                    "mistral-window",
                    "phi3",
                    "phi3-longrope",
                    "qwen2",
                    "qwen3",
                    "smollm3");

    @TempDir Path folder;

    @TestFactory
    List<DynamicTest> saysWhatOneRankSays() {
        assumeTrue(Files.exists(SUITES), "there is no " + SUITES);
        List<DynamicTest> tests = new ArrayList<>();
        for (String name : DENSE) {
            for (int size : List.of(2, 4)) {
                Path model = SUITES.resolve("goldens").resolve(name);
                tests.add(
                        DynamicTest.dynamicTest(
                                name + " on " + size, () -> compare(model, size, 1e-4)));
            }
        }
        return tests;
    }

    private static void compare(Path model, int size, double tolerance) throws Exception {
        float[] whole = RankLogits.whole(model, Activations.F32, false);
        float[] shared = RankLogits.of(model, size, Activations.F32, false, 1);
        double difference = RankLogits.largestDifference(whole, shared);
        assertTrue(difference <= tolerance, () -> "largest difference: " + difference);
        assertArrayEquals(shared, RankLogits.of(model, size, Activations.F32, false, 2));
    }
}
