package io.cortado.device;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Times operations that pass over rows once, on buffers of the most rows asked for. */
final class RowRates {
    private static final int HEAD_DIM = 128;
    private static final int BLOCK = 16;

    private final RateMeter.Bed bed;
    private final DType dtype;
    private final int cols;
    private final int most;
    private final Buffer x;
    private final Buffer y;
    private final Buffer residual;
    private final Buffer weight;
    private final Buffer ints;

    RowRates(RateMeter.Bed bed, DType dtype, int cols, int most) {
        this.bed = bed;
        this.dtype = dtype;
        this.cols = cols;
        this.most = most;
        x = bed.filled(2L * most * cols * dtype.bytes());
        y = bed.filled((long) most * cols * dtype.bytes());
        residual = bed.filled(4L * most * cols);
        weight = bed.filled(4L * cols);
        int[] counted = new int[most];
        Arrays.setAll(counted, i -> i);
        ints = bed.ints(counted);
    }

    double seconds(Rate.RowOperation operation, int rows) {
        return switch (operation) {
            case EMBEDDING -> embedding(rows);
            case NORM -> bed.seconds(1, _ -> norm(rows));
            case ROPE -> rope(rows);
            case ACTIVATION -> bed.seconds(1, _ -> activation(rows));
        };
    }

    private void norm(int rows) {
        Kernels.norm(
                y,
                residual,
                x,
                weight,
                rows,
                cols,
                cols,
                cols,
                cols,
                dtype,
                NormKind.RMS,
                1e-6f,
                1,
                bed.stream);
    }

    private void activation(int rows) {
        Kernels.activationMul(
                y, x, rows, cols, cols, 2L * cols, dtype, Activation.SILU, bed.stream);
    }

    /** Of a table that is the head too: its rows lie apart. */
    private double embedding(int rows) {
        Weights table = RateMeter.matrix(bed, WeightFormat.BF16, most, cols, dtype);
        return bed.seconds(
                1, _ -> Kernels.embedding(y, table, ints, rows, cols, dtype, 1, bed.stream));
    }

    /** Half of the columns are queries', a quarter keys', a quarter values'. */
    private double rope(int rows) {
        int kvHeads = Math.max(1, cols / HEAD_DIM / 4);
        int qHeads = 2 * kvHeads;
        long block = (long) kvHeads * BLOCK * HEAD_DIM;
        Buffer k = bed.filled(Math.ceilDiv(most, BLOCK) * block * dtype.bytes());
        Buffer v = bed.filled(Math.ceilDiv(most, BLOCK) * block * dtype.bytes());
        Buffer cosSin = bed.filled(4L * most * HEAD_DIM);
        int[] slots = new int[2 * most];
        Arrays.setAll(slots, i -> i % 2 == 0 ? i / 2 : 0); // little-endian int64
        Buffer slotMapping = bed.ints(slots);
        @Nullable Buffer none = null;
        RopeParams params =
                new RopeParams(bed.device)
                        .numTokens(rows)
                        .limits(most, Math.ceilDiv(most, BLOCK) * (long) BLOCK)
                        .strides(cols, cols, block)
                        .heads(qHeads, kvHeads, HEAD_DIM)
                        .rotation(RopeStyle.HALVES, HEAD_DIM)
                        .dtypes(dtype, dtype)
                        .eps(1e-6f);
        return bed.seconds(
                1,
                _ ->
                        Kernels.ropeKvWrite(
                                x,
                                k,
                                v,
                                x,
                                ints,
                                slotMapping,
                                cosSin,
                                none,
                                none,
                                params,
                                bed.stream));
    }
}
