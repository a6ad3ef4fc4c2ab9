package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class WorkspaceBytesTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/goldens");

    @TempDir Path folder;

    @TestFactory
    List<DynamicTest> saysWhatIsAllocatedForEveryFamily() throws IOException {
        assumeTrue(Files.exists(GOLDENS), "there is no " + GOLDENS);
        List<DynamicTest> tests = new ArrayList<>();
        try (var folders = Files.list(GOLDENS)) {
            for (Path model : folders.sorted().toList()) {
                Path file = model.resolve("config.json");
                if (Files.exists(file) && isSupported(file)) {
                    String name = String.valueOf(model.getFileName());
                    tests.add(DynamicTest.dynamicTest(name, () -> compare(file)));
                }
            }
        }
        assertTrue(tests.size() >= 10, "families compared: " + tests.size());
        return tests;
    }

    private static boolean isSupported(Path config) {
        try {
            return ModelConfig.read(config).numLayers() > 0;
        } catch (ModelException e) {
            return false;
        }
    }

    @Test
    void saysWhatIsAllocatedForASmallConfig() throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(
                file,
                "{\"model_type\":\"qwen3\",\"hidden_size\":64,\"num_hidden_layers\":2,"
                        + "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,"
                        + "\"vocab_size\":300,\"intermediate_size\":96,"
                        + "\"max_position_embeddings\":128}");
        compare(file);
    }

    private static void compare(Path file) {
        ModelConfig config = ModelConfig.read(file);
        try (Device device = Device.open("cpu", 1, "auto")) {
            for (Activations activations : Activations.values()) {
                for (KvType kvType : KvType.values()) {
                    compare(device, config, activations, kvType);
                }
            }
        }
    }

    private static void compare(
            Device device, ModelConfig config, Activations activations, KvType kvType) {
        BatchLimits limits = new BatchLimits(11, 3, 40, 7, 9);
        DType dtype = activations.dtype();
        DType kvDtype = kvType.dtype(activations);
        try (DecoderState state =
                new DecoderState(
                        Placement.on(device),
                        config.shape(),
                        config.maxPositions(),
                        dtype,
                        kvDtype,
                        limits,
                        true,
                        List.of(),
                        null,
                        null)) {
            assertEquals(
                    state.workspaceBytes(),
                    WorkspaceBytes.ofState(
                            Placement.on(device),
                            config.shape(),
                            config.maxPositions(),
                            dtype,
                            kvDtype,
                            limits,
                            true,
                            1));
            assertEquals(11 * config.kvBytesPerBlock(activations, kvType), kvBytes(state));
            assertEquals(
                    state.workspaceBytes() + 2 * BatchInputs.bytes(limits, 1),
                    WorkspaceBytes.of(
                            Placement.on(device),
                            config,
                            activations,
                            kvType,
                            3,
                            40,
                            7,
                            9,
                            true,
                            1));
        }
    }

    private static long kvBytes(DecoderState state) {
        long keys = state.kCaches.stream().mapToLong(Buffer::bytes).sum();
        return keys + state.vCaches.stream().mapToLong(Buffer::bytes).sum();
    }
}
