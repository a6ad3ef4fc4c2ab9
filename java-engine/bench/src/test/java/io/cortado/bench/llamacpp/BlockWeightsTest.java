package io.cortado.bench.llamacpp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.bench.BenchException;
import io.cortado.device.WeightFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class BlockWeightsTest {
    private static final int BLOCKS = 400;

    /** As the library reads them: spread evenly around 0, as the usual initialisation spreads. */
    @ParameterizedTest
    @EnumSource
    void blocksHoldNumbersLikeAnInitialisation(BlockWeights format) {
        int elements = BLOCKS * format.blockElements();
        int bytes = BLOCKS * format.blockBytes();
        SplittableRandom random = new SplittableRandom(5);
        ByteBuffer block = BlockWeights.buffer(format.blockBytes());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(bytes);
            for (int i = 0; i < BLOCKS; i++) {
                block.clear();
                format.block(random, block);
                assertEquals(0, block.remaining());
                long at = (long) i * format.blockBytes();
                MemorySegment.copy(
                        MemorySegment.ofArray(block.array()), 0, data, at, block.limit());
            }
            MemorySegment y = arena.allocate(4L * elements, 4);
            WeightFormat.valueOf(format.name()).dequantize(y, data);
            double sum = 0;
            double squares = 0;
            for (int i = 0; i < elements; i++) {
                float value = y.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                assertTrue(Math.abs(value) < 1.1 * BlockWeights.AMPLITUDE, "value " + value);
                sum += value;
                squares += (double) value * value;
            }
            assertEquals(0, sum / elements, 0.004);
            assertEquals(0.02, Math.sqrt(squares / elements), 0.003);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "q5_0", "Q8_0"})
    void refusesOtherNames(String name) {
        assertThrows(BenchException.class, () -> BlockWeights.of(name));
    }
}
