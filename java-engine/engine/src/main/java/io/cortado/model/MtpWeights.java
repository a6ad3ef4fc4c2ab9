package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;

/**
 * The weights of a layer that predicts a further token.
 *
 * @param decoder the layer, and embedding, norm and head of its own
 * @param embeddingNorm of the embedding of the next token, beside featureNorm, of the feature
 * @param projection of both to the layer's input
 */
record MtpWeights(
        DecoderWeights decoder, Buffer embeddingNorm, Buffer featureNorm, Weights projection) {
    long bytes() {
        return decoder.bytes() + embeddingNorm.bytes() + featureNorm.bytes() + projection.bytes();
    }
}
