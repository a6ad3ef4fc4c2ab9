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
                bf16("attention_decode_64mb_b1", 1, 1, 16384),
                fp8("attention_fp8_decode_32mb_b1", 1, 1, 16384),
                bf16("attention_decode_64mb_b16", 16, 1, 1024),
                fp8("attention_fp8_decode_32mb_b16", 16, 1, 1024),
                bf16("attention_prefill_512", 1, 512, 512),
                fp8("attention_fp8_prefill_512", 1, 512, 512),
                bf16("attention_chunk_256_at_4096", 1, 256, 4096),
                fp8("attention_fp8_chunk_256_at_4096", 1, 256, 4096));
    }

    private static KernelCase bf16(String name, int seqs, int queries, int length) {
        return new KernelCase(name, bed -> prepare(bed, DType.BF16, seqs, queries, length));
    }

    /** A cache of fp8; measured in turn with one of bf16 as well. */
    private static KernelCase fp8(String name, int seqs, int queries, int length) {
        return new KernelCase(name, bed -> prepare(bed, DType.F8_E4M3, seqs, queries, length))
                .against(bf16("attention_bf16", seqs, queries, length));
    }

    /** Each of {@code seqs} sequences has {@code queries} new tokens, {@code length} in all. */
    private static KernelWork prepare(
            KernelBed bed, DType cache, int seqs, int queries, int length) {
        int maxBlocks = length / BLOCK;
        int blocks = seqs * maxBlocks;
        long blockStride = (long) KV_HEADS * BLOCK * HEAD_DIM;
        Buffer[] k = new Buffer[CACHES];
        Buffer[] v = new Buffer[CACHES];
        for (int i = 0; i < CACHES; i++) {
            k[i] = bed.randoms(blocks * blockStride, cache);
            v[i] = bed.randoms(blocks * blockStride, cache);
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
                        .dtypes(DType.BF16, cache)
                        .scores((float) (1 / Math.sqrt(HEAD_DIM)), 0);
        // Row r of a sequence sees length - queries + r + 1 keys.
        long seen = (long) queries * (length - queries) + (long) queries * (queries + 1) / 2;
        return new KernelWork(
                2L * cache.bytes() * blocks * blockStride + 2L * 2 * tokens * stride,
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
