package io.cortado.layout;

/**
 * The shape of a mixture of experts.
 *
 * @param sparseLayers that have experts
 * @param denseLayers that have none
 * @param denseParameters of a dense layer's MLP
 * @param attention parameters of a layer's attention
 * @param pairFlops operations of a layer for a token and a token that it attends to
 * @param kvBytesPerLayer of a token's keys and values
 * @param kvHeads that can be split over devices
 * @param intermediate rows of an expert's inner matrices
 * @param sharedParameters of the expert that all tokens take; 0: there is none
 * @param weightBytes of a parameter of attention, dense MLP and shared expert
 * @param expertWeightBytes of a parameter of the other experts
 * @param isFp8 products and rows sent to experts have 8 bits
 */
public record LayoutModel(
        String name,
        int sparseLayers,
        int denseLayers,
        int hidden,
        double denseParameters,
        double attention,
        double pairFlops,
        double kvBytesPerLayer,
        int kvHeads,
        int experts,
        int chosen,
        int intermediate,
        double sharedParameters,
        int vocabulary,
        double weightBytes,
        double expertWeightBytes,
        boolean isFp8) {
    private static final int ACTIVATION_BYTES = 2;

    double expertParameters() {
        return 3.0 * hidden * intermediate;
    }

    double expertBytes() {
        return expertParameters() * expertWeightBytes;
    }

    /** Of all that is no expert, but for the vocabulary's matrices. */
    double attentionBytes() {
        double sparse = sparseLayers * (attention + sharedParameters);
        return (sparse + denseLayers * (attention + denseParameters)) * weightBytes;
    }

    /** Of the vocabulary's two matrices, in bf16. */
    double vocabularyBytes() {
        return 2.0 * ACTIVATION_BYTES * vocabulary * hidden;
    }

    /** Of a token's keys and values. */
    public double kvBytes() {
        return kvBytesPerLayer * (sparseLayers + denseLayers);
    }

    /** Of a token's row, as it is sent to experts. */
    double sentBytes() {
        return (double) hidden * (isFp8 ? 1 : ACTIVATION_BYTES);
    }

    /** Of a token's row, as it comes back. */
    double returnedBytes() {
        return (double) hidden * ACTIVATION_BYTES;
    }

    /** Of so many experts, how many at least one of the tokens chooses, where each is as likely. */
    double touched(double held, double tokens) {
        return held * (1 - Math.pow(1 - (double) chosen / experts, tokens));
    }

    /** On how many of so many ranks a token has an expert, where all are as likely. */
    double destinations(int ranks) {
        return ranks * (1 - Math.pow(1 - 1.0 / ranks, chosen));
    }
}
