package io.cortado.model;

import io.cortado.device.MoeScores;
import io.cortado.device.NormKind;

/** OLMoE: experts in every layer; q and k are normed over all heads together. */
final class Olmoe {
    private Olmoe() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        boolean attentionBias = c.flag("attention_bias", false);
        c.requireNothing("clip_qkv");
        var routing =
                ExpertReader.routing(
                        c, "num_experts", MoeScores.SOFTMAX, c.flag("norm_topk_prob", false));
        return shape.norm(NormKind.RMS, "rms_norm_eps", 1e-5)
                .qkNorm(DecoderShape.QkNorm.ALL_HEADS)
                .biases(attentionBias, attentionBias, false)
                .experts(
                        ExpertReader.plain(
                                c,
                                shape.hiddenSize(),
                                routing,
                                "intermediate_size",
                                ExpertNames.USUAL),
                        layer -> true)
                .build();
    }
}
