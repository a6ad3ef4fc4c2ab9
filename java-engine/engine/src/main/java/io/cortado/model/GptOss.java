package io.cortado.model;

import io.cortado.device.MoeActivation;
import io.cortado.device.MoeScores;
import io.cortado.device.NormKind;
import io.cortado.moe.ExpertShape;
import io.cortado.moe.Routing;
import java.util.Set;

/** gpt-oss: sinks, every other layer sliding, experts in every layer, biases everywhere. */
final class GptOss {
    /** Of the reference implementation; no key holds it. */
    private static final float ALPHA = 1.702f;

    static final ExpertNames NAMES =
            new ExpertNames(
                    "mlp.",
                    "router",
                    "gate_proj",
                    "up_proj",
                    "down_proj",
                    "shared_expert",
                    ExpertNames.Fused.ALTERNATING);

    private GptOss() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        boolean attentionBias = c.flag("attention_bias", true);
        int window = c.integer("sliding_window", 1, ModelConfig.MAX_POSITIONS, 128);
        // The original length, which rope_scaling holds too.
        c.ignore(Set.of("initial_context_length"));
        return shape.norm(NormKind.RMS, "rms_norm_eps", 1e-5)
                .biases(attentionBias, attentionBias, false)
                .sinks()
                .windows(Windows.some(c, shape.numLayers(), window, layer -> layer % 2 == 0))
                .rope(shape.ropeReader().theta(150000).read(c))
                .experts(experts(c, shape.hiddenSize()), layer -> true)
                .build();
    }

    private static DecoderShape.Experts experts(ConfigJson c, int hiddenSize) {
        int count = ExpertReader.count(c, "num_local_experts");
        int topK = ExpertReader.topK(c, count);
        if (c.integer("experts_per_token", 1, count, topK) != topK) {
            throw ModelException.unsupported(
                    c.where() + ": experts_per_token contradicts num_experts_per_tok");
        }
        Routing routing =
                new Routing(
                        count,
                        topK,
                        MoeScores.SOFTMAX_CHOSEN,
                        Routing.Groups.NONE,
                        false,
                        1,
                        true,
                        false);
        ExpertShape shape =
                new ExpertShape(
                        routing,
                        hiddenSize,
                        ExpertReader.innerSize(c, "intermediate_size"),
                        MoeActivation.SILU_CLAMPED,
                        ALPHA,
                        (float) c.number("swiglu_limit", 1e-6, 1e6, 7),
                        true);
        return new DecoderShape.Experts(shape, 0, false, NAMES);
    }
}
