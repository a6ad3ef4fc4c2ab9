package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.ExpertWeights;
import org.jspecify.annotations.Nullable;

/**
 * Experts of a layer that are on one device.
 *
 * @param gateBias float32[experts][inner], as upBias; downBias [experts][hidden]
 * @param present int32[experts], not 0 for those that are; null: all are
 */
public record ExpertMatrices(
        ExpertWeights weights,
        @Nullable Buffer gateBias,
        @Nullable Buffer upBias,
        @Nullable Buffer downBias,
        @Nullable Buffer present) {

    /** Of all of it. */
    long bytes() {
        long bytes = 0;
        for (int i = 0; i < weights.numExperts(); i++) {
            bytes += weights.bytes(i);
        }
        return bytes
                + ExpertLayer.bytes(gateBias)
                + ExpertLayer.bytes(upBias)
                + ExpertLayer.bytes(downBias)
                + ExpertLayer.bytes(present);
    }
}
