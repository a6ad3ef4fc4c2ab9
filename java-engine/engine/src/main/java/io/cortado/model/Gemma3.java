package io.cortado.model;

import java.util.ArrayList;
import java.util.List;

/**
 * Gemma 3, text only: Gemma 2 with norms on the heads of q and k; sliding layers rotate with a base
 * of their own and unscaled.
 */
final class Gemma3 {
    private static final double LOCAL_THETA = 10000;
    private static final String LOCAL_KEY = "rope_local_base_freq";
    private static final String FULL = "full_attention";
    private static final String SLIDING = "sliding_attention";

    private Gemma3() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = Gemma2.common(c);
        int window = Gemma2.window(c);
        if (window == 0) {
            throw ModelException.unsupported(c.where() + ": sliding_window must not be null here");
        }
        int pattern = c.integer("_sliding_window_pattern", 1, 1 << 16, 6);
        int every = c.integer("sliding_window_pattern", 1, 1 << 16, pattern);
        List<Integer> windows =
                Windows.some(c, shape.numLayers(), window, layer -> (layer + 1) % every != 0);
        return shape.qkNorm(DecoderShape.QkNorm.EACH_HEAD)
                .softCaps(0, c.number("final_logit_softcapping", 1e-6, 1e6, 0))
                .windows(windows)
                .ropes(ropes(c, shape.ropeReader().theta(1e6), windows))
                .build();
    }

    /** Flat keys, or {@code rope_parameters} with a block for each type of layer. */
    private static List<Rope> ropes(ConfigJson c, RopeReader reader, List<Integer> windows) {
        RopeReader local = reader.theta(LOCAL_THETA);
        ConfigJson parameters = c.object("rope_parameters");
        Rope full;
        Rope sliding;
        if (parameters != null && (parameters.has(FULL) || parameters.has(SLIDING))) {
            RopeReader.requireAgreement(c, parameters.find(FULL));
            full = reader.read(c, parameters.object(FULL), "rope_theta");
            sliding = local.read(c, parameters.object(SLIDING), LOCAL_KEY);
            parameters.refuseWhatNobodyUnderstood();
        } else {
            full = reader.read(c);
            sliding = local.read(c, null, LOCAL_KEY);
        }
        List<Rope> ropes = new ArrayList<>();
        for (int window : windows) {
            ropes.add(window > 0 ? sliding : full);
        }
        return ropes;
    }
}
