package io.cortado.bench.kernels;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.Probe;
import io.cortado.device.Weights;
import java.util.List;
import java.util.Locale;

/** Linear layers of 4096 x 4096: a decode step reads weights, a prefill chunk multiplies. */
final class LinearCases {
    private static final long SIZE = 4096;
    private static final long ROTATED_BYTES = 256L << 20;

    private LinearCases() {}

    static List<KernelCase> all() {
        return List.of(
                linear(DType.BF16, 1),
                linear(DType.BF16, 16),
                linear(DType.BF16, 512),
                linear(DType.F32, 1),
                linear(DType.F32, 512));
    }

    private static KernelCase linear(DType dtype, long rows) {
        String name = "linear_" + dtype.name().toLowerCase(Locale.ROOT) + "_m" + rows;
        return new KernelCase(name, bed -> prepare(bed, dtype, rows));
    }

    private static KernelWork prepare(KernelBed bed, DType dtype, long rows) {
        long weightBytes = SIZE * SIZE * dtype.bytes();
        Weights[] weights = new Weights[Math.toIntExact(ROTATED_BYTES / weightBytes)];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = bed.weights(SIZE, SIZE, dtype, Weights.Use.LINEAR);
        }
        Buffer x = bed.randoms(rows * SIZE, dtype);
        Buffer y = bed.zeros(rows * SIZE * dtype.bytes());
        return new KernelWork(
                weightBytes + 2 * rows * SIZE * dtype.bytes(),
                2 * rows * SIZE * SIZE,
                dtype == DType.BF16 ? Probe.BF16_FLOPS : Probe.F32_FLOPS,
                weights.length,
                i ->
                        Kernels.linear(
                                y,
                                x,
                                weights[i],
                                null,
                                rows,
                                SIZE,
                                SIZE,
                                dtype,
                                dtype,
                                bed.stream()));
    }
}
