package io.cortado.model;

/** Llama 1 to 3.3, and the many that kept its shape. */
final class Llama {
    private Llama() {}

    static DecoderShape shape(ConfigJson c) {
        boolean attentionBias = c.flag("attention_bias", false);
        return new ShapeBuilder(c)
                .biases(attentionBias, attentionBias, c.flag("mlp_bias", false))
                .build();
    }
}
