package io.cortado.model;

import io.cortado.device.NormKind;

/** OLMo 2: norms after attention and MLP only; q and k are normed over all heads together. */
final class Olmo2 {
    private Olmo2() {}

    static DecoderShape shape(ConfigJson c) {
        boolean attentionBias = c.flag("attention_bias", false);
        return new ShapeBuilder(c)
                .norm(NormKind.RMS, "rms_norm_eps", 1e-5)
                .normPlaces(null, "post_attention_layernorm", null, "post_feedforward_layernorm")
                .qkNorm(DecoderShape.QkNorm.ALL_HEADS)
                .biases(attentionBias, attentionBias, false)
                .build();
    }
}
