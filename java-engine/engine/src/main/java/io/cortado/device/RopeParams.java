package io.cortado.device;

import io.cortado.bindings.ct_rope_params;
import java.lang.foreign.MemorySegment;

/**
 * Arguments of {@link Kernels#ropeKvWrite}, filled once and reused every step: a call copies them.
 */
public final class RopeParams {
    private final MemorySegment struct;

    public RopeParams(Device device) {
        struct = device.allocate(ct_rope_params.sizeof());
        ct_rope_params.struct_bytes(struct, ct_rope_params.sizeof());
    }

    public RopeParams numTokens(long value) {
        ct_rope_params.num_tokens(struct, value);
        return this;
    }

    /** Rows of the table, and slots of the cache: blocks times 16. */
    public RopeParams limits(long numPositions, long numSlots) {
        ct_rope_params.num_positions(struct, numPositions);
        ct_rope_params.num_slots(struct, numSlots);
        return this;
    }

    /** Elements from one token (of q, of qkv) or block to the next. */
    public RopeParams strides(long q, long qkv, long block) {
        ct_rope_params.q_stride(struct, q);
        ct_rope_params.qkv_stride(struct, qkv);
        ct_rope_params.block_stride(struct, block);
        return this;
    }

    public RopeParams heads(int numQHeads, int numKvHeads, int headDim) {
        ct_rope_params.num_q_heads(struct, numQHeads);
        ct_rope_params.num_kv_heads(struct, numKvHeads);
        ct_rope_params.head_dim(struct, headDim);
        return this;
    }

    public RopeParams rotation(RopeStyle style, int rotaryDim) {
        ct_rope_params.style(struct, style.code());
        ct_rope_params.rotary_dim(struct, rotaryDim);
        return this;
    }

    public RopeParams dtypes(DType activations, DType kv) {
        ct_rope_params.dtype(struct, activations.code());
        ct_rope_params.kv_dtype(struct, kv.code());
        return this;
    }

    /** Of the q and k norms. */
    public RopeParams eps(float value) {
        ct_rope_params.eps(struct, value);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
