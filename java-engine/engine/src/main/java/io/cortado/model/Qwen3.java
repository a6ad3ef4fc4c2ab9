package io.cortado.model;

/** Qwen 3: a norm on each head of q and k. */
final class Qwen3 {
    private Qwen3() {}

    static DecoderShape shape(ConfigJson c) {
        return common(c).build();
    }

    /** Qwen 3 MoE: experts in most layers. */
    static DecoderShape withExperts(ConfigJson c) {
        ShapeBuilder shape = common(c);
        return shape.experts(Qwen2.experts(c, shape), Qwen2.isSparse(c, shape.numLayers())).build();
    }

    private static ShapeBuilder common(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        boolean attentionBias = c.flag("attention_bias", false);
        return shape.qkNorm(DecoderShape.QkNorm.EACH_HEAD)
                .biases(attentionBias, attentionBias, false)
                .windows(Windows.upperLayers(c, shape.numLayers()));
    }
}
