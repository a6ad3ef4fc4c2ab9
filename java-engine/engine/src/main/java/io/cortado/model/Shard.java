package io.cortado.model;

/**
 * A rank's part of a model that several ranks run together (tensor parallelism, arXiv 1909.08053).
 *
 * @param rank from 0
 * @param size number of ranks
 */
public record Shard(int rank, int size) {
    /** The model as it is, on one rank. */
    public static final Shard WHOLE = new Shard(0, 1);

    public Shard {
        if (size < 1 || rank < 0 || rank >= size) {
            throw new IllegalArgumentException(
                    "rank must be in [0, size): rank=" + rank + " size=" + size);
        }
    }

    public boolean isWhole() {
        return size == 1;
    }

    /** Draws tokens; biases of what is summed over the ranks are its own. */
    public boolean isFirst() {
        return rank == 0;
    }
}
