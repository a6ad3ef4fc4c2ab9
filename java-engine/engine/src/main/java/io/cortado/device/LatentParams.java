package io.cortado.device;

import io.cortado.bindings.ct_latent_params;
import java.lang.foreign.MemorySegment;

/**
 * Arguments of {@link Kernels#latentKvWrite}, filled once and reused every step: a call copies
 * them.
 */
public final class LatentParams {
    private final MemorySegment struct;

    public LatentParams(Device device) {
        struct = device.allocate(ct_latent_params.sizeof());
        ct_latent_params.struct_bytes(struct, ct_latent_params.sizeof());
    }

    public LatentParams numTokens(long value) {
        ct_latent_params.num_tokens(struct, value);
        return this;
    }

    /** Rows of the table, and slots of the cache: blocks times 16. */
    public LatentParams limits(long numPositions, long numSlots) {
        ct_latent_params.num_positions(struct, numPositions);
        ct_latent_params.num_slots(struct, numSlots);
        return this;
    }

    /** Elements from one token (of q, of queries, of kv) or block to the next. */
    public LatentParams strides(long q, long queries, long kv, long block) {
        ct_latent_params.q_stride(struct, q);
        ct_latent_params.queries_stride(struct, queries);
        ct_latent_params.kv_stride(struct, kv);
        ct_latent_params.block_stride(struct, block);
        return this;
    }

    /** A head of queries does not rotate in its first elements; one of q begins with a latent. */
    public LatentParams heads(int numHeads, int nopeDim, int latentDim, int ropeDim) {
        ct_latent_params.num_heads(struct, numHeads);
        ct_latent_params.nope_dim(struct, nopeDim);
        ct_latent_params.latent_dim(struct, latentDim);
        ct_latent_params.rope_dim(struct, ropeDim);
        return this;
    }

    public LatentParams style(RopeStyle value) {
        ct_latent_params.style(struct, value.code());
        return this;
    }

    public LatentParams dtypes(DType activations, DType kv) {
        ct_latent_params.dtype(struct, activations.code());
        ct_latent_params.kv_dtype(struct, kv.code());
        return this;
    }

    /** Of the latent's norm. */
    public LatentParams eps(float value) {
        ct_latent_params.eps(struct, value);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
