package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.Stream;
import io.cortado.moe.ExpertStep;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The operations between attention and the next layer: a dense MLP, or a mixture of experts. */
final class MlpStep {
    private final DecoderShape shape;
    private final DType dtype;
    private final DecoderState s;

    MlpStep(DecoderShape shape, DType dtype, DecoderState state) {
        this.shape = shape;
        this.dtype = dtype;
        s = state;
    }

    /** Enqueues a dense MLP, or all of a mixture but the sum of what its experts have made. */
    void begin(DecoderWeights.Mlp mlp, LayerInputs in, int numTokens, Stream stream) {
        switch (mlp) {
            case DecoderWeights.Dense dense ->
                    dense(dense, shape.intermediateSize(), numTokens, stream);
            case DecoderWeights.Experts experts -> begin(experts, in, numTokens, stream);
        }
    }

    /** Enqueues, after {@link #begin}, what is left: hidden = MLP of normed. */
    void end(DecoderWeights.Mlp mlp, int numTokens, Stream stream) {
        if (mlp instanceof DecoderWeights.Experts experts) {
            ExpertStep step = Objects.requireNonNull(s.experts);
            @Nullable Buffer shared = experts.shared() == null ? null : s.tokens.hidden;
            @Nullable Buffer gate = experts.sharedGate() == null ? null : s.tokens.sharedGate;
            step.combine(
                    s.tokens.hidden,
                    s.tokens.normed,
                    experts.chosen(),
                    shared,
                    gate,
                    numTokens,
                    stream);
        }
    }

    private void dense(DecoderWeights.Dense mlp, int inner, int numTokens, Stream stream) {
        int width = shape.hiddenSize();
        int both = 2 * inner;
        s.gemm.enqueue(
                s.tokens.gateUp,
                s.tokens.normed,
                mlp.gateUp(),
                mlp.gateUpBias(),
                numTokens,
                both,
                width,
                dtype,
                dtype,
                stream);
        Kernels.activationMul(
                s.tokens.gateUp,
                s.tokens.gateUp,
                numTokens,
                inner,
                both,
                both,
                dtype,
                shape.activation(),
                stream);
        s.output.enqueue(
                s.tokens.gateUp,
                mlp.down(),
                mlp.downBias(),
                numTokens,
                both,
                s.tokens.normed,
                stream);
    }

    /**
     * What all tokens share is computed while their rows are on the way, into hidden; the chosen
     * experts are added to it there.
     */
    private void begin(
            DecoderWeights.Experts experts, LayerInputs in, int numTokens, Stream stream) {
        ExpertStep step = Objects.requireNonNull(s.experts);
        DecoderShape.Experts of = Objects.requireNonNull(shape.experts());
        step.route(
                s.tokens.normed,
                experts.chosen(),
                in.slotMapping(),
                in.hostPositions(),
                numTokens,
                s.gemm,
                stream);
        if (experts.shared() != null) {
            dense(experts.shared(), of.sharedSize(), numTokens, stream);
        }
        if (experts.sharedGate() != null) {
            s.gemm.enqueue(
                    Objects.requireNonNull(s.tokens.sharedGate),
                    s.tokens.normed,
                    experts.sharedGate(),
                    null,
                    numTokens,
                    1,
                    shape.hiddenSize(),
                    DType.F32,
                    dtype,
                    stream);
        }
    }
}
