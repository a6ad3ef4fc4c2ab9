package io.cortado.model;

/** Qwen 3: a norm on each head of q and k. */
final class Qwen3 {
    private Qwen3() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        boolean attentionBias = c.flag("attention_bias", false);
        return shape.qkNorm(DecoderShape.QkNorm.EACH_HEAD)
                .biases(attentionBias, attentionBias, false)
                .windows(Windows.upperLayers(c, shape.numLayers()))
                .build();
    }
}
