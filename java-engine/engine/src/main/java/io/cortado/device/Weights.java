package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.ct_weights_part;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A matrix [rows][cols], packed once for its device. */
public final class Weights extends NativeHandle {
    /** What a matrix is for: decides how it is packed. */
    public enum Use {
        /** Linear, and embedding (tied). */
        LINEAR(CortadoNative.CT_WEIGHTS_LINEAR()),
        /** Embedding only. */
        EMBEDDING(CortadoNative.CT_WEIGHTS_EMBEDDING()),
        /** Experts of {@link Experts} only. */
        EXPERT(CortadoNative.CT_WEIGHTS_EXPERT());

        private final int code;

        Use(int code) {
            this.code = code;
        }
    }

    /**
     * Consecutive rows of the matrix, row-major and little-endian, at any alignment. Read during
     * the call only.
     *
     * @param scales of {@link WeightFormat#F8_E4M3} and {@link WeightFormat#INT4}, else null
     */
    public record Part(
            MemorySegment data, long rows, WeightFormat format, @Nullable Scales scales) {
        public Part(MemorySegment data, long rows, WeightFormat format) {
            this(data, rows, format, null);
        }

        public Shape shape() {
            return scales == null
                    ? new Shape(rows, format)
                    : new Shape(
                            rows,
                            format,
                            scales.blockRows(),
                            scales.blockCols(),
                            scales.zeros() != null);
        }
    }

    /**
     * A part without its numbers: enough to know what a matrix takes.
     *
     * @param blockRows rows that share a scale; 0 where no scales lie beside the codes
     * @param blockCols the same of columns
     */
    public record Shape(
            long rows, WeightFormat format, long blockRows, long blockCols, boolean hasZeros) {
        public Shape(long rows, WeightFormat format) {
            this(rows, format, 0, 0, false);
        }

        boolean hasScales() {
            return blockRows > 0;
        }
    }

    /** The shortest run of columns under one scale that is kept quantised. */
    private static final long LEAST_KEPT_COLS = 32;

    /**
     * A row-major grid of float32 scales beside the codes of a part, each for {@code blockRows} x
     * {@code blockCols} elements; the last row and column of the grid may serve less.
     *
     * @param zeros of {@link WeightFormat#INT4}: a byte a scale, 0 to 16; null: 8 everywhere
     */
    public record Scales(
            MemorySegment scales, @Nullable MemorySegment zeros, long blockRows, long blockCols) {
        public Scales {
            if (zeros != null && zeros.byteSize() * 4 != scales.byteSize()) {
                throw new IllegalArgumentException(
                        "zeros must have a byte for each scale: zeros="
                                + zeros.byteSize()
                                + ", scales="
                                + scales.byteSize() / 4);
            }
        }
    }

    private final long rows;
    private final long cols;
    private final DType dtypeOnGpu;

    private Weights(MemorySegment address, long rows, long cols, DType dtypeOnGpu) {
        super(address);
        this.dtypeOnGpu = dtypeOnGpu;
        this.rows = rows;
        this.cols = cols;
    }

    static Weights create(Device device, List<Part> parts, long cols, DType dense, Use use) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment array = ct_weights_part.allocateArray(Math.max(1, parts.size()), call);
            List<Shape> shapes = parts.stream().map(Part::shape).toList();
            long rows = 0;
            for (int i = 0; i < parts.size(); i++) {
                fill(ct_weights_part.asSlice(array, i), parts.get(i));
                rows += parts.get(i).rows();
            }
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(
                    CortadoNative.ct_weights_create(
                            out,
                            device.address(),
                            array,
                            parts.size(),
                            cols,
                            dense.code(),
                            use.code));
            return new Weights(
                    out.get(CortadoNative.C_POINTER, 0), rows, cols, dtypeOnGpu(shapes, dense));
        }
    }

    /** What {@link #bytes} will say of a matrix of such parts; nothing is read or allocated. */
    static long packedBytes(Device device, List<Shape> parts, long cols, DType dense, Use use) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment array = ct_weights_part.allocateArray(Math.max(1, parts.size()), call);
            for (int i = 0; i < parts.size(); i++) {
                describe(ct_weights_part.asSlice(array, i), parts.get(i), cols);
            }
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(
                    CortadoNative.ct_weights_packed_bytes(
                            out,
                            device.address(),
                            array,
                            parts.size(),
                            cols,
                            dense.code(),
                            use.code));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    /** Of addresses only whether they are null counts: the entry's own stands for all of them. */
    private static void describe(MemorySegment entry, Shape part, long cols) {
        ct_weights_part.data(entry, entry);
        ct_weights_part.rows(entry, part.rows);
        ct_weights_part.data_bytes(entry, part.format.bytes(Math.multiplyExact(part.rows, cols)));
        ct_weights_part.format(entry, part.format.code());
        if (part.hasScales()) {
            ct_weights_part.scales(entry, entry);
            ct_weights_part.zeros(entry, part.hasZeros ? entry : MemorySegment.NULL);
            ct_weights_part.num_scales(
                    entry,
                    Math.ceilDiv(part.rows, part.blockRows) * Math.ceilDiv(cols, part.blockCols));
            ct_weights_part.scale_rows(entry, part.blockRows);
            ct_weights_part.scale_cols(entry, part.blockCols);
        }
    }

    /**
     * How the numbers of one of a matrix' parts lie on a device, as {@code ct_weights_create} says.
     */
    public static WeightFormat storedFormat(
            Shape part, List<Shape> all, long cols, DType dense, Use use, boolean onCpu) {
        if (!onCpu) {
            boolean isKept =
                    use == Use.EXPERT && all.size() == 1 && staysQuantizedOnGpu(part, cols);
            return isKept ? part.format : WeightFormat.of(dtypeOnGpu(all, dense));
        }
        if (use == Use.EMBEDDING || staysQuantized(part, cols)) {
            return part.format;
        }
        if (part.format.isQuantized()) {
            return WeightFormat.of(dense);
        }
        return part.format == WeightFormat.BF16 ? WeightFormat.BF16 : WeightFormat.F32;
    }

    private static boolean staysQuantized(Shape part, long cols) {
        if (!part.format.isKept() || cols % LEAST_KEPT_COLS != 0) {
            return false;
        }
        long width = Math.min(part.blockCols, cols);
        return !part.hasScales() || Long.lowestOneBit(width | cols) >= LEAST_KEPT_COLS;
    }

    /** Of experts. */
    private static boolean staysQuantizedOnGpu(Shape part, long cols) {
        return switch (part.format) {
            case MXFP4 -> true;
            case INT4 -> isRunOnGpu(part.blockCols, cols, LEAST_KEPT_COLS);
            case F8_E4M3 -> isRunOnGpu(part.blockCols, cols, 2 * LEAST_KEPT_COLS);
            default -> false;
        };
    }

    private static boolean isRunOnGpu(long width, long cols, long least) {
        return width >= cols || width >= least && Long.bitCount(width) == 1;
    }

    private static void fill(MemorySegment entry, Part part) {
        ct_weights_part.data(entry, part.data());
        ct_weights_part.rows(entry, part.rows());
        ct_weights_part.data_bytes(entry, part.data().byteSize());
        ct_weights_part.format(entry, part.format().code());
        Scales scales = part.scales();
        if (scales != null) {
            ct_weights_part.scales(entry, scales.scales());
            MemorySegment zeros = scales.zeros();
            ct_weights_part.zeros(entry, zeros == null ? MemorySegment.NULL : zeros);
            ct_weights_part.num_scales(entry, scales.scales().byteSize() / 4);
            ct_weights_part.scale_rows(entry, scales.blockRows());
            ct_weights_part.scale_cols(entry, scales.blockCols());
        }
    }

    /** What the header says of matrices on cuda and simt. */
    private static DType dtypeOnGpu(List<Shape> parts, DType dense) {
        boolean bf16 = true;
        for (Shape part : parts) {
            bf16 &=
                    part.format() == WeightFormat.BF16
                            || (part.format().isQuantized() && dense == DType.BF16);
        }
        return bf16 ? DType.BF16 : DType.F32;
    }

    /** What the elements are on a GPU: quantised ones are dequantised there. */
    DType dtypeOnGpu() {
        return dtypeOnGpu;
    }

    public long rows() {
        return rows;
    }

    long cols() {
        return cols;
    }

    /** For a vendor's library: where the matrix lies, and elements from one row to the next. */
    record OnGpu(long address, long stride) {}

    OnGpu onGpu() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            MemorySegment stride = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_weights_device_address(out, stride, address()));
            return new OnGpu(
                    out.get(CortadoNative.C_POINTER, 0).address(),
                    stride.get(CortadoNative.C_LONG, 0));
        }
    }

    /** Bytes that the packed matrix occupies. */
    public long bytes() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_weights_bytes(out, address()));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_weights_destroy(open));
    }
}
