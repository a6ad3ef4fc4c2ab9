package io.cortado.model;

/** Granite 3: Llama with four multipliers; the one of the logits divides. */
final class Granite {
    private Granite() {}

    static DecoderShape shape(ConfigJson c) {
        boolean attentionBias = c.flag("attention_bias", false);
        return new ShapeBuilder(c)
                .biases(attentionBias, attentionBias, c.flag("mlp_bias", false))
                .attentionScale(c.number("attention_multiplier", 1e-9, 1e9, 1))
                .multipliers(
                        c.number("embedding_multiplier", 1e-9, 1e9, 1),
                        c.number("residual_multiplier", 1e-9, 1e9, 1),
                        1 / c.number("logits_scaling", 1e-9, 1e9, 1))
                .build();
    }
}
