package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.ExpertWeights;
import io.cortado.device.Weights;
import org.jspecify.annotations.Nullable;

/**
 * The experts of one layer on a device, and what chooses among them.
 *
 * @param router [experts][hidden]
 * @param correction of the choice alone, float32[experts]
 * @param gateBias float32[experts][inner], as upBias; downBias [experts][hidden]
 */
public record ExpertLayer(
        Weights router,
        @Nullable Buffer routerBias,
        @Nullable Buffer correction,
        ExpertWeights experts,
        @Nullable Buffer gateBias,
        @Nullable Buffer upBias,
        @Nullable Buffer downBias) {

    /** Of all of it. */
    public long bytes() {
        long bytes = router.bytes();
        for (int i = 0; i < experts.numExperts(); i++) {
            bytes += experts.bytes(i);
        }
        return bytes
                + bytes(routerBias)
                + bytes(correction)
                + bytes(gateBias)
                + bytes(upBias)
                + bytes(downBias);
    }

    private static long bytes(@Nullable Buffer vector) {
        return vector == null ? 0 : vector.bytes();
    }
}
