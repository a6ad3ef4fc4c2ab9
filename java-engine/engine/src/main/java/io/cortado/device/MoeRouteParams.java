package io.cortado.device;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.ct_moe_route_params;
import java.lang.foreign.MemorySegment;

/** Arguments of {@link MoeKernels#route}, filled once and reused every step: a call copies them. */
public final class MoeRouteParams {
    private final MemorySegment struct;

    public MoeRouteParams(Device device) {
        struct = device.allocate(ct_moe_route_params.sizeof());
        ct_moe_route_params.struct_bytes(struct, ct_moe_route_params.sizeof());
    }

    public MoeRouteParams numTokens(long value) {
        ct_moe_route_params.num_tokens(struct, value);
        return this;
    }

    /** Elements from one token's logits to the next. */
    public MoeRouteParams logitsStride(long value) {
        ct_moe_route_params.logits_stride(struct, value);
        return this;
    }

    public MoeRouteParams experts(int numExperts, int topK) {
        ct_moe_route_params.num_experts(struct, numExperts);
        ct_moe_route_params.top_k(struct, topK);
        return this;
    }

    public MoeRouteParams scores(MoeScores value) {
        ct_moe_route_params.scores(struct, value.code());
        return this;
    }

    /**
     * Only experts of the best groups may be chosen.
     *
     * @param byBestTwo groups are compared by the sum of their best two keys, else by their best
     */
    public MoeRouteParams groups(int numGroups, int topGroups, boolean byBestTwo) {
        ct_moe_route_params.num_groups(struct, numGroups);
        ct_moe_route_params.top_groups(struct, topGroups);
        ct_moe_route_params.group_score(
                struct,
                byBestTwo
                        ? CortadoNative.CT_MOE_GROUP_BEST_TWO()
                        : CortadoNative.CT_MOE_GROUP_BEST());
        return this;
    }

    /** Whether the weights are divided by their sum, and what they are multiplied with then. */
    public MoeRouteParams weights(boolean renormalize, float scale) {
        ct_moe_route_params.renormalize(struct, renormalize ? 1 : 0);
        ct_moe_route_params.scale(struct, scale);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
