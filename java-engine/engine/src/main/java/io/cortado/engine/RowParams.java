package io.cortado.engine;

/**
 * How a request's rows are drawn, as the kernel takes it.
 *
 * @param biasIds ids with a bias, beside {@code biasValues}; minus infinity bans
 */
record RowParams(
        float temperature, int topK, float topP, float minP, int[] biasIds, float[] biasValues) {

    /** Of a row that scores a prompt token: the raw logits. */
    static final RowParams RAW = new RowParams(0, 0, 1, 0, new int[0], new float[0]);
}
