package io.cortado.model;

import io.cortado.device.Activation;
import java.util.Set;

/** Gemma 2: norms before and after, even layers sliding, soft caps on scores and logits. */
final class Gemma2 {
    private static final int WINDOW_BY_DEFAULT = 4096;

    private Gemma2() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = common(c);
        int window = window(c);
        return shape.softCaps(
                        cap(c, "attn_logit_softcapping", 50), cap(c, "final_logit_softcapping", 30))
                .windows(Windows.some(c, shape.numLayers(), window, layer -> layer % 2 == 0))
                .build();
    }

    /** What Gemma 3 has as well. */
    static ShapeBuilder common(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        // The published files name the activation twice, and readers take the other one.
        c.ignore(Set.of("hidden_act"));
        boolean attentionBias = c.flag("attention_bias", false);
        return shape.normOffset(1)
                .normPlaces(
                        "input_layernorm",
                        "post_attention_layernorm",
                        "pre_feedforward_layernorm",
                        "post_feedforward_layernorm")
                .activation("hidden_activation", Activation.GELU_TANH)
                .biases(attentionBias, attentionBias, false)
                .attentionScale(1 / Math.sqrt(c.number("query_pre_attn_scalar", 1e-6, 1e6, 256)))
                .multipliers(Math.sqrt(shape.hiddenSize()), 1, 1)
                .tiedByDefault();
    }

    /** Null: no layer has one. */
    static int window(ConfigJson c) {
        int absent = c.saysNull("sliding_window") ? 0 : WINDOW_BY_DEFAULT;
        return c.integer("sliding_window", 1, ModelConfig.MAX_POSITIONS, absent);
    }

    /** Null: none; absent: the published models'. */
    private static double cap(ConfigJson c, String key, double absent) {
        return c.number(key, 1e-6, 1e6, c.saysNull(key) ? 0 : absent);
    }
}
