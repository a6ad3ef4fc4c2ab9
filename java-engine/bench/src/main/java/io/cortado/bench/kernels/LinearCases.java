package io.cortado.bench.kernels;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.Probe;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Linear layers of 4096 x 4096: a decode step reads weights, a prefill chunk multiplies. */
final class LinearCases {
    private static final long SIZE = 4096;
    private static final long ROTATED_BYTES = 256L << 20;

    private LinearCases() {}

    static List<KernelCase> all() {
        List<KernelCase> all = new ArrayList<>();
        all.add(linear(WeightFormat.BF16, DType.BF16, 1));
        all.add(linear(WeightFormat.BF16, DType.BF16, 16));
        KernelCase prefill = linear(WeightFormat.BF16, DType.BF16, 512);
        all.add(prefill);
        all.add(linear(WeightFormat.F32, DType.F32, 1));
        all.add(linear(WeightFormat.F32, DType.F32, 512));
        for (WeightFormat format :
                List.of(WeightFormat.Q8_0, WeightFormat.Q4_0, WeightFormat.Q4_K)) {
            all.add(linear(format, DType.BF16, 1));
            all.add(linear(format, DType.BF16, 512).against(prefill));
        }
        return all;
    }

    private static KernelCase linear(WeightFormat format, DType dtype, long rows) {
        String name = "linear_" + format.name().toLowerCase(Locale.ROOT) + "_m" + rows;
        return new KernelCase(name, bed -> prepare(bed, format, dtype, rows));
    }

    /** The bytes of a quantised matrix are those it occupies packed. */
    private static KernelWork prepare(KernelBed bed, WeightFormat format, DType dtype, long rows) {
        Weights[] weights = new Weights[Math.toIntExact(ROTATED_BYTES / format.bytes(SIZE * SIZE))];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = bed.weights(SIZE, SIZE, format, Weights.Use.LINEAR);
        }
        Buffer x = bed.randoms(rows * SIZE, dtype);
        Buffer y = bed.zeros(rows * SIZE * dtype.bytes());
        return new KernelWork(
                weights[0].bytes() + 2 * rows * SIZE * dtype.bytes(),
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
