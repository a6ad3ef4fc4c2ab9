package io.cortado.device;

/**
 * An expert of a model.
 *
 * @param layer its number in the model
 * @param number in the layer
 */
public record ExpertId(int layer, int number) {}
