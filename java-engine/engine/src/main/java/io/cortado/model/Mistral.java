package io.cortado.model;

/** Mistral: Llama with a sliding window. */
final class Mistral {
    private Mistral() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        return shape.windows(Windows.everywhere(c, shape.numLayers())).build();
    }
}
