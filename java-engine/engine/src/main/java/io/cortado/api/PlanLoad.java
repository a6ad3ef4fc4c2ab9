package io.cortado.api;

/**
 * Requests that come at once to an engine that is idle.
 *
 * @param promptTokens of each, none shared with another
 * @param outputTokens of each, drawn greedily
 * @param concurrency number of requests
 */
public record PlanLoad(int promptTokens, int outputTokens, int concurrency) {
    private static final int MAX_TOKENS = 1 << 24;
    private static final int MAX_CONCURRENCY = 100_000;

    /** A plan runs the scheduler on them, so that their number bounds its time and memory. */
    private static final long MAX_ALL_TOKENS = 20_000_000;

    public PlanLoad {
        require("prompt-tokens", promptTokens, MAX_TOKENS);
        require("output-tokens", outputTokens, MAX_TOKENS);
        require("concurrency", concurrency, MAX_CONCURRENCY);
        long all = (long) concurrency * ((long) promptTokens + outputTokens);
        if (all > MAX_ALL_TOKENS) {
            throw EngineException.invalid(
                    "concurrency",
                    "concurrency * (prompt-tokens + output-tokens) must be at most %d: %d"
                            .formatted(MAX_ALL_TOKENS, all));
        }
    }

    private static void require(String name, int value, int high) {
        if (value < 1 || value > high) {
            throw EngineException.invalid(
                    name, name + " must be in [1, " + high + "]: " + name + "=" + value);
        }
    }

    /** One request with a prompt of 512 tokens and 128 of output. */
    public static PlanLoad defaults() {
        return new PlanLoad(512, 128, 1);
    }
}
