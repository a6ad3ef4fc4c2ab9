package io.cortado.moe;

import io.cortado.device.MoeActivation;

/**
 * The experts of a layer as numbers.
 *
 * @param hiddenSize of a token
 * @param innerSize between an expert's matrices
 * @param activation between gate and up
 * @param alpha of {@link MoeActivation#SILU_CLAMPED}, as limit
 * @param hasBiases each of an expert's matrices has a bias
 */
public record ExpertShape(
        Routing routing,
        int hiddenSize,
        int innerSize,
        MoeActivation activation,
        float alpha,
        float limit,
        boolean hasBiases) {
    /** Without clamp and biases. */
    public static ExpertShape of(
            Routing routing, int hiddenSize, int innerSize, MoeActivation activation) {
        return new ExpertShape(routing, hiddenSize, innerSize, activation, 0, 0, false);
    }

    public int numExperts() {
        return routing.numExperts();
    }

    public int topK() {
        return routing.topK();
    }

    /** Weights of a layer's experts and of their router, biases included, in elements. */
    public long numParameters() {
        return numExperts() * (3L * hiddenSize * innerSize + hiddenSize) + numVectorElements();
    }

    /** Biases of the experts' matrices. */
    public long numBiasElements() {
        return hasBiases ? numExperts() * (2L * innerSize + hiddenSize) : 0;
    }

    /** Those of them that are biases. */
    public long numVectorElements() {
        int ofExpert = (routing.hasBias() ? 1 : 0) + (routing.hasCorrection() ? 1 : 0);
        return numBiasElements() + (long) numExperts() * ofExpert;
    }
}
