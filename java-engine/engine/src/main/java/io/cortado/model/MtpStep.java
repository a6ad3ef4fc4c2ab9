package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Stream;

/** A pass of a layer that predicts a further token. */
final class MtpStep extends DraftStep {
    private final MtpWeights weights;
    private final Buffer targetNorm;

    /**
     * @param targetNorm the target's last norm: states are kept without it
     */
    MtpStep(
            Device device,
            DecoderShape shape,
            DType dtype,
            MtpWeights weights,
            Buffer targetNorm,
            DecoderState state) {
        super(device, shape, shape.hiddenSize(), dtype, weights.decoder(), null, state);
        this.weights = weights;
        this.targetNorm = targetNorm;
    }

    @Override
    void toFeatures(int numTokens, Stream stream) {
        norm(features, shape.hiddenSize(), null, states, targetNorm, numTokens, stream);
    }

    /** The residual stream begins with a projection of embedding and feature. */
    @Override
    void forward(
            BatchInputs in,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream) {
        int width = shape.hiddenSize();
        DecoderWeights of = weights.decoder();
        DecoderWeights.Layer layer = of.layers().getFirst();
        decoder.prepare(in.layers(), numTokens, numSeqs, maxQLen, stream);
        input(of, weights.embeddingNorm(), weights.featureNorm(), null, in, numTokens, stream);
        s.gemm.enqueue(
                s.tokens.hidden,
                both,
                weights.projection(),
                null,
                numTokens,
                width,
                2 * width,
                dtype,
                dtype,
                stream);
        Kernels.fill(s.tokens.residual, 0, 4L * numTokens * width, 0, stream);
        decoder.addAndNorm(s.tokens.normed, layer.attentionInNorm(), 1, numTokens, stream);
        decoder.attention(0, s.tokens.normed, width, in.layers(), numTokens, stream);
        decoder.addAndNorm(s.tokens.normed, layer.mlpInNorm(), 1, numTokens, stream);
        decoder.mlp(layer, in.layers(), numTokens, stream);
        if (numLogitRows > 0) {
            decoder.head(in, numTokens, numLogitRows, stream);
        }
        decoder.addAndNorm(left, of.norm(), 1, numTokens, stream);
    }
}
