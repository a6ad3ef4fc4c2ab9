package io.cortado.bench.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions;
import io.cortado.demo.DemoModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
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
                        EngineOptions.defaults()
                                .activations(
                                        EngineOptions.Activations.valueOf(
                                                activations.toUpperCase(Locale.ROOT)))
                                .isa(isa)
                                .threads(Integer.parseInt(threads)));
        Report report =
                new GoldenSuite()
                        .run(path, options, new PrintStream(text, true, StandardCharsets.UTF_8));
        assertEquals(0, report.wrong(), () -> text.toString(StandardCharsets.UTF_8));
        return report;
    }

    @ParameterizedTest
    @CsvSource({"f32,auto,0", "bf16,auto,0", "f32,scalar,1", "f32,avx2,2"})
    void promptLogprobsAndEmbeddingsAreThoseOfTransformers(
            String activations, String isa, String threads) throws IOException {
        assertEquals(
                4,
                run(GOLDENS.resolve("llama/prompt_logprobs.json"), activations, isa, threads)
                        .right());
        assertEquals(
                6,
                run(GOLDENS.resolve("qwen3/embeddings.json"), activations, isa, threads).right());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "llama|prompt_logprobs.json|\"rank\": 171|\"rank\": 160",
                "llama|prompt_logprobs.json|-9.05091|-9.06",
                "llama|prompt_logprobs.json|[361, -1.90179]|[360, -1.90179]",
                "llama|prompt_logprobs.json|\"tokens\": [null|\"tokens\": [null, null",
                "qwen3|embeddings.json|-0.098754|-0.099"
            })
    void oneWrongNumberIsFound(
            String model, String file, String right, String wrong, @TempDir Path folder)
            throws IOException {
        Path original = GOLDENS.resolve(model);
        Assumptions.assumeTrue(Files.exists(original), "absent here: " + original);
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(original.resolve(name), folder.resolve(name));
        }
        String text = Files.readString(original.resolve(file));
        int at = text.indexOf(right);
        Files.writeString(
                folder.resolve(file),
                text.substring(0, at) + wrong + text.substring(at + right.length()));
        SuiteOptions options =
                new SuiteOptions(
                        Integer.MAX_VALUE,
                        false,
                        EngineOptions.defaults().activations(EngineOptions.Activations.F32));
        Report report =
                new GoldenSuite()
                        .run(folder, options, new PrintStream(new ByteArrayOutputStream()));
        assertEquals(1, report.wrong(), report::toString);
        assertTrue(report.failures().getFirst().startsWith(file), report::toString);
    }

    @Test
    void aPoolingThatIsNotBuiltIsRefusedAndNamed(@TempDir Path folder) throws IOException {
        Path original = GOLDENS.resolve("qwen3");
        Assumptions.assumeTrue(Files.exists(original), "absent here: " + original);
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(original.resolve(name), folder.resolve(name));
        }
        String text = Files.readString(original.resolve("embeddings.json"));
        Files.writeString(folder.resolve("embeddings.json"), text.replace("\"last\"", "\"max\""));
        Report report = run(folder, "f32", "auto", "0");
        assertEquals(3, report.right());
        assertEquals(3, report.refused());
        assertTrue(report.refusals().getFirst().contains("max"), report::toString);
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
        Path golden = GOLDENS.resolve(folder).resolve("golden.json");
        assertEquals(4, run(golden, "f32", "auto", "0").right());
        assertEquals(4, run(golden, "bf16", "auto", "0").right());
    }

    @ParameterizedTest
    @CsvSource({"scalar,1", "scalar,2", "avx2,1", "avx2,2"})
    void everyInstructionSetAndThreadCountGivesThem(String isa, String threads) throws IOException {
        assertEquals(10, run(GOLDENS.resolve("qwen3"), "f32", isa, threads).right());
        for (String folder : List.of("gemma2", "cohere2")) {
            assertEquals(4, run(GOLDENS.resolve(folder), "f32", isa, threads).right());
        }
    }

    @Test
    void familiesThatAreNotBuiltAreRefusedAndNamed(@TempDir Path folder) throws IOException {
        try (Stream<Path> files = Files.list(GOLDENS.resolve("llama"))) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        Path config = folder.resolve("config.json");
        String named = Files.readString(config).replace("\"llama\"", "\"kimi_k2\"");
        Files.writeString(config, named);
        Report report = run(folder, "f32", "auto", "0");
        assertEquals(0, report.right());
        assertTrue(report.refusals().getFirst().contains("model_type=kimi_k2"), report::toString);
    }

    @Test
    void adaptersAreRefusedAndNamed() throws IOException {
        Report report = run(GOLDENS.resolve("lora/qwen3"), "f32", "auto", "0");
        assertEquals(2, report.refused());
        assertTrue(report.refusals().getFirst().contains("adapter"), report::toString);
    }

    @Test
    void theDemosDraftModelGivesItsOwnGoldenText(@TempDir Path folder) throws IOException {
        assertTrue(run(DemoModel.unpackDraft(folder), "f32", "auto", "0").right() > 3);
    }

    /** Four prompts: the drafts and the run of each. */
    @ParameterizedTest
    @CsvSource({"f32,auto,0", "bf16,auto,0", "f32,scalar,1"})
    void theDemosHeadDraftsAsTheReferenceDoes(
            String activations, String isa, String threads, @TempDir Path folder)
            throws IOException {
        DemoModel.unpack(folder.resolve("demo"));
        Path head = DemoModel.unpackEagle3(folder.resolve("demo-eagle3"));
        assertEquals(8, run(head, activations, isa, threads).right());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "7.77307, 7.7634|7.78307, 7.7634|drafts",
                "\"sum\": 710.2677|\"sum\": 711.2677|drafts",
                "\"draft_tokens\": [749|\"draft_tokens\": [750|drafts",
                "[1402, 1144, 599, 1182]|[1402, 1144, 599, 1183]|run",
                "\"known\": 23|\"known\": 24|run",
                "1401, 516, 3317], \"target_margin_min\"|1401, 517, 3317], \"target_margin_min\"|run"
            })
    void oneWrongNumberOfAHeadIsFound(
            String right, String wrong, String where, @TempDir Path folder) throws IOException {
        DemoModel.unpack(folder.resolve("demo"));
        Path head = DemoModel.unpackEagle3(folder.resolve("demo-eagle3"));
        Path file = head.resolve("golden.json");
        String text = Files.readString(file);
        assertTrue(text.contains(right), right);
        Files.writeString(file, text.replace(right, wrong));
        SuiteOptions options =
                new SuiteOptions(
                        1,
                        false,
                        EngineOptions.defaults().activations(EngineOptions.Activations.F32));
        Report report =
                new GoldenSuite().run(head, options, new PrintStream(new ByteArrayOutputStream()));
        assertEquals(1, report.wrong(), report::toString);
        assertTrue(report.failures().getFirst().startsWith("prompt 0: " + where), report::toString);
    }

    @Test
    void aHeadWithoutItsTargetIsRefused(@TempDir Path folder) throws IOException {
        Path head = DemoModel.unpackEagle3(folder.resolve("demo-eagle3"));
        Report report = run(head, "f32", "auto", "0");
        assertEquals(1, report.refused());
        assertTrue(report.refusals().getFirst().contains("target"), report::toString);
    }

    @Test
    void theDemoModelGivesItsOwnGoldenText(@TempDir Path folder) throws IOException {
        assertTrue(run(DemoModel.unpack(folder), "f32", "auto", "0").right() > 3);
    }

    @Test
    void theDemoModelWithExpertsGivesItsOwnGoldenText(@TempDir Path folder) throws IOException {
        assertTrue(run(DemoModel.unpackMoe(folder), "f32", "auto", "0").right() > 3);
    }
}
