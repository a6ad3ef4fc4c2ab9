package io.cortado.model;

import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Matrices of whole numbers of four bits: (code - zero) * scale, a zero and a scale for so many
 * columns of a row.
 *
 * @param groupSize columns; 0: all
 * @param zeroOffset added to a stored zero
 */
record Int4Weights(Layout layout, long groupSize, int zeroOffset) implements Quantization {
    /** Who packed it. */
    enum Layout {
        /** qweight [in][out / 8], interleaved; qzeros alike. */
        AWQ,
        /** qweight [in / 8][out], qzeros [groups][out / 8]; columns may be in any group. */
        GPTQ,
        /** weight_packed [out][in / 8], weight_zero_point [out / 8][groups]. */
        COMPRESSED,
        /** Without zero points: 8 everywhere. */
        COMPRESSED_SYMMETRIC
    }

    private static final int CODES_PER_WORD = 8;

    /** {@code group_size}: absent, null or -1 is a whole row. */
    static long groupSize(ConfigJson c) {
        int size = c.integer("group_size", -1, 1 << 20, -1);
        if (size == 0) {
            throw ModelException.invalid(c.where() + ": group_size must be positive or -1: 0");
        }
        return Math.max(0, size);
    }

    @Override
    public Weights.@Nullable Part matrix(
            QuantizedTensors tensors, String module, long rows, long cols) {
        if (!isPacked(tensors, module)) {
            return null;
        }
        Shape shape = shape(module, rows, cols);
        return switch (layout) {
            case AWQ -> awq(tensors, module, shape);
            case GPTQ -> gptq(tensors, module, shape);
            case COMPRESSED, COMPRESSED_SYMMETRIC -> compressed(tensors, module, shape);
        };
    }

    @Override
    public Weights.@Nullable Shape shapeOf(
            QuantizedTensors tensors, String module, long rows, long cols) {
        if (!isPacked(tensors, module)) {
            return null;
        }
        Shape shape = shape(module, rows, cols);
        if (layout == Layout.GPTQ && !isInOrder(tensors, module, shape)) {
            return new Weights.Shape(rows, WeightFormat.F32);
        }
        boolean hasZeros = layout != Layout.COMPRESSED_SYMMETRIC;
        return new Weights.Shape(rows, WeightFormat.INT4, 1, shape.group, hasZeros);
    }

    private Shape shape(String module, long rows, long cols) {
        if (rows % CODES_PER_WORD != 0 || cols % CODES_PER_WORD != 0) {
            throw ModelException.unsupported(
                    "%s: rows and columns must be multiples of 8: [%d, %d]"
                            .formatted(codes(module), rows, cols));
        }
        long group = groupSize == 0 ? cols : groupSize;
        return new Shape(rows, cols, group, Math.ceilDiv(cols, group));
    }

    @Override
    public boolean isPacked(QuantizedTensors tensors, String module) {
        return tensors.has(codes(module));
    }

    private String codes(String module) {
        return switch (layout) {
            case AWQ, GPTQ -> module + ".qweight";
            case COMPRESSED, COMPRESSED_SYMMETRIC -> module + ".weight_packed";
        };
    }

    private record Shape(long rows, long cols, long group, long groups) {}

    private Weights.Part awq(QuantizedTensors tensors, String module, Shape s) {
        Tensor codes = tensors.words(codes(module), s.cols, s.rows / CODES_PER_WORD);
        Tensor zeros = tensors.words(module + ".qzeros", s.groups, s.rows / CODES_PER_WORD);
        Tensor scales = tensors.stored(module + ".scales", s.groups, s.rows);
        MemorySegment packed = tensors.allocate(s.rows * s.cols / 2);
        Int4Packing.awqCodes(packed, codes.data(), s.rows, s.cols);
        MemorySegment zero = tensors.allocate(s.rows * s.groups);
        Int4Packing.awqZeros(zero, zeros.data(), s.rows, s.groups);
        MemorySegment scale = tensors.allocate(s.rows * s.groups * 4);
        Int4Packing.transposeScales(scale, scales, s.rows, s.groups);
        return part(packed, s, scale, zero);
    }

    private Weights.Part gptq(QuantizedTensors tensors, String module, Shape s) {
        Tensor codes = tensors.words(codes(module), s.cols / CODES_PER_WORD, s.rows);
        Tensor zeros = tensors.words(module + ".qzeros", s.groups, s.rows / CODES_PER_WORD);
        Tensor scales = tensors.stored(module + ".scales", s.groups, s.rows);
        MemorySegment packed = tensors.allocate(s.rows * s.cols / 2);
        Int4Packing.transposeWords(packed, codes.data(), s.rows, s.cols);
        MemorySegment zero = tensors.allocate(s.rows * s.groups);
        int largest = Int4Packing.gptqZeros(zero, zeros.data(), s.rows, s.groups, zeroOffset);
        if (largest > 15) {
            throw ModelException.unsupported(
                    module + ".qzeros holds 15, which readers take for 16 or for 0");
        }
        MemorySegment scale = tensors.allocate(s.rows * s.groups * 4);
        Int4Packing.transposeScales(scale, scales, s.rows, s.groups);
        int[] groupOf = groupOf(tensors, module, s);
        if (groupOf == null || isInOrder(groupOf, s.group)) {
            return part(packed, s, scale, zero);
        }
        MemorySegment values = tensors.allocate(s.rows * s.cols * 4);
        Int4Packing.values(values, packed, scale, zero, groupOf, s.rows);
        return new Weights.Part(values, s.rows, WeightFormat.F32);
    }

    private static Weights.Part part(
            MemorySegment codes, Shape s, MemorySegment scales, @Nullable MemorySegment zeros) {
        return new Weights.Part(
                codes, s.rows, WeightFormat.INT4, new Weights.Scales(scales, zeros, 1, s.group));
    }

    /** The group of each column; null where nothing is said of it. */
    private static int @Nullable [] groupOf(QuantizedTensors tensors, String module, Shape s) {
        String name = module + ".g_idx";
        return tensors.has(name) ? groupOf(tensors.words(name, s.cols), s) : null;
    }

    private static boolean isInOrder(QuantizedTensors tensors, String module, Shape s) {
        int[] groupOf = groupOf(tensors, module, s);
        return groupOf == null || isInOrder(groupOf, s.group);
    }

    private static int[] groupOf(Tensor index, Shape s) {
        int[] groupOf = new int[Math.toIntExact(s.cols)];
        for (int i = 0; i < groupOf.length; i++) {
            groupOf[i] = Int4Packing.word(index.data(), i);
            if (groupOf[i] < 0 || groupOf[i] >= s.groups) {
                throw ModelException.invalid(
                        "%s[%d] must be in [0, %d): %d"
                                .formatted(index.name(), i, s.groups, groupOf[i]));
            }
        }
        return groupOf;
    }

    private static boolean isInOrder(int[] groupOf, long group) {
        for (int i = 0; i < groupOf.length; i++) {
            if (groupOf[i] != i / group) {
                return false;
            }
        }
        return true;
    }

    private Weights.Part compressed(QuantizedTensors tensors, String module, Shape s) {
        Tensor codes = tensors.words(codes(module), s.rows, s.cols / CODES_PER_WORD);
        tensors.requireStoredShape(module + ".weight_shape", s.rows, s.cols);
        Tensor scales = tensors.stored(module + ".weight_scale", s.rows, s.groups);
        MemorySegment scale = tensors.floats(scales);
        if (layout == Layout.COMPRESSED_SYMMETRIC) {
            return part(codes.data(), s, scale, null);
        }
        Tensor zeros =
                tensors.words(module + ".weight_zero_point", s.rows / CODES_PER_WORD, s.groups);
        MemorySegment zero = tensors.allocate(s.rows * s.groups);
        Int4Packing.compressedZeros(zero, zeros.data(), s.rows, s.groups);
        return part(codes.data(), s, scale, zero);
    }
}
