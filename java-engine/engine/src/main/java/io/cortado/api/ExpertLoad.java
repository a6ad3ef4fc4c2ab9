package io.cortado.api;

import java.util.Collections;
import java.util.List;

/**
 * How often the experts of a layer were chosen since the engine's start.
 *
 * @param layer its number in the model
 * @param tokens that have chosen each expert; a token of k experts counts k times
 */
public record ExpertLoad(int layer, List<Long> tokens) {
    public ExpertLoad {
        tokens = List.copyOf(tokens);
    }

    /** Of all experts. */
    public long total() {
        return tokens.stream().mapToLong(Long::longValue).sum();
    }

    /** Of the most chosen one. */
    public long most() {
        return tokens.isEmpty() ? 0 : Collections.max(tokens);
    }

    /** The largest load over the mean one: 1 is even, the number of experts is all on one. */
    public double imbalance() {
        long total = total();
        return total == 0 ? 1 : (double) most() * tokens.size() / total;
    }
}
