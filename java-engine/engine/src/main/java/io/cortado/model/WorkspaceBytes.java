package io.cortado.model;

import io.cortado.device.AttentionParams;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.RopeStyle;
import io.cortado.moe.ExpertStep;
import java.util.LinkedHashSet;
import java.util.Objects;
import java.util.Set;

/** What a decoder computes in beside weights and KV cache, in bytes, before it is made. */
public final class WorkspaceBytes {
    public static final int STEPS_UNDER_WAY = 2;

    private WorkspaceBytes() {}

    /**
     * Of what {@link CausalLm#allocate} makes with the same arguments, without the KV cache, and of
     * the inputs of two steps.
     *
     * @param microBatches of a step, at most: 1, or 2 where experts are on other ranks
     */
    public static long of(
            Placement placement,
            ModelConfig config,
            Activations activations,
            KvType kvType,
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int maxLogitRows,
            boolean isDeterministic,
            int microBatches) {
        BatchLimits limits =
                BatchLimits.ofSteps(maxNumSeqs, maxNumBatchedTokens, maxBlocksPerSeq, maxLogitRows);
        DType kvDtype = kvType.dtype(activations);
        return ofState(
                        placement,
                        config.shape(),
                        config.maxPositions(),
                        activations.dtype(),
                        kvDtype,
                        limits,
                        isDeterministic,
                        microBatches)
                + STEPS_UNDER_WAY * BatchInputs.bytes(limits, microBatches);
    }

    /**
     * Of the inputs of a drafter's passes.
     *
     * @param count of passes that have inputs of their own
     * @param isHead they have rows that features come from as well
     */
    public static long ofDraftInputs(
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int count,
            boolean isHead) {
        BatchLimits limits =
                BatchLimits.ofSteps(maxNumSeqs, maxNumBatchedTokens, maxBlocksPerSeq, maxNumSeqs);
        long each = isHead ? DraftInputs.bytes(limits) : BatchInputs.bytes(limits, 1);
        return Math.multiplyExact(each, (long) count);
    }

    /** Of a {@link DecoderState}. */
    static long ofState(
            Placement placement,
            DecoderShape shape,
            int maxPositions,
            DType dtype,
            DType kvDtype,
            BatchLimits limits,
            boolean isDeterministic,
            int microBatches) {
        Device device = placement.device();
        long width = shape.hiddenSize();
        long perRow = width * 4 + 2 * width * dtype.bytes();
        return ofLayers(device, shape, dtype, kvDtype, limits, isDeterministic)
                + Math.multiplyExact(perRow, (long) limits.maxLogitRows())
                + RankStep.logitBytes(device, shape, limits)
                + RankStep.bytes(device, shape, dtype, limits)
                + limits.maxNumSeqs() * width * 4
                + angles(shape, maxPositions, limits)
                + experts(placement, shape, dtype, limits)
                + (microBatches == 1
                        ? 0
                        : ofSecond(device, shape, dtype, kvDtype, limits, isDeterministic));
    }

    /** What a micro-batch has of its own between two operations of its layers. */
    private static long ofLayers(
            Device device,
            DecoderShape shape,
            DType dtype,
            DType kvDtype,
            BatchLimits limits,
            boolean isDeterministic) {
        long perToken =
                TokenBuffers.bytesPerToken(shape, dtype) + LatentStep.bytesPerToken(shape, dtype);
        AttentionParams params =
                DecoderState.attentionParams(
                        device, limits, shape, dtype, kvDtype, 0, isDeterministic);
        return Math.multiplyExact(perToken, (long) limits.maxNumBatchedTokens())
                + DecoderState.planBytes(device, limits, params);
    }

    private static long ofSecond(
            Device device,
            DecoderShape shape,
            DType dtype,
            DType kvDtype,
            BatchLimits limits,
            boolean isDeterministic) {
        DecoderShape.Experts experts = Objects.requireNonNull(shape.experts());
        BatchLimits second = limits.secondMicroBatch();
        int tokens = second.maxNumBatchedTokens();
        return ofLayers(device, shape, dtype, kvDtype, second, isDeterministic)
                + ExpertStep.secondBytes(device, experts.shape(), dtype, tokens);
    }

    private static long experts(
            Placement placement, DecoderShape shape, DType dtype, BatchLimits limits) {
        DecoderShape.Experts experts = shape.experts();
        int tokens = limits.maxNumBatchedTokens();
        int layers = shape.numExpertLayers();
        return experts == null
                ? 0
                : ExpertStep.bytes(placement, experts.shape(), dtype, layers, tokens);
    }

    /** The same in host memory, of experts that the CPU computes for another device. */
    public static long onHost(
            Placement placement, ModelConfig config, Activations activations, int maxTokens) {
        DecoderShape.Experts experts = config.shape().experts();
        return experts == null
                ? 0
                : ExpertStep.hostBytes(placement, experts.shape(), activations.dtype(), maxTokens);
    }

    private static long angles(DecoderShape shape, int maxPositions, BatchLimits limits) {
        int positions = DecoderState.positions(maxPositions, limits);
        Set<Rope> ropes = new LinkedHashSet<>();
        shape.layers().forEach(layer -> ropes.add(layer.rope()));
        return ropes.stream()
                .filter(rope -> rope.style() != RopeStyle.NONE)
                .mapToLong(rope -> RopeTable.rows(rope, positions) * rope.rotaryDim() * 4)
                .sum();
    }
}
