package io.cortado.device;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Times attention over keys and values that are not in a cache. */
final class AttentionRates {
    private static final int[] KEYS = {16, 64, 256, 1024, 4096};
    private static final int[] PROMPT = {16, 64, 256, 1024};
    private static final int BLOCK = 16;

    /** Of keys, and as much of values. */
    private static final long KEY_BYTES = 192L << 20;

    private static final int MAX_TABLES = 64;

    private final RateMeter.Bed bed;
    private final Rate.Attention shape;
    private final Buffer k;
    private final @Nullable Buffer v;
    private final long blockStride;
    private final int numBlocks;

    AttentionRates(RateMeter.Bed bed, Rate.Attention shape) {
        this.bed = bed;
        this.shape = shape;
        blockStride = (long) shape.numKvHeads() * BLOCK * shape.headDim();
        numBlocks = (int) Math.max(512, KEY_BYTES / (blockStride * shape.kvDtype().bytes()));
        k = bed.filled(numBlocks * blockStride * shape.kvDtype().bytes());
        v =
                shape.valuesInKeys() > 0
                        ? null
                        : bed.filled(numBlocks * blockStride * shape.kvDtype().bytes());
    }

    Curve decode(int numSeqs, double overhead) {
        int[] keys =
                Arrays.stream(KEYS)
                        .filter(count -> (long) numSeqs * count <= (long) numBlocks * BLOCK)
                        .toArray();
        return RateMeter.rising(
                keys, count -> RateMeter.beyond(overhead, seconds(numSeqs, 1, count)));
    }

    Curve prefill(double overhead) {
        return RateMeter.curve(
                PROMPT,
                tokens ->
                        RateMeter.beyond(overhead, seconds(1, tokens, tokens))
                                / (tokens * (tokens + 1) / 2.0));
    }

    private double seconds(int numSeqs, int queries, int keys) {
        int perSeq = Math.ceilDiv(keys, BLOCK);
        int variants = Math.clamp(numBlocks / ((long) numSeqs * perSeq), 1, MAX_TABLES);
        Buffer[] tables = new Buffer[variants];
        for (int i = 0; i < variants; i++) {
            int[] table = new int[numSeqs * perSeq];
            int first = i * table.length;
            Arrays.setAll(table, at -> first + at);
            tables[i] = bed.ints(table);
        }
        int[] starts = new int[numSeqs + 1];
        Arrays.setAll(starts, s -> s * queries);
        int[] lengths = new int[numSeqs];
        Arrays.fill(lengths, keys);
        Buffer cu = bed.ints(starts);
        Buffer kv = bed.ints(lengths);
        int tokens = numSeqs * queries;
        long stride = (long) shape.numQHeads() * shape.headDim();
        Buffer q = bed.filled(tokens * stride * shape.dtype().bytes());
        long outStride = (long) shape.numQHeads() * shape.valueDim();
        Buffer out = bed.filled(tokens * outStride * shape.dtype().bytes());
        AttentionParams params =
                new AttentionParams(bed.device)
                        .batch(tokens, numSeqs)
                        .blocks(perSeq, numBlocks)
                        .strides(stride, outStride, blockStride)
                        .heads(shape.numQHeads(), shape.numKvHeads(), shape.headDim())
                        .dtypes(shape.dtype(), shape.kvDtype())
                        .scores((float) (1 / Math.sqrt(shape.headDim())), 0)
                        .valuesInKeys(shape.valuesInKeys())
                        .maxQLen(queries);
        @Nullable Buffer plan = plan(cu, kv, params);
        return bed.seconds(
                variants,
                i ->
                        Kernels.pagedAttention(
                                out,
                                null,
                                q,
                                k,
                                v,
                                tables[i],
                                cu,
                                kv,
                                null,
                                null,
                                plan,
                                params,
                                bed.stream));
    }

    private @Nullable Buffer plan(Buffer cu, Buffer kv, AttentionParams params) {
        long bytes = bed.device.attentionPlanBytes(params);
        if (bytes == 0) {
            return null;
        }
        Buffer plan = bed.zeros(bytes);
        Kernels.attentionPlan(plan, cu, kv, params, bed.stream);
        return plan;
    }
}
