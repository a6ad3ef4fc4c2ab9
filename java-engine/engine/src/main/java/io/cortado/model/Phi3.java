package io.cortado.model;

import io.cortado.device.NormKind;
import java.util.Set;

/**
 * Phi-3, 3.5 and 4: fused projections, a window on every layer, long rope on a part of the head.
 */
final class Phi3 {
    private Phi3() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        // Long rope reads it; the others are published with it all the same.
        c.ignore(Set.of("original_max_position_embeddings"));
        c.require("full_attn_mod", 1);
        c.require("interpolate_factor", 1);
        return shape.fused(true, true)
                .norm(NormKind.RMS, "rms_norm_eps", 1e-5)
                .windows(Windows.everywhere(c, shape.numLayers()))
                .rope(shape.ropeReader().part(1).read(c))
                .build();
    }
}
