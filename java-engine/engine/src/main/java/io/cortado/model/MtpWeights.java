package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;

/**
 * The weights of a layer that predicts a further token.
 *
 * @param decoder the layer, its norm, and an embedding and a head: its own or the target's
 * @param embeddingNorm of the embedding of the next token, beside featureNorm, of the feature
 * @param projection of both to the layer's input
 * @param bytes of what is not the target's
 */
record MtpWeights(
        DecoderWeights decoder,
        Buffer embeddingNorm,
        Buffer featureNorm,
        Weights projection,
        long bytes) {}
