package io.cortado.model;

import static io.cortado.device.Weights.Use.EXPERT;
import static io.cortado.device.Weights.Use.LINEAR;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What is said before anything is loaded is what loading then takes, to the byte. */
class WeightPlanTest {
    private static final Path SUITES =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites");

    @TempDir Path folder;

    @TestFactory
    List<DynamicTest> saysTheBytesOfEveryModelThatLoads() throws IOException {
        assumeTrue(Files.exists(SUITES), "there is no " + SUITES);
        List<DynamicTest> tests = new ArrayList<>();
        for (String suite : List.of("goldens", "quant", "gguf")) {
            try (var folders = Files.list(SUITES.resolve(suite))) {
                for (Path model : folders.sorted().toList()) {
                    Path gguf = model.resolve("model.gguf");
                    Path named = Files.exists(gguf) ? gguf : model;
                    if (isSupported(named)) {
                        tests.add(
                                DynamicTest.dynamicTest(
                                        suite + "/" + model.getFileName(), () -> compare(named)));
                    }
                }
            }
        }
        assertTrue(tests.size() >= 20, "models compared: " + tests.size());
        return tests;
    }

    /** Families that are not built, and folders that are no models, are others' tests. */
    private static boolean isSupported(Path model) {
        boolean isModel =
                GgufModel.isGguf(model) || Files.exists(model.resolve("model.safetensors"));
        try {
            return isModel && Objects.nonNull(ModelConfig.read(model));
        } catch (ModelException e) {
            return false;
        }
    }

    private static void compare(Path model) {
        ModelConfig config = ModelConfig.read(model);
        try (Device device = Device.open("cpu", 2, "auto")) {
            for (Activations activations : Activations.values()) {
                WeightPlan plan =
                        WeightPlan.read(Placement.on(device), model, config, activations, false);
                try (CausalLm lm =
                        CausalLm.load(device, model, config, activations, KvType.AUTO, false)) {
                    assertEquals(lm.weightBytes(), plan.bytes(), activations.toString());
                }
                long elements =
                        plan.matrices().stream()
                                .flatMap(matrix -> matrix.parts().stream())
                                .mapToLong(WeightPlan.Stored::elements)
                                .sum();
                assertEquals(config.numParameters(), elements + config.shape().numVectorElements());
                plan.bytesByFormat().values().forEach(bytes -> assertTrue(bytes > 0));
            }
        }
    }

    @Test
    void saysTheBytesOfRandomWeightsOfOddSizes() throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\":\"qwen2\",\"hidden_size\":48,\"num_hidden_layers\":3,"
                        + "\"num_attention_heads\":3,\"num_key_value_heads\":1,"
                        + "\"vocab_size\":301,\"intermediate_size\":97,"
                        + "\"max_position_embeddings\":128}");
        ModelConfig config = ModelConfig.read(folder);
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(
                                device, folder, config, Activations.BF16, KvType.AUTO, true)) {
            WeightPlan plan =
                    WeightPlan.read(Placement.on(device), folder, config, Activations.BF16, true);
            assertEquals(lm.weightBytes(), plan.bytes());
            assertEquals(
                    4 * config.shape().numVectorElements(),
                    plan.bytesByFormat().get(WeightFormat.F32));
        }
    }

    /** What the header says of formats, checked against the bytes that come of it. */
    @Test
    void knowsWhichFormatsStayAsTheyAre() {
        long cols = 256;
        try (Device device = Device.open("cpu", 1, "auto")) {
            for (WeightFormat format : WeightFormat.values()) {
                if (format.compareTo(WeightFormat.F8_E5M2) >= 0) {
                    continue; // none of weights
                }
                boolean hasScales = format == WeightFormat.F8_E4M3 || format == WeightFormat.INT4;
                Weights.Shape shape =
                        hasScales
                                ? new Weights.Shape(64, format, 1, 128, false)
                                : new Weights.Shape(64, format);
                List<Weights.Shape> all = List.of(shape);
                Weights.Use use = Weights.Use.LINEAR;
                WeightFormat stored = Weights.storedFormat(shape, all, cols, DType.BF16, use, true);
                double bits = 8.0 * device.packedBytes(all, cols, DType.BF16, use) / (64 * cols);
                double asStored = 8.0 * stored.blockBytes() / stored.blockElements();
                assertTrue(
                        bits >= asStored && bits < asStored + 1.5,
                        format + " as " + stored + ": bits=" + bits);
                assertEquals(
                        WeightFormat.BF16 == format || format.isQuantized()
                                ? WeightFormat.BF16
                                : WeightFormat.F32,
                        Weights.storedFormat(shape, all, cols, DType.BF16, use, false));
            }
        }
    }

    @Test
    void expertsStayQuantisedOnGpus() {
        try (Device device = Device.open("simt:0", 1, "auto")) {
            for (WeightFormat format :
                    List.of(WeightFormat.F8_E4M3, WeightFormat.INT4, WeightFormat.MXFP4)) {
                for (long width : new long[] {16, 32, 64, 96, 128, 1024}) {
                    Weights.Shape shape =
                            format == WeightFormat.MXFP4
                                    ? new Weights.Shape(64, format)
                                    : new Weights.Shape(64, format, 1, width, false);
                    WeightFormat stored =
                            Weights.storedFormat(
                                    shape, List.of(shape), 256, DType.BF16, EXPERT, false);
                    long bytes = device.packedBytes(List.of(shape), 256, DType.BF16, EXPERT);
                    double bits = 8.0 * bytes / (64 * 256);
                    double asStored = 8.0 * stored.blockBytes() / stored.blockElements();
                    assertTrue(bits >= asStored && bits < asStored + 1.5, format + " " + width);
                    assertEquals(
                            WeightFormat.BF16,
                            Weights.storedFormat(
                                    shape, List.of(shape), 256, DType.BF16, LINEAR, false));
                }
            }
        }
    }

    @Test
    void scalesOfFewColumnsAreDequantised() {
        Weights.Shape fine = new Weights.Shape(64, WeightFormat.INT4, 1, 16, true);
        assertEquals(
                WeightFormat.F32,
                Weights.storedFormat(
                        fine, List.of(fine), 256, DType.F32, Weights.Use.LINEAR, true));
        assertEquals(
                WeightFormat.INT4,
                Weights.storedFormat(
                        fine, List.of(fine), 256, DType.F32, Weights.Use.EMBEDDING, true));
    }
}
