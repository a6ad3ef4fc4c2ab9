package io.cortado.model;

import java.util.Set;

/** Qwen 2 and 2.5: biases on q, k and v, whatever {@code attention_bias} says. */
final class Qwen2 {
    private Qwen2() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        c.ignore(Set.of("attention_bias"));
        return shape.biases(true, false, false)
                .windows(Windows.upperLayers(c, shape.numLayers()))
                .build();
    }
}
