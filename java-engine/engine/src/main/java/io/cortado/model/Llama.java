package io.cortado.model;

/** Llama 1 to 3.3, and the many that kept its shape. */
final class Llama {
    private Llama() {}

    static DecoderShape shape(ConfigJson c) {
        DecoderShape shape = DecoderShape.read(c);
        boolean attentionBias = c.flag("attention_bias", false);
        return shape.withBiases(attentionBias, attentionBias, c.flag("mlp_bias", false))
                .withWindows(Windows.none(c, shape.numLayers()));
    }
}
