package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;
import org.jspecify.annotations.Nullable;

/**
 * The weights of an EAGLE-3 head on the device.
 *
 * @param decoder the layer and what stands around it; embedding and head may be the target's
 * @param hiddenNorm of the features, beside the layer's own norm of the embedding
 * @param features from the target's states to a feature
 * @param idMap int32[draft vocabulary] on the device: the target's ids; null: they are the draft's
 * @param targetIds the same for the host
 * @param bytes of what is the head's own
 */
record Eagle3Weights(
        DecoderWeights decoder,
        Buffer hiddenNorm,
        Weights features,
        @Nullable Buffer idMap,
        int @Nullable [] targetIds,
        long bytes) {}
