package io.cortado.model;

import java.util.Set;

/** Qwen 2 and 2.5: biases on q, k and v, whatever {@code attention_bias} says. */
final class Qwen2 {
    private Qwen2() {}

    static DecoderShape shape(ConfigJson c) {
        DecoderShape shape = DecoderShape.read(c);
        c.ignore(Set.of("attention_bias"));
        return shape.withBiases(true, false, false)
                .withWindows(Windows.upperLayers(c, shape.numLayers()));
    }
}
