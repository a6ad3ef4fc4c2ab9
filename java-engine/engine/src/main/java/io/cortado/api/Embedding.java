package io.cortado.api;

/**
 * The embedding of one prompt.
 *
 * @param values finite
 */
public record Embedding(float[] values, int promptTokens, Timings timings) {}
