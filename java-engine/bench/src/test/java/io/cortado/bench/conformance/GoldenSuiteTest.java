package io.cortado.bench.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.demo.DemoModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GoldenSuiteTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/goldens");

    private static Report run(Path path, String activations, String isa, String threads)
            throws IOException {
        Assumptions.assumeTrue(Files.exists(path), "absent here: " + path);
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        SuiteOptions options =
                new SuiteOptions(
                        Integer.MAX_VALUE,
                        false,
                        Map.of("activations", activations, "isa", isa, "threads", threads));
        Report report =
                new GoldenSuite()
                        .run(path, options, new PrintStream(text, true, StandardCharsets.UTF_8));
        assertEquals(0, report.wrong(), () -> text.toString(StandardCharsets.UTF_8));
        return report;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cohere2",
                "gemma2",
                "gemma3",
                "gemma3-t5",
                "glm4",
                "granite",
                "llama",
                "llama-bias",
                "llama-rope3",
                "llama-rope3-t5",
                "llama-yarn",
                "mistral-window",
                "olmo2",
                "phi3",
                "phi3-longrope",
                "qwen2",
                "qwen3",
                "qwen3-t5",
                "smollm3"
            })
    void logitsAndGreedyRunsAreThoseOfTransformers(String folder) throws IOException {
        assertEquals(4, run(GOLDENS.resolve(folder), "f32", "auto", "0").right());
        assertEquals(4, run(GOLDENS.resolve(folder), "bf16", "auto", "0").right());
    }

    @ParameterizedTest
    @CsvSource({"scalar,1", "scalar,2", "avx2,1", "avx2,2"})
    void everyInstructionSetAndThreadCountGivesThem(String isa, String threads) throws IOException {
        for (String folder : List.of("qwen3", "gemma2", "cohere2")) {
            assertEquals(4, run(GOLDENS.resolve(folder), "f32", isa, threads).right());
        }
    }

    @Test
    void familiesThatAreNotBuiltAreRefusedAndNamed() throws IOException {
        Report report = run(GOLDENS.resolve("mixtral"), "f32", "auto", "0");
        assertEquals(0, report.right());
        assertTrue(report.refusals().getFirst().contains("model_type=mixtral"), report::toString);
    }

    @Test
    void theDemoModelGivesItsOwnGoldenText(@TempDir Path folder) throws IOException {
        assertTrue(run(DemoModel.unpack(folder), "f32", "auto", "0").right() > 3);
    }
}
