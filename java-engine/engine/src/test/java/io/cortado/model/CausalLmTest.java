package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Device;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CausalLmTest {
    @TempDir Path folder;

    private ModelConfig config(String more) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\":\"qwen3\",\"hidden_size\":64,\"num_hidden_layers\":2,"
                        + "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,"
                        + "\"vocab_size\":300,\"intermediate_size\":96,"
                        + "\"max_position_embeddings\":128"
                        + more
                        + "}");
        return ModelConfig.read(folder);
    }

    private float[] logitsOfThreeTokens(ModelConfig config, Activations activations) {
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(device, folder, config, activations, KvType.AUTO, true);
                Stream stream = device.createStream()) {
            lm.allocate(8, 2, 16, 4, 2, true);
            return logitsOfThreeTokens(device, lm, stream);
        }
    }

    private static float[] logitsOfThreeTokens(Device device, CausalLm lm, Stream stream) {
        try (BatchInputs in = lm.createInputs();
                Staging staging = new Staging(device)) {
            for (int i = 0; i < 3; i++) {
                in.ids().setAtIndex(ValueLayout.JAVA_INT, i, 40 + i);
                in.positions().setAtIndex(ValueLayout.JAVA_INT, i, i);
                in.slotMapping().setAtIndex(ValueLayout.JAVA_LONG, i, 32 + i);
            }
            in.blockTable().setAtIndex(ValueLayout.JAVA_INT, 0, 2);
            in.cuSeqlensQ().setAtIndex(ValueLayout.JAVA_INT, 1, 3);
            in.seqlensKv().setAtIndex(ValueLayout.JAVA_INT, 0, 3);
            in.logitRows().setAtIndex(ValueLayout.JAVA_INT, 0, 2);
            in.upload(1, stream);
            lm.forward(in, 3, 1, 1, 3, stream);
            stream.synchronize();
            return staging.read(lm.logits(), 300 * 4).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    @ParameterizedTest
    @EnumSource(Activations.class)
    void dummyWeightsAreTheSameEveryTimeAndGiveFiniteLogits(Activations activations)
            throws IOException {
        float[] logits = logitsOfThreeTokens(config(""), activations);
        double squares = 0;
        for (float logit : logits) {
            assertTrue(Float.isFinite(logit));
            squares += logit * logit;
        }
        assertTrue(squares > 0);
        assertArrayEquals(logits, logitsOfThreeTokens(config(""), activations));
    }

    @Test
    void countsParametersAndBytesOfABlock() throws IOException {
        ModelConfig config = config("");
        long layer = 64 * 256 + 64 * 128 + 3 * 64 * 96 + 2 * 64 + 2 * 32;
        assertEquals(2 * layer + 2 * 300 * 64 + 64, config.numParameters());
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(device, folder, config, Activations.F32, KvType.AUTO, true)) {
            assertEquals(2 * 2 * 64 * 16 * 4, lm.kvBytesPerBlock());
            assertThrows(IllegalStateException.class, lm::createInputs);
            lm.allocate(4, 1, 16, 4, 1, true);
            try (Stream stream = device.createStream();
                    BatchInputs in = lm.createInputs()) {
                var e =
                        assertThrows(
                                IllegalArgumentException.class,
                                () -> lm.forward(in, 17, 1, 1, 17, stream));
                assertTrue(String.valueOf(e.getMessage()).contains("numTokens=17"));
            }
        }
    }

    @Test
    void aModelLargerThanTheMachineIsRefusedBeforeAnythingIsAllocated() throws IOException {
        ModelConfig config = config("");
        Files.writeString(
                folder.resolve("config.json"),
                Files.readString(folder.resolve("config.json"))
                        .replace("\"hidden_size\":64", "\"hidden_size\":65536")
                        .replace("\"vocab_size\":300", "\"vocab_size\":16777216")
                        .replace("\"num_hidden_layers\":2", "\"num_hidden_layers\":1024"));
        assertEquals(2, config.numLayers());
        try (Device device = Device.open("cpu", 1, "auto")) {
            ModelConfig huge = ModelConfig.read(folder);
            var e =
                    assertThrows(
                            ModelException.class,
                            () ->
                                    CausalLm.load(
                                            device,
                                            folder,
                                            huge,
                                            Activations.BF16,
                                            KvType.AUTO,
                                            true));
            assertTrue(String.valueOf(e.getMessage()).contains("needs at least"));
        }
    }

    @Test
    void aFailedLoadLeavesNothingOnTheDevice() throws IOException {
        ModelConfig config = config("");
        Device device = Device.open("cpu", 1, "auto");
        assertThrows(
                ModelException.class,
                () -> CausalLm.load(device, folder, config, Activations.BF16, KvType.AUTO, false));
        device.close();
        assertTrue(device.isClosed());
    }
}
