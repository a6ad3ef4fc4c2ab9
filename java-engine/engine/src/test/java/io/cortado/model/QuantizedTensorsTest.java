package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Each published packing against the plain product of code and scale. */
class QuantizedTensorsTest {
    private static final int ROWS = 16;
    private static final int COLS = 96;
    private static final int GROUP = 64; // the last group of a row is partial
    private static final int GROUPS = 2;
    private static final int[] STRAIGHT = {0, 1, 2, 3, 4, 5, 6, 7};
    private static final int[] AWQ_COLUMN = {0, 2, 4, 6, 1, 3, 5, 7};

    @TempDir Path folder;

    private final Random random = new Random(5);
    private final int[][] codes = nibbles(ROWS, COLS);
    private final int[][] zeros = nibbles(ROWS, GROUPS);
    private final float[][] scales = new float[ROWS][GROUPS];

    QuantizedTensorsTest() {
        for (float[] row : scales) {
            for (int group = 0; group < GROUPS; group++) {
                row[group] = (random.nextInt(1000) - 500) / 1024f;
            }
        }
    }

    private int[][] nibbles(int rows, int cols) {
        int[][] values = new int[rows][cols];
        for (int[] row : values) {
            for (int col = 0; col < cols; col++) {
                row[col] = random.nextInt(15); // a zero of 15 is ambiguous in GPTQ
            }
        }
        return values;
    }

    private float[] expected(int zeroOffset, int[] groupOf) {
        float[] values = new float[ROWS * COLS];
        for (int row = 0; row < ROWS; row++) {
            for (int col = 0; col < COLS; col++) {
                int group = groupOf[col];
                int code = codes[row][col] - (zeros[row][group] + zeroOffset);
                values[row * COLS + col] = code * scales[row][group];
            }
        }
        return values;
    }

    private static int[] inOrder() {
        int[] groupOf = new int[COLS];
        for (int col = 0; col < COLS; col++) {
            groupOf[col] = col / GROUP;
        }
        return groupOf;
    }

    private float[] scalesByGroup() {
        float[] values = new float[GROUPS * ROWS];
        for (int group = 0; group < GROUPS; group++) {
            for (int row = 0; row < ROWS; row++) {
                values[group * ROWS + row] = scales[row][group];
            }
        }
        return values;
    }

    /** Eight values of a column of the matrix in a word, the rows in the given order. */
    private static int[] wordsAcrossRows(int[][] matrix, int cols, int[] order) {
        int[] words = new int[cols * ROWS / 8];
        for (int col = 0; col < cols; col++) {
            for (int row = 0; row < ROWS; row += 8) {
                for (int nibble = 0; nibble < 8; nibble++) {
                    words[col * ROWS / 8 + row / 8] |=
                            matrix[row + order[nibble]][col] << 4 * nibble;
                }
            }
        }
        return words;
    }

    private float[] read(SafetensorsBytes file, String config) throws IOException {
        Files.write(folder.resolve("model.safetensors"), file.toBytes());
        Quantization quantization = quantization(config);
        try (Device device = Device.open("cpu", 1, "auto");
                TensorProbe probe =
                        new TensorProbe(
                                device,
                                new QuantizedTensors(Checkpoint.open(folder), quantization))) {
            return probe.matrix("m.weight", ROWS, COLS);
        }
    }

    private static Quantization quantization(String config) {
        JsonNode json =
                JsonFile.MAPPER.readTree(
                        "{\"quantization_config\":" + config.replace('\'', '"') + "}");
        return Objects.requireNonNull(Quantization.read(new ConfigJson("test", json), "llama"));
    }

    @Test
    void readsAwq() throws IOException {
        SafetensorsBytes file =
                new SafetensorsBytes()
                        .words(
                                "m.qweight",
                                wordsAcrossRows(codes, COLS, AWQ_COLUMN),
                                COLS,
                                ROWS / 8)
                        .words(
                                "m.qzeros",
                                wordsAcrossRows(zeros, GROUPS, AWQ_COLUMN),
                                GROUPS,
                                ROWS / 8)
                        .floats("m.scales", scalesByGroup(), GROUPS, ROWS);
        assertArrayEquals(
                expected(0, inOrder()),
                read(
                        file,
                        "{'quant_method':'awq','bits':4,'group_size':64,'version':'gemm',"
                                + "'zero_point':true}"));
    }

    private SafetensorsBytes gptq(int[] groupOf) {
        int[] words = new int[COLS / 8 * ROWS];
        for (int row = 0; row < ROWS; row++) {
            for (int col = 0; col < COLS; col++) {
                words[col / 8 * ROWS + row] |= codes[row][col] << 4 * (col % 8);
            }
        }
        return new SafetensorsBytes()
                .words("m.qweight", words, COLS / 8, ROWS)
                .words("m.qzeros", wordsAcrossRows(zeros, GROUPS, STRAIGHT), GROUPS, ROWS / 8)
                .floats("m.scales", scalesByGroup(), GROUPS, ROWS)
                .words("m.g_idx", groupOf, COLS);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gptq", "gptq_v2"})
    void readsGptqInOrderAndOutOfIt(String format) throws IOException {
        String config =
                "{'quant_method':'gptq','bits':4,'group_size':64,'desc_act':true,'sym':false,"
                        + "'checkpoint_format':'"
                        + format
                        + "'}";
        int offset = format.equals("gptq") ? 1 : 0;
        assertArrayEquals(expected(offset, inOrder()), read(gptq(inOrder()), config));
        int[] shuffled = inOrder();
        for (int col = 0; col < COLS; col++) {
            shuffled[col] = random.nextInt(GROUPS);
        }
        assertArrayEquals(expected(offset, shuffled), read(gptq(shuffled), config));
        shuffled[7] = GROUPS;
        var refused = assertThrows(ModelException.class, () -> read(gptq(shuffled), config));
        assertTrue(String.valueOf(refused.getMessage()).contains("m.g_idx[7]"));
    }

    @Test
    void refusesAZeroThatReadersDisagreeOn() {
        zeros[3][1] = 15;
        var refused =
                assertThrows(
                        ModelException.class,
                        () ->
                                read(
                                        gptq(inOrder()),
                                        "{'quant_method':'gptq','bits':4,'group_size':64}"));
        assertTrue(String.valueOf(refused.getMessage()).contains("m.qzeros holds 15"));
    }

    @Test
    void readsPackedCompressedTensors() throws IOException {
        int[] words = new int[ROWS * COLS / 8];
        float[] scale = new float[ROWS * GROUPS];
        int[] zero = new int[ROWS / 8 * GROUPS];
        for (int row = 0; row < ROWS; row++) {
            for (int col = 0; col < COLS; col++) {
                words[(row * COLS + col) / 8] |= codes[row][col] << 4 * (col % 8);
            }
            for (int group = 0; group < GROUPS; group++) {
                scale[row * GROUPS + group] = scales[row][group];
                zero[row / 8 * GROUPS + group] |= zeros[row][group] << 4 * (row % 8);
            }
        }
        SafetensorsBytes file =
                new SafetensorsBytes()
                        .words("m.weight_packed", words, ROWS, COLS / 8)
                        .floats("m.weight_scale", scale, ROWS, GROUPS)
                        .words("m.weight_zero_point", zero, ROWS / 8, GROUPS);
        String config =
                "{'quant_method':'compressed-tensors','format':'pack-quantized','config_groups':"
                        + "{'g':{'targets':['Linear'],'weights':{'num_bits':4,'type':'int',"
                        + "'strategy':'group','group_size':64,'symmetric':%s}}}}";
        assertArrayEquals(expected(0, inOrder()), read(file, config.formatted(false)));
        for (int[] row : zeros) {
            Arrays.fill(row, 8);
        }
        assertArrayEquals(expected(0, inOrder()), read(file, config.formatted(true)));
    }

    @Test
    void readsFp8BlocksOfWhichTheLastArePartial() throws IOException {
        byte[] weight = new byte[ROWS * COLS];
        Arrays.fill(weight, (byte) 0x38); // 1.0
        SafetensorsBytes file =
                new SafetensorsBytes()
                        .add("m.weight", TensorType.F8_E4M3, weight, ROWS, COLS)
                        .floats("m.weight_scale_inv", new float[] {1, 2, 3, 4}, 2, 2)
                        .floats("m.input_scale", new float[] {100}, 1);
        float[] values =
                read(file, "{'quant_method':'fp8','weight_block_size':[10,64],'fmt':'e4m3'}");
        for (int row = 0; row < ROWS; row++) {
            for (int col = 0; col < COLS; col++) {
                float wanted = 1 + row / 10 * 2 + col / 64;
                assertEquals(wanted, values[row * COLS + col]);
            }
        }
    }

    @Test
    void aScaleOfAnotherShapeIsRefused() {
        SafetensorsBytes file =
                new SafetensorsBytes()
                        .add("m.weight", TensorType.F8_E4M3, new byte[ROWS * COLS], ROWS, COLS)
                        .floats("m.weight_scale", new float[3], 3);
        var refused =
                assertThrows(ModelException.class, () -> read(file, "{'quant_method':'fp8'}"));
        assertTrue(String.valueOf(refused.getMessage()).contains("m.weight_scale"));
    }

    @Test
    void aBiasOfZerosBesidePackedCodesIsNoTensorTooMany() throws IOException {
        Files.write(
                folder.resolve("model.safetensors"),
                gptq(inOrder()).floats("m.bias", new float[ROWS], ROWS).toBytes());
        Quantization quantization =
                quantization("{'quant_method':'gptq','bits':4,'group_size':64}");
        try (var tensors = new QuantizedTensors(Checkpoint.open(folder), quantization)) {
            assertEquals(ROWS, tensors.matrix("m.weight", ROWS, COLS).rows());
            tensors.requireAllTaken(Set.of());
        }
    }
}
