package io.cortado.bench;

import org.jspecify.annotations.Nullable;

/**
 * How one request went, in nanoseconds from the moment it was sent.
 *
 * @param firstNanos to the first output token
 * @param endNanos to the end
 * @param tokens output tokens
 * @param error null if it ended well
 */
record Outcome(long firstNanos, long endNanos, int tokens, @Nullable String error) {
    static Outcome failed(String error) {
        return new Outcome(0, 0, 0, error);
    }

    /** Time per output token after the first. */
    double tpotNanos() {
        return tokens < 2 ? 0 : (double) (endNanos - firstNanos) / (tokens - 1);
    }
}
