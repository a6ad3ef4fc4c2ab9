package io.cortado.bench.kernels;

import io.cortado.device.Activation;
import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.NormKind;
import io.cortado.device.Probe;
import io.cortado.device.RopeParams;
import io.cortado.device.RopeStyle;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/** Kernels that pass over rows once: memory is their floor. */
final class RowCases {
    private static final int TOKENS = 512;
    private static final int HIDDEN = 4096;
    private static final int INTERMEDIATE = 12288;
    private static final int VARIANTS = 8;

    private RowCases() {}

    static List<KernelCase> all() {
        return List.of(
                new KernelCase("rms_norm_bf16_m512", RowCases::rmsNorm),
                new KernelCase("rope_kv_write_bf16_m512", RowCases::rope),
                new KernelCase("activation_mul_bf16_m512", RowCases::activation),
                new KernelCase("embedding_bf16_m512", RowCases::embedding));
    }

    private static KernelWork rmsNorm(KernelBed bed) {
        long count = (long) TOKENS * HIDDEN;
        Buffer[] x = randoms(bed, count, DType.BF16);
        Buffer[] residual = randoms(bed, count, DType.F32);
        Buffer[] y = randoms(bed, count, DType.BF16);
        Buffer weight = bed.randoms(HIDDEN, DType.F32);
        return memoryBound(
                count * (2 + 4 + 4 + 2),
                i ->
                        Kernels.norm(
                                y[i],
                                residual[i],
                                x[i],
                                weight,
                                TOKENS,
                                HIDDEN,
                                HIDDEN,
                                HIDDEN,
                                HIDDEN,
                                DType.BF16,
                                NormKind.RMS,
                                1e-6f,
                                1,
                                bed.stream()));
    }

    private static KernelWork rope(KernelBed bed) {
        int heads = 32;
        int kvHeads = 8;
        int dim = 128;
        long width = (long) (heads + 2 * kvHeads) * dim;
        long block = (long) kvHeads * 16 * dim;
        Buffer[] qkv = randoms(bed, TOKENS * width, DType.BF16);
        Buffer[] q = randoms(bed, (long) TOKENS * heads * dim, DType.BF16);
        Buffer[] k = randoms(bed, TOKENS / 16 * block, DType.BF16);
        Buffer[] v = randoms(bed, TOKENS / 16 * block, DType.BF16);
        Buffer positions = bed.ints(bed.shuffled(TOKENS));
        long[] slots = new long[TOKENS];
        Arrays.setAll(slots, t -> t);
        Buffer slotMapping = bed.longs(slots);
        Buffer cosSin = bed.randoms((long) TOKENS * dim, DType.F32);
        Buffer norm = bed.randoms(dim, DType.F32);
        RopeParams params =
                new RopeParams(bed.device())
                        .numTokens(TOKENS)
                        .limits(TOKENS, TOKENS)
                        .strides((long) heads * dim, width, block)
                        .heads(heads, kvHeads, dim)
                        .rotation(RopeStyle.HALVES, dim)
                        .dtypes(DType.BF16, DType.BF16)
                        .eps(1e-6f);
        return memoryBound(
                2 * TOKENS * width * 2,
                i ->
                        Kernels.ropeKvWrite(
                                q[i],
                                k[i],
                                v[i],
                                qkv[i],
                                positions,
                                slotMapping,
                                cosSin,
                                norm,
                                norm,
                                params,
                                bed.stream()));
    }

    private static KernelWork activation(KernelBed bed) {
        long count = (long) TOKENS * INTERMEDIATE;
        Buffer[] x = randoms(bed, 2 * count, DType.BF16);
        Buffer[] y = randoms(bed, count, DType.BF16);
        return memoryBound(
                3 * count * 2,
                i ->
                        Kernels.activationMul(
                                y[i],
                                x[i],
                                TOKENS,
                                INTERMEDIATE,
                                INTERMEDIATE,
                                2L * INTERMEDIATE,
                                DType.BF16,
                                Activation.SILU,
                                bed.stream()));
    }

    private static KernelWork embedding(KernelBed bed) {
        int rows = TOKENS * VARIANTS * 8;
        Weights table = bed.weights(rows, HIDDEN, WeightFormat.BF16, Weights.Use.EMBEDDING);
        int[] order = bed.shuffled(rows);
        Buffer[] ids = new Buffer[VARIANTS];
        Arrays.setAll(ids, i -> bed.ints(Arrays.copyOfRange(order, i * TOKENS, (i + 1) * TOKENS)));
        Buffer[] y = randoms(bed, (long) TOKENS * HIDDEN, DType.BF16);
        return memoryBound(
                2L * TOKENS * HIDDEN * 2,
                i ->
                        Kernels.embedding(
                                y[i], table, ids[i], TOKENS, HIDDEN, DType.BF16, 1, bed.stream()));
    }

    private static Buffer[] randoms(KernelBed bed, long elements, DType dtype) {
        Buffer[] buffers = new Buffer[VARIANTS];
        Arrays.setAll(buffers, i -> bed.randoms(elements, dtype));
        return buffers;
    }

    private static KernelWork memoryBound(long bytes, IntConsumer enqueue) {
        return new KernelWork(bytes, 0, Probe.F32_FLOPS, VARIANTS, enqueue);
    }
}
