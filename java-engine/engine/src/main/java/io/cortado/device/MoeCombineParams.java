package io.cortado.device;

import io.cortado.bindings.ct_moe_combine_params;
import java.lang.foreign.MemorySegment;

/**
 * Arguments of {@link MoeKernels#combine}, filled once and reused every step: a call copies them.
 */
public final class MoeCombineParams {
    private final MemorySegment struct;

    public MoeCombineParams(Device device) {
        struct = device.allocate(ct_moe_combine_params.sizeof());
        ct_moe_combine_params.struct_bytes(struct, ct_moe_combine_params.sizeof());
    }

    public MoeCombineParams numTokens(long value) {
        ct_moe_combine_params.num_tokens(struct, value);
        return this;
    }

    public MoeCombineParams cols(long value) {
        ct_moe_combine_params.cols(struct, value);
        return this;
    }

    /** Elements from one token of out, one slot of y, one token of shared to the next. */
    public MoeCombineParams strides(long out, long y, long shared) {
        ct_moe_combine_params.out_stride(struct, out);
        ct_moe_combine_params.y_stride(struct, y);
        ct_moe_combine_params.shared_stride(struct, shared);
        return this;
    }

    public MoeCombineParams experts(int numExperts, int topK) {
        ct_moe_combine_params.num_experts(struct, numExperts);
        ct_moe_combine_params.top_k(struct, topK);
        return this;
    }

    public MoeCombineParams dtypes(DType out, DType y, DType shared) {
        ct_moe_combine_params.out_dtype(struct, out.code());
        ct_moe_combine_params.y_dtype(struct, y.code());
        ct_moe_combine_params.shared_dtype(struct, shared.code());
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
