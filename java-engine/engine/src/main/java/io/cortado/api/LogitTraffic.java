package io.cortado.api;

/**
 * What the first of the ranks of a model has had of the others' logits, since the start: each has a
 * part of the vocabulary, of which it sends the whole row, or only the candidates that can be drawn
 * and reported.
 *
 * @param steps that drew or scored tokens
 * @param rows tokens drawn or scored
 * @param candidateRows those of them that only candidates were sent of
 * @param bytes received from all other ranks together
 */
public record LogitTraffic(long steps, long rows, long candidateRows, long bytes) {
    /** Of a model on one rank. */
    public static final LogitTraffic NONE = new LogitTraffic(0, 0, 0, 0);
}
