package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cortado.device.DType;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LatentTensorsTest {
    private static final int HEADS = 2;
    private static final int RANK = 32;
    private static final int NOPE = 16;
    private static final int VALUE = 48;
    private static final int ROWS = HEADS * (NOPE + VALUE);
    private static final DecoderShape.Latent LATENT =
            new DecoderShape.Latent(0, RANK, NOPE, 16, VALUE);
    private static final String AT = "model.layers.0.self_attn.";

    private final Arena arena = Arena.ofShared();

    @AfterEach
    void free() {
        arena.close();
    }

    /** Holds nothing but the stored matrix. */
    private record Stored(Weights.Part whole) implements TensorSource {
        @Override
        public Weights.Part matrix(String name, long rows, long cols) {
            assertEquals(AT + "kv_b_proj.weight", name);
            assertEquals(ROWS, rows);
            assertEquals(RANK, cols);
            return whole;
        }

        @Override
        public Weights.Shape shapeOf(String name, long rows, long cols) {
            return matrix(name, rows, cols).shape();
        }

        @Override
        public void require(Map<String, List<Long>> shapes) {
            throw new IllegalStateException("" + shapes);
        }

        @Override
        public Tensor take(String name, long... shape) {
            throw new AssertionError(name);
        }

        @Override
        public long bytes() {
            return whole.data().byteSize();
        }

        @Override
        public void release() {
            // The test's own memory.
        }

        @Override
        public void requireAllTaken(Set<String> optional) {
            // It holds nothing else.
        }

        @Override
        public void close() {
            // The test's own memory.
        }
    }

    private interface Number {
        float at(int row, int col);
    }

    private static void assertHalves(LatentTensors tensors, WeightFormat format, Number number) {
        Weights.Part keys = tensors.matrix(AT + DecoderParts.K_UP + ".weight", 64, NOPE);
        Weights.Part values = tensors.matrix(AT + DecoderParts.V_UP + ".weight", 96, RANK);
        assertEquals(keys.shape(), tensors.shapeOf(AT + DecoderParts.K_UP + ".weight", 64, NOPE));
        assertEquals(values.shape(), tensors.shapeOf(AT + DecoderParts.V_UP + ".weight", 96, RANK));
        assertEquals(format, keys.format());
        assertEquals(format, values.format());
        int ofHead = NOPE + VALUE;
        for (int head = 0; head < HEADS; head++) {
            for (int rank = 0; rank < RANK; rank++) {
                for (int i = 0; i < NOPE; i++) {
                    int at = (head * RANK + rank) * NOPE + i;
                    assertEquals(number.at(head * ofHead + i, rank), element(keys, at));
                }
                for (int i = 0; i < VALUE; i++) {
                    int at = (head * VALUE + i) * RANK + rank;
                    assertEquals(number.at(head * ofHead + NOPE + i, rank), element(values, at));
                }
            }
        }
    }

    private static float element(Weights.Part part, int i) {
        return part.format() == WeightFormat.BF16
                ? Float.intBitsToFloat(part.data().getAtIndex(ValueLayout.JAVA_SHORT, i) << 16)
                : part.data().getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }

    private LatentTensors tensors(Weights.Part whole, DType dense) {
        return new LatentTensors(new Stored(whole), LATENT, HEADS, dense);
    }

    @Test
    void headsAreTakenApartAndKeysTransposed() {
        MemorySegment data = arena.allocate(ROWS * RANK * 4L, 4);
        for (int i = 0; i < ROWS * RANK; i++) {
            data.setAtIndex(ValueLayout.JAVA_FLOAT, i, i + 0.25f);
        }
        try (LatentTensors tensors =
                tensors(new Weights.Part(data, ROWS, WeightFormat.F32), DType.BF16)) {
            assertHalves(tensors, WeightFormat.F32, (row, col) -> row * RANK + col + 0.25f);
        }
    }

    @Test
    void theBitsOfABf16FileStay() {
        MemorySegment data = arena.allocate(ROWS * RANK * 2L, 4);
        for (int i = 0; i < ROWS * RANK; i++) {
            data.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (0x3000 + i));
        }
        try (LatentTensors tensors =
                tensors(new Weights.Part(data, ROWS, WeightFormat.BF16), DType.F32)) {
            assertHalves(
                    tensors,
                    WeightFormat.BF16,
                    (row, col) -> Float.intBitsToFloat(0x3000 + row * RANK + col << 16));
        }
    }

    @Test
    void fp8BlocksAreScaled() {
        MemorySegment data = arena.allocate(ROWS * (long) RANK);
        data.fill((byte) 0x38); // 1
        int perRow = RANK / 16;
        MemorySegment scales = arena.allocate(ROWS / 32 * perRow * 4L, 4);
        for (int i = 0; i < ROWS / 32 * perRow; i++) {
            scales.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1 + i);
        }
        Weights.Part whole =
                new Weights.Part(
                        data, ROWS, WeightFormat.F8_E4M3, new Weights.Scales(scales, null, 32, 16));
        for (DType dense : List.of(DType.F32, DType.BF16)) {
            try (LatentTensors tensors = tensors(whole, dense)) {
                assertHalves(
                        tensors,
                        WeightFormat.of(dense),
                        (row, col) -> 1f + row / 32 * perRow + col / 16);
            }
        }
    }

    @Test
    void codesOfFourBitsCountFromTheirZeros() {
        MemorySegment data = arena.allocate(ROWS * RANK / 2L);
        data.fill((byte) 0xc3); // even columns 3, odd ones 12
        MemorySegment scales = arena.allocate(ROWS * 4L, 4);
        MemorySegment zeros = arena.allocate(ROWS);
        for (int row = 0; row < ROWS; row++) {
            scales.setAtIndex(ValueLayout.JAVA_FLOAT, row, 0.5f);
            zeros.set(ValueLayout.JAVA_BYTE, row, (byte) (row % 16));
        }
        Weights.Part whole =
                new Weights.Part(
                        data, ROWS, WeightFormat.INT4, new Weights.Scales(scales, zeros, 1, RANK));
        try (LatentTensors tensors = tensors(whole, DType.F32)) {
            assertHalves(
                    tensors,
                    WeightFormat.F32,
                    (row, col) -> 0.5f * ((col % 2 == 0 ? 3 : 12) - row % 16));
        }
    }

    @Test
    void whatIsRequiredIsTheStoredMatrix() {
        MemorySegment data = arena.allocate(ROWS * RANK * 4L, 4);
        try (LatentTensors tensors =
                tensors(new Weights.Part(data, ROWS, WeightFormat.F32), DType.F32)) {
            Map<String, List<Long>> halves =
                    Map.of(
                            AT + DecoderParts.K_UP + ".weight", List.of(64L, 16L),
                            AT + DecoderParts.V_UP + ".weight", List.of(96L, 32L));
            var asked = assertThrows(IllegalStateException.class, () -> tensors.require(halves));
            String stored = Map.of(AT + "kv_b_proj.weight", List.of(128L, 32L)).toString();
            assertEquals(stored, asked.getMessage());
        }
    }
}
