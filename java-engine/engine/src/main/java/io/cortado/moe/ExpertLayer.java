package io.cortado.moe;

import io.cortado.device.Buffer;
import io.cortado.device.Weights;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The experts of one layer, and what chooses among them.
 *
 * @param router [experts][hidden]
 * @param correction of the choice alone, float32[experts]
 * @param experts those on the device of the experts; null: other ranks have them
 * @param hot those that are on the device of all else instead; null: none
 */
public record ExpertLayer(
        Weights router,
        @Nullable Buffer routerBias,
        @Nullable Buffer correction,
        @Nullable ExpertMatrices experts,
        @Nullable ExpertMatrices hot) {

    /** Of all of it. */
    public long bytes() {
        return router.bytes()
                + bytes(routerBias)
                + bytes(correction)
                + (experts == null ? 0 : experts.bytes())
                + (hot == null ? 0 : hot.bytes());
    }

    /** The experts, which are here. */
    ExpertMatrices held() {
        return Objects.requireNonNull(experts);
    }

    static long bytes(@Nullable Buffer vector) {
        return vector == null ? 0 : vector.bytes();
    }
}
