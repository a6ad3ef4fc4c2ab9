package io.cortado.device;

import static io.cortado.device.NativeException.check;
import static io.cortado.device.NativeHandle.addressOrNull;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The operations of a mixture of experts, in the order of work: route, plan, experts, combine;
 * {@code cortado.h} tells shapes and contracts. Each only enqueues, and allocates nothing.
 */
public final class MoeKernels {
    private MoeKernels() {}

    /**
     * Chooses each token's experts; {@code counts} takes the tokens that chose each.
     *
     * @param slotMapping tokens whose slot is negative fill up a batch and choose none
     */
    public static void route(
            Buffer ids,
            Buffer weights,
            @Nullable Buffer counts,
            Buffer logits,
            @Nullable Buffer bias,
            @Nullable Buffer slotMapping,
            MoeRouteParams params,
            Stream stream) {
        check(
                CortadoNative.ct_moe_route(
                        ids.address(),
                        weights.address(),
                        addressOrNull(counts),
                        logits.address(),
                        addressOrNull(bias),
                        addressOrNull(slotMapping),
                        params.struct(),
                        stream.address()));
    }

    /** Bytes of a plan for at most so many tokens. Not for the step loop: it allocates. */
    public static long planBytes(Device device, long numTokens, int topK, int numExperts) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(
                    CortadoNative.ct_moe_plan_bytes(
                            out, device.address(), numTokens, topK, numExperts));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    /** Sorts the slots by expert. */
    public static void plan(
            Buffer plan, Buffer ids, long numTokens, int topK, int numExperts, Stream stream) {
        check(
                CortadoNative.ct_moe_plan(
                        plan.address(),
                        ids.address(),
                        numTokens,
                        topK,
                        numExperts,
                        stream.address()));
    }

    /** A row of y for each slot of an expert that is on the device. */
    public static void experts(
            Buffer y,
            Buffer x,
            Buffer plan,
            ExpertWeights experts,
            @Nullable Buffer gateBias,
            @Nullable Buffer upBias,
            @Nullable Buffer downBias,
            Buffer workspace,
            MoeParams params,
            Stream stream) {
        check(
                CortadoNative.ct_moe_experts(
                        y.address(),
                        x.address(),
                        plan.address(),
                        experts.address(),
                        addressOrNull(gateBias),
                        addressOrNull(upBias),
                        addressOrNull(downBias),
                        workspace.address(),
                        params.struct(),
                        stream.address()));
    }

    /** The weighted sum of each token's slots, and what shared experts add to it. */
    public static void combine(
            Buffer out,
            Buffer y,
            Buffer ids,
            Buffer weights,
            @Nullable Buffer present,
            @Nullable Buffer shared,
            @Nullable Buffer sharedGate,
            MoeCombineParams params,
            Stream stream) {
        check(
                CortadoNative.ct_moe_combine(
                        out.address(),
                        y.address(),
                        ids.address(),
                        weights.address(),
                        addressOrNull(present),
                        addressOrNull(shared),
                        addressOrNull(sharedGate),
                        params.struct(),
                        stream.address()));
    }
}
