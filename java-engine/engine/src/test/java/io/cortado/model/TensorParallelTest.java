package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.gang.Collectives;
import io.cortado.gang.HostCollectives;
import io.cortado.gang.InProcessGang;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

    /** Codes are kept, or taken apart, as on one rank. */
    @TestFactory
    List<DynamicTest> quantisedModelsTooWhereBlocksStayWhole() {
        assumeTrue(Files.exists(SUITES), "there is no " + SUITES);
        List<DynamicTest> tests = new ArrayList<>();
        List.of(
                        "quant/awq",
                        "quant/ct-fp8-channel",
                        "quant/ct-fp8-tensor",
                        "quant/ct-w4a16-asym",
                        "quant/fp8-block",
                        "quant/fp8-static",
                        "quant/gptq-act-order",
                        "gguf/gemma3-q4_0/model.gguf",
                        "gguf/llama-f16/model.gguf",
                        "gguf/llama-q4_0/model.gguf",
                        "gguf/llama-rope3-q8_0/model.gguf",
                        "gguf/qwen3-q4_k_m/model.gguf")
                .forEach(name ->
                        tests.add(
                                DynamicTest.dynamicTest(
                                        name, () -> compare(SUITES.resolve(name), 2, 1e-3))));
        return tests;
    }

    /** Names, ranks, and what the refusal says. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "goldens/llama|3|tensor-parallel-size=3 must divide the model's attention heads: 4",
                "goldens/llama|8|tensor-parallel-size=8 must divide the model's attention heads: 4",
                "goldens/mixtral|2|tensor-parallel-size=2 must be 1 for a model with experts",
                "goldens/deepseek-v2-lite|2|must be 1 for a model with latent attention",
                "goldens/olmo2|2|must be 1 for a model with norms over all heads together",
                "gguf/llama-q4_k_m/model.gguf|2|tensor-parallel-size=2 cuts model.layers.0"
            })
    void refusesWhatItCannotShareOut(String name, int size, String why) {
        assumeTrue(Files.exists(SUITES), "there is no " + SUITES);
        refuses(SUITES.resolve(name), size, false, why);
    }

    private static void refuses(Path model, int size, boolean isDummy, String why) {
        Exception e =
                assertThrows(
                        Exception.class,
                        () -> RankLogits.of(model, size, Activations.F32, isDummy, 1));
        assertTrue(String.valueOf(e.getMessage()).contains(why), e::toString);
    }

    @Test
    void refusesAVocabularyThatLeavesARankNothing() throws IOException {
        config(48, false);
        refuses(folder, 4, true, "vocab_size=48");
    }

    /** Sizes that ranks' shares of are not even. */
    @ParameterizedTest
    @CsvSource({"300,2,false", "301,4,true", "113,4,false", "512,2,true"})
    void vocabulariesNeedNotDivide(int vocab, int size, boolean areTied) throws Exception {
        config(vocab, areTied);
        for (Activations activations : Activations.values()) {
            float[] whole = RankLogits.whole(folder, activations, true);
            float[] shared = RankLogits.of(folder, size, activations, true, 1);
            assertEquals(whole.length, shared.length);
            double difference = RankLogits.largestDifference(whole, shared);
            double tolerance = activations == Activations.F32 ? 1e-5 : 2e-2;
            assertTrue(difference <= tolerance, () -> "largest difference: " + difference);
        }
    }

    @ParameterizedTest
    @CsvSource({"2,0", "2,1", "4,0", "4,3"})
    void saysTheBytesOfARankBeforehand(int size, int rank) throws IOException {
        config(301, true);
        ModelConfig part = ModelConfig.read(folder).shard(new Shard(rank, size));
        try (Device device = Device.open("cpu", 1, "auto")) {
            for (Activations activations : Activations.values()) {
                compareBytes(device, part, activations);
            }
        }
    }

    private void compareBytes(Device device, ModelConfig part, Activations activations) {
        Placement placement = Placement.on(device);
        WeightPlan plan = WeightPlan.read(placement, folder, part, activations, true);
        Shard shard = part.shard();
        try (CausalLm lm = CausalLm.load(device, folder, part, activations, KvType.AUTO, true);
                Collectives ranks =
                        new HostCollectives(InProcessGang.create(shard.size())[shard.rank()], 1)) {
            assertEquals(plan.bytes(), lm.weightBytes());
            lm.join(ranks);
            lm.allocate(8, 3, 40, 7, 9, true);
            assertEquals(
                    WorkspaceBytes.ofState(
                            placement,
                            part.shape(),
                            part.maxPositions(),
                            activations.dtype(),
                            KvType.AUTO.dtype(activations),
                            new BatchLimits(8, 3, 40, 7, 9),
                            true,
                            1),
                    lm.workspaceBytes());
        }
    }

    private void config(int vocab, boolean areTied) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\":\"qwen3\",\"hidden_size\":64,\"num_hidden_layers\":2,"
                        + "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,"
                        + "\"intermediate_size\":96,\"max_position_embeddings\":256,"
                        + "\"tie_word_embeddings\":"
                        + areTied
                        + ",\"vocab_size\":"
                        + vocab
                        + "}");
    }

    private static void compare(Path model, int size, double tolerance) throws Exception {
        float[] whole = RankLogits.whole(model, Activations.F32, false);
        float[] shared = RankLogits.of(model, size, Activations.F32, false, 1);
        double difference = RankLogits.largestDifference(whole, shared);
        assertTrue(difference <= tolerance, () -> "largest difference: " + difference);
        assertArrayEquals(shared, RankLogits.of(model, size, Activations.F32, false, 2));
    }
}
