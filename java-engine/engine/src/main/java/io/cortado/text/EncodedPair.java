package io.cortado.text;

/** Two texts as one row of ids, and for each id which of the two the model shall take it for. */
public record EncodedPair(int[] ids, int[] typeIds) {}
