package io.cortado.model;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Stream;

/** A pass of an EAGLE-3 head. */
final class Eagle3Step extends DraftStep {
    private final Eagle3Config config;
    private final Eagle3Weights weights;

    Eagle3Step(
            Device device,
            Eagle3Config config,
            DType dtype,
            Eagle3Weights weights,
            DecoderState state) {
        super(
                device,
                config.shape(),
                config.keptSize(),
                dtype,
                weights.decoder(),
                weights.idMap(),
                state);
        this.config = config;
        this.weights = weights;
    }

    @Override
    void toFeatures(int numTokens, Stream stream) {
        s.gemm.enqueue(
                features,
                states,
                weights.features(),
                null,
                numTokens,
                shape.hiddenSize(),
                config.keptSize(),
                dtype,
                dtype,
                stream);
    }

    /** The residual stream begins with the feature. */
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
        Kernels.fill(s.tokens.residual, 0, 4L * numTokens * width, 0, stream);
        input(
                of,
                layer.attentionInNorm(),
                weights.hiddenNorm(),
                s.tokens.residual,
                in,
                numTokens,
                stream);
        decoder.attention(0, both, 2 * width, in.layers(), numTokens, stream);
        decoder.addAndNorm(s.tokens.normed, layer.mlpInNorm(), 1, numTokens, stream);
        decoder.mlp(layer, in.layers(), numTokens, stream);
        if (numLogitRows > 0) {
            decoder.head(in, numTokens, numLogitRows, stream);
        }
        decoder.copyResidual(left, width, 1, numTokens, stream);
    }
}
