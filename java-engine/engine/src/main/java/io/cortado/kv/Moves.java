package io.cortado.kv;

import java.util.Arrays;

/** Blocks to copy: pairs of source and destination, no destination twice. */
public final class Moves {
    private int[] pairs = new int[64];
    private int size;

    /** Pairs. */
    public int size() {
        return size;
    }

    public int source(int index) {
        return pairs[2 * index];
    }

    public int destination(int index) {
        return pairs[2 * index + 1];
    }

    /** The pairs one after the other; the first 2 * {@link #size} entries count. Read only. */
    public int[] array() {
        return pairs;
    }

    void add(int source, int destination) {
        if (2 * size == pairs.length) {
            pairs = Arrays.copyOf(pairs, 2 * pairs.length);
        }
        pairs[2 * size] = source;
        pairs[2 * size + 1] = destination;
        size++;
    }

    void clear() {
        size = 0;
    }
}
