package io.cortado.model;

import java.util.ArrayList;
import java.util.List;

/** SmolLM3: Llama with layers that do not rotate; those are the ones that may slide. */
final class SmolLm3 {
    private SmolLm3() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        boolean attentionBias = c.flag("attention_bias", false);
        List<Boolean> rotates = rotates(c, shape.numLayers());
        Rope rope = shape.ropeReader().theta(2e6).read(c);
        boolean isSliding = c.flag("use_sliding_window", false);
        int given = c.integer("sliding_window", 1, ModelConfig.MAX_POSITIONS, 0);
        return shape.biases(attentionBias, attentionBias, c.flag("mlp_bias", false))
                .windows(
                        Windows.some(
                                c,
                                shape.numLayers(),
                                isSliding ? given : 0,
                                layer -> !rotates.get(layer)))
                .ropes(rotates.stream().map(yes -> yes ? rope : Rope.NONE).toList())
                .tiedByDefault()
                .build();
    }

    /** {@code no_rope_layers} says 1 where a layer rotates. */
    private static List<Boolean> rotates(ConfigJson c, int layers) {
        int interval = c.integer("no_rope_layer_interval", 1, 1 << 16, 4);
        List<Boolean> rotates = new ArrayList<>();
        if (!c.has("no_rope_layers")) {
            for (int layer = 0; layer < layers; layer++) {
                rotates.add((layer + 1) % interval != 0);
            }
            return rotates;
        }
        List<Double> flags = c.numbers("no_rope_layers", 0, 1);
        if (flags.size() < layers) {
            throw ModelException.invalid(
                    "%s: no_rope_layers must have at least num_hidden_layers=%d entries: %d"
                            .formatted(c.where(), layers, flags.size()));
        }
        for (double flag : flags.subList(0, layers)) {
            rotates.add(flag != 0);
        }
        return rotates;
    }
}
