package io.cortado.device;

import io.cortado.bindings.ct_attention_params;
import java.lang.foreign.MemorySegment;

/**
 * Arguments of {@link Kernels#pagedAttention}, filled once and reused every step: a call copies
 * them.
 */
public final class AttentionParams {
    private final MemorySegment struct;

    public AttentionParams(Device device) {
        struct = device.allocate(ct_attention_params.sizeof());
        ct_attention_params.struct_bytes(struct, ct_attention_params.sizeof());
    }

    public AttentionParams batch(long numTokens, long numSeqs) {
        ct_attention_params.num_tokens(struct, numTokens);
        ct_attention_params.num_seqs(struct, numSeqs);
        return this;
    }

    /** Columns of the block table, and blocks of the cache. */
    public AttentionParams blocks(long maxBlocks, long numBlocks) {
        ct_attention_params.max_blocks(struct, maxBlocks);
        ct_attention_params.num_blocks(struct, numBlocks);
        return this;
    }

    /** Elements from one token (of q, of out) or block to the next. */
    public AttentionParams strides(long q, long out, long block) {
        ct_attention_params.q_stride(struct, q);
        ct_attention_params.out_stride(struct, out);
        ct_attention_params.block_stride(struct, block);
        return this;
    }

    public AttentionParams heads(int numQHeads, int numKvHeads, int headDim) {
        ct_attention_params.num_q_heads(struct, numQHeads);
        ct_attention_params.num_kv_heads(struct, numKvHeads);
        ct_attention_params.head_dim(struct, headDim);
        return this;
    }

    /** Values are the first so many elements of their keys; 0: they lie beside them. */
    public AttentionParams valuesInKeys(int headDimV) {
        ct_attention_params.head_dim_v(struct, headDimV);
        ct_attention_params.values_in_keys(struct, headDimV > 0 ? 1 : 0);
        return this;
    }

    /** 0: none; w: a token sees itself and the w - 1 before it. */
    public AttentionParams window(int value) {
        ct_attention_params.window(struct, value);
        return this;
    }

    public AttentionParams dtypes(DType activations, DType kv) {
        ct_attention_params.dtype(struct, activations.code());
        ct_attention_params.kv_dtype(struct, kv.code());
        return this;
    }

    /** Factor of q k^T, and the cap of the scores (0: none). */
    public AttentionParams scores(float scale, float softCap) {
        ct_attention_params.scale(struct, scale);
        ct_attention_params.soft_cap(struct, softCap);
        return this;
    }

    /** No sequence has more rows in a call; 0: not known. */
    public AttentionParams maxQLen(int value) {
        ct_attention_params.max_q_len(struct, value);
        return this;
    }

    /**
     * True: the keys are cut into equal shares for the processors at hand, so the last bits of a
     * row depend on its batch.
     */
    public AttentionParams balanced(boolean value) {
        ct_attention_params.balanced(struct, value ? 1 : 0);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
