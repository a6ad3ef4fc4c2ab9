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

    /** hidden = MLP of normed. */
    void enqueue(DecoderWeights.Mlp mlp, BatchInputs in, int numTokens, Stream stream) {
        switch (mlp) {
            case DecoderWeights.Dense dense ->
                    dense(dense, shape.intermediateSize(), numTokens, stream);
            case DecoderWeights.Experts experts -> experts(experts, in, numTokens, stream);
        }
    }

    private void dense(DecoderWeights.Dense mlp, int inner, int numTokens, Stream stream) {
        int width = shape.hiddenSize();
        int both = 2 * inner;
        s.gemm.enqueue(
                s.gateUp,
                s.normed,
                mlp.gateUp(),
                mlp.gateUpBias(),
                numTokens,
                both,
                width,
                dtype,
                dtype,
                stream);
        Kernels.activationMul(
                s.gateUp,
                s.gateUp,
                numTokens,
                inner,
                both,
                both,
                dtype,
                shape.activation(),
                stream);
        s.output.enqueue(s.gateUp, mlp.down(), mlp.downBias(), numTokens, both, s.normed, stream);
    }

    /** What all tokens share comes first, into hidden; the chosen experts are added to it there. */
    private void experts(
            DecoderWeights.Experts experts, BatchInputs in, int numTokens, Stream stream) {
        ExpertStep step = Objects.requireNonNull(s.experts);
        DecoderShape.Experts of = Objects.requireNonNull(shape.experts());
        @Nullable Buffer shared = null;
        if (experts.shared() != null) {
            dense(experts.shared(), of.sharedSize(), numTokens, stream);
            shared = s.hidden;
        }
        @Nullable Buffer gate = null;
        if (experts.sharedGate() != null) {
            gate = Objects.requireNonNull(s.sharedGate);
            s.gemm.enqueue(
                    gate,
                    s.normed,
                    experts.sharedGate(),
                    null,
                    numTokens,
                    1,
                    shape.hiddenSize(),
                    DType.F32,
                    dtype,
                    stream);
        }
        step.enqueue(
                s.hidden,
                s.normed,
                experts.chosen(),
                shared,
                gate,
                in.slotMappingBuffer(),
                in.positions(),
                numTokens,
                s.gemm,
                stream);
    }
}
