package io.cortado.model;

import io.cortado.device.NormKind;
import io.cortado.device.RopeStyle;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * Cohere 2 (Command R7B, Command A): LayerNorm without bias, attention and MLP in parallel; sliding
 * layers rotate neighbouring pairs, the full ones between them do not rotate.
 */
final class Cohere2 {
    private static final int WINDOW_BY_DEFAULT = 4096;

    private Cohere2() {}

    static DecoderShape shape(ConfigJson c) {
        requirePublishedForm(c);
        ShapeBuilder shape = new ShapeBuilder(c);
        boolean attentionBias = c.flag("attention_bias", false);
        if (c.saysNull("sliding_window")) {
            throw ModelException.unsupported(c.where() + ": sliding_window must not be null here");
        }
        int window = c.integer("sliding_window", 1, ModelConfig.MAX_POSITIONS, WINDOW_BY_DEFAULT);
        List<Integer> windows = Windows.some(c, shape.numLayers(), window, everyButLastOf(c));
        Rope rope = shape.ropeReader().style(RopeStyle.NEIGHBOURS).read(c);
        return shape.norm(NormKind.LAYER, "layer_norm_eps", 1e-5)
                .normPlaces("input_layernorm", null, null, null)
                .parallel()
                .biases(attentionBias, attentionBias, false)
                .multipliers(1, 1, c.number("logit_scale", 1e-9, 1e9, 0.0625))
                .windows(windows)
                .ropes(windows.stream().map(w -> w > 0 ? rope : Rope.NONE).toList())
                .tiedByDefault()
                .build();
    }

    private static IntPredicate everyButLastOf(ConfigJson c) {
        int old = c.integer("layer_switch", 1, 1 << 16, 4);
        int hidden = c.integer("_sliding_window_pattern", 1, 1 << 16, old);
        int every = c.integer("sliding_window_pattern", 1, 1 << 16, hidden);
        if (c.has("layer_switch") && old != every) {
            throw ModelException.unsupported(
                    "%s: layer_switch=%d contradicts sliding_window_pattern=%d"
                            .formatted(c.where(), old, every));
        }
        return layer -> (layer + 1) % every != 0;
    }

    /** Keys of the published files that say how the family is built. */
    private static void requirePublishedForm(ConfigJson c) {
        c.require("order_of_interleaved_layers", "local_attn_first");
        c.require("position_embedding_type", "rope_gptj");
        c.require("rotary_pct", 1);
        c.require("use_embedding_sharing", true);
        c.require("use_gated_activation", true);
        c.require("use_parallel_block", true);
        c.require("use_parallel_embedding", true);
    }
}
