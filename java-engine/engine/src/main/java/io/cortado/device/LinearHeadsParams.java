package io.cortado.device;

import io.cortado.bindings.ct_linear_heads_params;
import java.lang.foreign.MemorySegment;

/**
 * Arguments of {@link Kernels#linearHeads}, filled once and reused every step: a call copies them.
 */
public final class LinearHeadsParams {
    private final MemorySegment struct;

    public LinearHeadsParams(Device device) {
        struct = device.allocate(ct_linear_heads_params.sizeof());
        ct_linear_heads_params.struct_bytes(struct, ct_linear_heads_params.sizeof());
    }

    public LinearHeadsParams rows(long value) {
        ct_linear_heads_params.rows(struct, value);
        return this;
    }

    public LinearHeadsParams numHeads(int value) {
        ct_linear_heads_params.num_heads(struct, value);
        return this;
    }

    /** Elements of y from one row to the next, and from one head of a row to the next. */
    public LinearHeadsParams y(long stride, long headStride, DType dtype) {
        ct_linear_heads_params.y_stride(struct, stride);
        ct_linear_heads_params.y_head_stride(struct, headStride);
        ct_linear_heads_params.y_dtype(struct, dtype.code());
        return this;
    }

    /** The same of x. */
    public LinearHeadsParams x(long stride, long headStride, DType dtype) {
        ct_linear_heads_params.x_stride(struct, stride);
        ct_linear_heads_params.x_head_stride(struct, headStride);
        ct_linear_heads_params.x_dtype(struct, dtype.code());
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
