package io.cortado.device;

import io.cortado.bindings.ct_moe_params;
import java.lang.foreign.MemorySegment;

/**
 * Arguments of {@link MoeKernels#experts}, filled once and reused every step: a call copies them.
 */
public final class MoeParams {
    private final MemorySegment struct;

    public MoeParams(Device device) {
        struct = device.allocate(ct_moe_params.sizeof());
        ct_moe_params.struct_bytes(struct, ct_moe_params.sizeof());
    }

    public MoeParams numTokens(long value) {
        ct_moe_params.num_tokens(struct, value);
        return this;
    }

    /** Elements from one token of x, and from one slot of y, to the next. */
    public MoeParams strides(long x, long y) {
        ct_moe_params.x_stride(struct, x);
        ct_moe_params.y_stride(struct, y);
        return this;
    }

    public MoeParams topK(int value) {
        ct_moe_params.top_k(struct, value);
        return this;
    }

    /** Of x, which what is between the two products also has, and of y. */
    public MoeParams dtypes(DType x, DType y) {
        ct_moe_params.x_dtype(struct, x.code());
        ct_moe_params.y_dtype(struct, y.code());
        return this;
    }

    public MoeParams activation(MoeActivation value) {
        ct_moe_params.activation(struct, value.code());
        return this;
    }

    /** Of {@link MoeActivation#SILU_CLAMPED}. */
    public MoeParams clamp(float alpha, float limit) {
        ct_moe_params.alpha(struct, alpha);
        ct_moe_params.limit(struct, limit);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
