package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;
import org.jspecify.annotations.Nullable;

/**
 * The experts of one layer, and what chooses among them.
 *
 * @param router [experts][hidden]
 * @param correction of the choice alone, float32[experts]
 * @param experts those on the device of the experts
 * @param hot those that are on the device of all else instead; null: none
 */
public record ExpertLayer(
        Weights router,
        @Nullable Buffer routerBias,
        @Nullable Buffer correction,
        ExpertMatrices experts,
        @Nullable ExpertMatrices hot) {

    /** Of all of it. */
    public long bytes() {
        return router.bytes()
                + bytes(routerBias)
                + bytes(correction)
                + experts.bytes()
                + (hot == null ? 0 : hot.bytes());
    }

    static long bytes(@Nullable Buffer vector) {
        return vector == null ? 0 : vector.bytes();
    }
}
