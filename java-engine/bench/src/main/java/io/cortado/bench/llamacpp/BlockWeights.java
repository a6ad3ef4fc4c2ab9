package io.cortado.bench.llamacpp;

import io.cortado.bench.BenchException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/**
 * Formats of random weights for the comparison: bf16, or blocks as ggml stores them, with random
 * codes under scales that give the deviation 0.02 or so.
 */
public enum BlockWeights {
    BF16(30, 32, 1, 2),
    Q8_0(8, 7, 32, 34) {
        @Override
        void block(SplittableRandom random, ByteBuffer out) {
            out.putShort(Float.floatToFloat16(AMPLITUDE / 127));
            for (int i = 0; i < 32; i++) {
                out.put((byte) (random.nextInt(255) - 127));
            }
        }
    },
    Q4_0(2, 2, 32, 18) {
        @Override
        void block(SplittableRandom random, ByteBuffer out) {
            out.putShort(Float.floatToFloat16(AMPLITUDE / 8));
            bytes(random, out, 16);
        }
    },
    /** Eight sub-blocks of a 6-bit scale and a 6-bit minimum each; both 32 here. */
    Q4_K(12, 15, 256, 144) {
        @Override
        void block(SplittableRandom random, ByteBuffer out) {
            float scale = AMPLITUDE / (32 * 7.5f);
            out.putShort(Float.floatToFloat16(scale));
            out.putShort(Float.floatToFloat16(scale * 7.5f)); // the codes' mean gives 0
            // Bytes 0 to 7: six low bits of the first four scales and minima, and above them the
            // two
            // high bits of the last four. Bytes 8 to 11: the low four bits of those, 0 in 32.
            for (int i = 0; i < 12; i++) {
                out.put((byte) (i < 8 ? 32 | 2 << 6 : 0));
            }
            bytes(random, out, 128);
        }
    };

    /** Uniform in [-a, a] has the deviation 0.02 of the usual initialisation. */
    static final float AMPLITUDE = 0.02f * 1.7320508f;

    private final int ggmlType;
    private final int fileType;
    private final int blockElements;
    private final int blockBytes;

    BlockWeights(int ggmlType, int fileType, int blockElements, int blockBytes) {
        this.ggmlType = ggmlType;
        this.fileType = fileType;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    public static BlockWeights of(String name) {
        for (BlockWeights weights : values()) {
            if (weights.label().equals(name)) {
                return weights;
            }
        }
        String known =
                Arrays.stream(values()).map(BlockWeights::label).collect(Collectors.joining(", "));
        throw new BenchException("weights must be one of " + known + ": weights=" + name);
    }

    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    int ggmlType() {
        return ggmlType;
    }

    int fileType() {
        return fileType;
    }

    int blockElements() {
        return blockElements;
    }

    int blockBytes() {
        return blockBytes;
    }

    /** Writes a random block. */
    void block(SplittableRandom random, ByteBuffer out) {
        float unit = (random.nextInt() >> 8) * 0x1p-23f;
        out.putShort((short) (Float.floatToRawIntBits(unit * AMPLITUDE) >>> 16));
    }

    private static void bytes(SplittableRandom random, ByteBuffer out, int count) {
        for (int i = 0; i < count; i++) {
            out.put((byte) random.nextInt());
        }
    }

    static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
