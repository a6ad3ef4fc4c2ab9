package io.cortado.model;

/** Mistral: Llama with a sliding window. */
final class Mistral {
    private Mistral() {}

    static DecoderShape shape(ConfigJson c) {
        DecoderShape shape = DecoderShape.read(c);
        return shape.withWindows(Windows.everywhere(c, shape.numLayers()));
    }
}
