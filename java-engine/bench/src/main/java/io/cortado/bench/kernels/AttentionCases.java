package io.cortado.bench.kernels;

import io.cortado.device.AttentionParams;
import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.Probe;
import java.util.Arrays;
import java.util.List;

/** Paged attention, 32 heads on 8 of 128, blocks in random order. */
final class AttentionCases {
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_DIM = 128;
    private static final int BLOCK = 16;
    private static final int CACHES = 2;

    private AttentionCases() {}

    static List<KernelCase> all() {
        return List.of(
                new KernelCase("attention_decode_64mb_b1", bed -> prepare(bed, 1, 1, 16384)),
                new KernelCase("attention_decode_64mb_b16", bed -> prepare(bed, 16, 1, 1024)),
                new KernelCase("attention_prefill_512", bed -> prepare(bed, 1, 512, 512)),
                new KernelCase("attention_chunk_256_at_4096", bed -> prepare(bed, 1, 256, 4096)));
    }

    /** Each of {@code seqs} sequences has {@code queries} new tokens, {@code length} in all. */
    private static KernelWork prepare(KernelBed bed, int seqs, int queries, int length) {
        int maxBlocks = length / BLOCK;
        int blocks = seqs * maxBlocks;
        long blockStride = (long) KV_HEADS * BLOCK * HEAD_DIM;
        Buffer[] k = new Buffer[CACHES];
        Buffer[] v = new Buffer[CACHES];
        for (int i = 0; i < CACHES; i++) {
            k[i] = bed.randoms(blocks * blockStride, DType.BF16);
            v[i] = bed.randoms(blocks * blockStride, DType.BF16);
        }
        int tokens = seqs * queries;
        long stride = (long) HEADS * HEAD_DIM;
        Buffer q = bed.randoms(tokens * stride, DType.BF16);
        Buffer out = bed.zeros(tokens * stride * DType.BF16.bytes());
        Buffer table = bed.ints(bed.shuffled(blocks));
        int[] starts = new int[seqs + 1];
        Arrays.setAll(starts, s -> s * queries);
        int[] lengths = new int[seqs];
        Arrays.fill(lengths, length);
        Buffer cu = bed.ints(starts);
        Buffer kv = bed.ints(lengths);
        AttentionParams params =
                new AttentionParams(bed.device())
                        .batch(tokens, seqs)
                        .blocks(maxBlocks, blocks)
                        .strides(stride, stride, blockStride)
                        .heads(HEADS, KV_HEADS, HEAD_DIM)
                        .dtypes(DType.BF16, DType.BF16)
                        .scores((float) (1 / Math.sqrt(HEAD_DIM)), 0);
        // Row r of a sequence sees length - queries + r + 1 keys.
        long seen = (long) queries * (length - queries) + (long) queries * (queries + 1) / 2;
        return new KernelWork(
                2L * 2 * blocks * blockStride + 2L * 2 * tokens * stride,
                4L * seqs * seen * HEADS * HEAD_DIM,
                queries == 1 ? Probe.F32_FLOPS : Probe.BF16_FLOPS,
                CACHES,
                i ->
                        Kernels.pagedAttention(
                                out,
                                null,
                                q,
                                k[i],
                                v[i],
                                table,
                                cu,
                                kv,
                                null,
                                null,
                                null,
                                params,
                                bed.stream()));
    }
}
