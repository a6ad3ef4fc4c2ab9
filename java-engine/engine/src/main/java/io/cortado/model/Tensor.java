package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;

/**
 * A named array of a checkpoint.
 *
 * @param data row-major, little-endian, at any alignment
 */
record Tensor(String name, TensorType type, List<Long> shape, MemorySegment data) {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A plain matrix of F32, BF16 or F16. */
    Weights.Part asMatrix() {
        DType dtype = Objects.requireNonNull(type.dtype());
        return new Weights.Part(data, shape.getFirst(), WeightFormat.of(dtype));
    }

    /** One number of a tensor of floats. */
    float element(long i) {
        return switch (type) {
            case F32 -> data.get(FLOAT, i * 4);
            case BF16 -> Float.intBitsToFloat(data.get(SHORT, i * 2) << 16);
            case F16 -> Float.float16ToFloat(data.get(SHORT, i * 2));
            case F8_E8M0 -> powerOfTwo(data.get(ValueLayout.JAVA_BYTE, i) & 0xff);
            default ->
                    throw ModelException.unsupported(
                            name + " must be F32, BF16, F16 or F8_E8M0: " + type);
        };
    }

    /** OCP Microscaling Formats 1.0: an exponent with a bias of 127; 255 is NaN. */
    private static float powerOfTwo(int code) {
        return code == 255 ? Float.NaN : Math.scalb(1f, code - 127);
    }
}
