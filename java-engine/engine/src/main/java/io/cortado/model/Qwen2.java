package io.cortado.model;

import io.cortado.device.MoeScores;
import io.cortado.moe.Routing;
import java.util.Set;
import java.util.function.IntPredicate;

/** Qwen 2 and 2.5: biases on q, k and v, whatever {@code attention_bias} says. */
final class Qwen2 {
    private Qwen2() {}

    static DecoderShape shape(ConfigJson c) {
        return common(c).build();
    }

    /** Qwen 1.5 and 2 MoE: in most layers experts, one of them shared and gated. */
    static DecoderShape withExperts(ConfigJson c) {
        ShapeBuilder shape = common(c);
        c.require("qkv_bias", true);
        int shared = ExpertReader.innerSize(c, "shared_expert_intermediate_size");
        DecoderShape.Experts plain = experts(c, shape);
        return shape.experts(
                        new DecoderShape.Experts(plain.shape(), shared, true, plain.names()),
                        isSparse(c, shape.numLayers()))
                .build();
    }

    private static ShapeBuilder common(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        c.ignore(Set.of("attention_bias"));
        return shape.biases(true, false, false).windows(Windows.upperLayers(c, shape.numLayers()));
    }

    /** What Qwen 3 has as well. */
    static DecoderShape.Experts experts(ConfigJson c, ShapeBuilder shape) {
        Routing routing =
                ExpertReader.routing(
                        c, "num_experts", MoeScores.SOFTMAX, c.flag("norm_topk_prob", false));
        return ExpertReader.plain(
                c, shape.hiddenSize(), routing, "moe_intermediate_size", ExpertNames.USUAL);
    }

    /** Each {@code decoder_sparse_step}th layer, but for those of {@code mlp_only_layers}. */
    static IntPredicate isSparse(ConfigJson c, int numLayers) {
        int step = c.integer("decoder_sparse_step", 1, 1 << 16, 1);
        Set<Integer> dense = Set.copyOf(c.ids("mlp_only_layers", numLayers));
        return layer -> !dense.contains(layer) && (layer + 1) % step == 0;
    }
}
