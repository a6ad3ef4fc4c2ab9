package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.Scratch;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Shows {@code kv_b_proj}, which makes keys and values of a latent, as the two matrices that
 * absorbed attention has instead: {@code k_up} [heads * rank][nope] makes a latent query of a
 * head's query (its keys' part, transposed), {@code v_up} [heads * value][rank] a head's value of a
 * latent. Both are unquantised: in the type of the file, or in that of quantised weights that are
 * not kept.
 */
final class LatentTensors implements TensorSource {
    private static final String STORED = "kv_b_proj.weight";
    private static final String KEYS = DecoderParts.K_UP + ".weight";
    private static final String VALUES = DecoderParts.V_UP + ".weight";

    private final TensorSource source;
    private final DecoderShape.Latent latent;
    private final long numHeads;
    private final DType dense;
    private Scratch scratch = new Scratch();

    LatentTensors(TensorSource source, DecoderShape.Latent latent, int numHeads, DType dense) {
        this.source = source;
        this.latent = latent;
        this.numHeads = numHeads;
        this.dense = dense;
    }

    /** The name under which a half is stored; null: it is no half. */
    private static @Nullable String stored(String name) {
        for (String half : List.of(KEYS, VALUES)) {
            if (name.endsWith(half)) {
                return name.substring(0, name.length() - half.length()) + STORED;
            }
        }
        return null;
    }

    /** Rows of a head: those of keys, then those of values. */
    private long headRows() {
        return (long) latent.nopeDim() + latent.valueDim();
    }

    @Override
    public void require(Map<String, List<Long>> shapes) {
        Map<String, List<Long>> whole = new LinkedHashMap<>();
        shapes.forEach((name, shape) -> {
            String stored = stored(name);
            if (stored == null) {
                whole.put(name, shape);
            } else {
                whole.put(stored, List.of(numHeads * headRows(), (long) latent.rank()));
            }
        });
        source.require(whole);
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        String stored = stored(name);
        if (stored == null) {
            return source.shapeOf(name, rows, cols);
        }
        Weights.Shape whole = source.shapeOf(stored, numHeads * headRows(), latent.rank());
        return new Weights.Shape(rows, format(whole.format()));
    }

    private WeightFormat format(WeightFormat stored) {
        return switch (stored) {
            case F32, F16 -> WeightFormat.F32;
            case BF16 -> WeightFormat.BF16;
            default -> WeightFormat.of(dense);
        };
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        String stored = stored(name);
        if (stored == null) {
            return source.matrix(name, rows, cols);
        }
        Weights.Part whole = source.matrix(stored, numHeads * headRows(), latent.rank());
        MemorySegment numbers = numbers(whole);
        WeightFormat format = format(whole.format());
        MemorySegment half = scratch.allocate(format.bytes(rows * cols));
        boolean isKeys = name.endsWith(KEYS);
        for (long row = 0; row < rows; row++) {
            for (long col = 0; col < cols; col++) {
                put(half, format, row * cols + col, at(numbers, row, col, isKeys));
            }
        }
        return new Weights.Part(half, rows, format);
    }

    private float at(MemorySegment numbers, long row, long col, boolean isKeys) {
        long rank = latent.rank();
        long element =
                isKeys
                        ? (row / rank * headRows() + col) * rank + row % rank
                        : (row / latent.valueDim() * headRows()
                                                + latent.nopeDim()
                                                + row % latent.valueDim())
                                        * rank
                                + col;
        return numbers.getAtIndex(ValueLayout.JAVA_FLOAT, element);
    }

    private static void put(MemorySegment to, WeightFormat format, long element, float value) {
        if (format == WeightFormat.BF16) {
            to.setAtIndex(ValueLayout.JAVA_SHORT, element, DummyTensors.toBf16(value));
        } else {
            to.setAtIndex(ValueLayout.JAVA_FLOAT, element, value);
        }
    }

    /** float32 [rows][rank], scales included. */
    private MemorySegment numbers(Weights.Part part) {
        long elements = part.rows() * latent.rank();
        MemorySegment numbers = scratch.allocate(elements * 4);
        part.format().dequantize(numbers, part.data());
        Weights.Scales scales = part.scales();
        if (scales != null) {
            for (long row = 0; row < part.rows(); row++) {
                scale(numbers, row, scales);
            }
        }
        return numbers;
    }

    private void scale(MemorySegment numbers, long row, Weights.Scales scales) {
        long perRow = Math.ceilDiv(latent.rank(), scales.blockCols());
        MemorySegment zeros = scales.zeros();
        for (long col = 0; col < latent.rank(); col++) {
            long scale = row / scales.blockRows() * perRow + col / scales.blockCols();
            // Codes come as if 8 were zero.
            int zero = zeros == null ? 0 : zeros.get(ValueLayout.JAVA_BYTE, scale) - 8;
            long element = row * latent.rank() + col;
            float number = numbers.getAtIndex(ValueLayout.JAVA_FLOAT, element) - zero;
            float factor = scales.scales().get(ValueLayout.JAVA_FLOAT_UNALIGNED, scale * 4);
            numbers.setAtIndex(ValueLayout.JAVA_FLOAT, element, number * factor);
        }
    }

    @Override
    public Tensor take(String name, long... shape) {
        return source.take(name, shape);
    }

    @Override
    public boolean normsHoldOffset() {
        return source.normsHoldOffset();
    }

    @Override
    public long bytes() {
        return source.bytes();
    }

    @Override
    public void release() {
        scratch.close();
        scratch = new Scratch();
        source.release();
    }

    @Override
    public void requireAllTaken(Set<String> optional) {
        source.requireAllTaken(optional);
    }

    @Override
    public void close() {
        scratch.close();
        source.close();
    }
}
