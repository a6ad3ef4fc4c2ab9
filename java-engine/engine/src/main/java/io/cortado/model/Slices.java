package io.cortado.model;

import io.cortado.device.Scratch;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Cuts rows or columns out of stored matrices. Codes that share a scale, or a block of their
 * format, stay together; what would part them is refused.
 */
final class Slices {
    private Slices() {}

    /**
     * Rows [from, from + rows).
     *
     * @param cut who cuts what, for people
     * @param whole of a matrix with so many columns
     */
    static Weights.Part rows(String cut, Weights.Part whole, long from, long rows, long cols) {
        long rowBytes = whole.format().bytes(cols);
        MemorySegment data = whole.data().asSlice(from * rowBytes, rows * rowBytes);
        Weights.Scales scales = whole.scales();
        if (scales == null) {
            return new Weights.Part(data, rows, whole.format());
        }
        Weights.Shape shape = rowShape(cut, whole.shape(), from, rows);
        long perRow = Math.ceilDiv(cols, scales.blockCols());
        long first = from / scales.blockRows() * perRow;
        long count = Math.ceilDiv(rows, shape.blockRows()) * perRow;
        MemorySegment zeros = scales.zeros();
        return new Weights.Part(
                data,
                rows,
                whole.format(),
                new Weights.Scales(
                        scales.scales().asSlice(first * Float.BYTES, count * Float.BYTES),
                        zeros == null ? null : zeros.asSlice(first, count),
                        shape.blockRows(),
                        shape.blockCols()));
    }

    /** What {@link #rows} will say of its part. */
    static Weights.Shape rowShape(String cut, Weights.Shape whole, long from, long rows) {
        long block = whole.blockRows();
        if (block == 0) {
            return new Weights.Shape(rows, whole.format());
        }
        boolean isInOne = from / block == (from + rows - 1) / block;
        if (!isInOne && from % block != 0) {
            throw parted(cut, "rows", from, block);
        }
        long shared = isInOne ? rows : block;
        return new Weights.Shape(rows, whole.format(), shared, whole.blockCols(), whole.hasZeros());
    }

    /**
     * Columns [from, from + cols) of all rows, copied.
     *
     * @param cut who cuts what, for people
     * @param wholeCols of the matrix
     */
    static Weights.Part cols(
            String cut, Weights.Part whole, long from, long cols, long wholeCols, Scratch scratch) {
        Weights.Shape shape = colShape(cut, whole.shape(), from, cols);
        WeightFormat format = whole.format();
        MemorySegment data =
                copy(
                        whole.data(),
                        whole.rows(),
                        format.bytes(wholeCols),
                        format.bytes(from),
                        format.bytes(cols),
                        scratch);
        Weights.Scales scales = whole.scales();
        if (scales == null) {
            return new Weights.Part(data, whole.rows(), format);
        }
        long gridRows = Math.ceilDiv(whole.rows(), scales.blockRows());
        long perRow = Math.ceilDiv(wholeCols, scales.blockCols());
        long first = from / scales.blockCols();
        long count = Math.ceilDiv(cols, shape.blockCols());
        return new Weights.Part(
                data,
                whole.rows(),
                format,
                new Weights.Scales(
                        copy(
                                scales.scales(),
                                gridRows,
                                perRow * Float.BYTES,
                                first * Float.BYTES,
                                count * Float.BYTES,
                                scratch),
                        zeros(scales.zeros(), gridRows, perRow, first, count, scratch),
                        shape.blockRows(),
                        shape.blockCols()));
    }

    private static @Nullable MemorySegment zeros(
            @Nullable MemorySegment zeros,
            long rows,
            long rowBytes,
            long first,
            long count,
            Scratch scratch) {
        return zeros == null ? null : copy(zeros, rows, rowBytes, first, count, scratch);
    }

    private static MemorySegment copy(
            MemorySegment from,
            long rows,
            long rowBytes,
            long offset,
            long bytes,
            Scratch scratch) {
        MemorySegment to = scratch.allocate(rows * bytes);
        for (long row = 0; row < rows; row++) {
            MemorySegment.copy(from, row * rowBytes + offset, to, row * bytes, bytes);
        }
        return to;
    }

    /** What {@link #cols} will say of its part. */
    static Weights.Shape colShape(String cut, Weights.Shape whole, long from, long cols) {
        long together = whole.format().blockElements();
        if (from % together != 0 || cols % together != 0) {
            throw parted(cut, "columns", from % together != 0 ? from : cols, together);
        }
        long block = whole.blockCols();
        if (block == 0) {
            return new Weights.Shape(whole.rows(), whole.format());
        }
        boolean isInOne = from / block == (from + cols - 1) / block;
        if (!isInOne && from % block != 0) {
            throw parted(cut, "columns", from, block);
        }
        return new Weights.Shape(
                whole.rows(),
                whole.format(),
                whole.blockRows(),
                isInOne ? cols : block,
                whole.hasZeros());
    }

    private static ModelException parted(String cut, String what, long at, long block) {
        return ModelException.unsupported(
                "%s between %s that are quantised together: at=%d must be a multiple of %d"
                        .formatted(cut, what, at, block));
    }
}
