package io.cortado.model;

import io.cortado.device.NormKind;
import io.cortado.device.RopeStyle;

/**
 * GLM-4: neighbouring pairs of half the head rotate; gate and up are one matrix. Published under
 * two names: {@code glm} (GLM-4-9B) and {@code glm4} (GLM-4-0414), which norms the outputs of
 * attention and MLP as well.
 */
final class Glm {
    private static final double PART_BY_DEFAULT = 0.5;

    private Glm() {}

    static DecoderShape shape(ConfigJson c) {
        return common(c).build();
    }

    static DecoderShape withOutputNorms(ConfigJson c) {
        return common(c)
                .normPlaces(
                        "input_layernorm",
                        "post_self_attn_layernorm",
                        "post_attention_layernorm",
                        "post_mlp_layernorm")
                .build();
    }

    private static ShapeBuilder common(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        RopeReader rope = shape.ropeReader().style(RopeStyle.NEIGHBOURS).part(PART_BY_DEFAULT);
        return shape.norm(NormKind.RMS, "rms_norm_eps", 1.5625e-7)
                .biases(c.flag("attention_bias", true), false, false)
                .fused(false, true)
                .rope(rope.read(c));
    }
}
