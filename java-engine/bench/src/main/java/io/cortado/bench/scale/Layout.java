package io.cortado.bench.scale;

/**
 * A way to place a model on GPUs and what it gives.
 *
 * @param text what is where
 * @param gpus all of them
 * @param batch answers at once, of all GPUs
 * @param stepSeconds between two tokens of an answer
 * @param idle part of their time that the GPUs neither compute nor read
 */
public record Layout(String text, int gpus, double batch, double stepSeconds, double idle) {
    /** Tokens a second for each GPU. */
    public double perGpu() {
        return batch / stepSeconds / gpus;
    }
}
