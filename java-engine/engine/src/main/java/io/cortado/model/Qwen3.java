package io.cortado.model;

/** Qwen 3: a norm on each head of q and k. */
final class Qwen3 {
    private Qwen3() {}

    static DecoderShape shape(ConfigJson c) {
        DecoderShape shape = DecoderShape.read(c);
        boolean attentionBias = c.flag("attention_bias", false);
        return shape.withQkNorm()
                .withBiases(attentionBias, attentionBias, false)
                .withWindows(Windows.upperLayers(c, shape.numLayers()));
    }
}
