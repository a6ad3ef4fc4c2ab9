package io.cortado.api;

import java.util.concurrent.TimeUnit;

/**
 * How a request stands beside others; each policy looks at its own part of it.
 *
 * @param priority policy {@code priority}: lower numbers first
 * @param tenant policy {@code fair}: who is served; at most 256 characters
 * @param ttftMs policy {@code deadline}: time to the first token that is asked for, at least 1
 * @param tpotMs policy {@code deadline}: time per output token after it, at least 1
 * @param cacheSalt only requests of the same salt share cached prefixes; at most 256 characters
 * @param draftTokens the most that is drafted for an answer in a step, where the engine speculates;
 *     0: nothing
 */
public record Scheduling(
        int priority, String tenant, long ttftMs, long tpotMs, String cacheSalt, int draftTokens) {

    private static final int MAX_NAME = 256;
    private static final long MAX_MS = TimeUnit.DAYS.toMillis(365);

    /** Of a request that says nothing: first token within 10 s, then 5 a second. */
    public static final Scheduling DEFAULT = new Scheduling(0, "", 10_000, 200, "");

    /** With drafts as the engine makes them. */
    public Scheduling(int priority, String tenant, long ttftMs, long tpotMs, String cacheSalt) {
        this(priority, tenant, ttftMs, tpotMs, cacheSalt, Integer.MAX_VALUE);
    }

    public Scheduling {
        requireName("tenant", tenant);
        requireName("cache_salt", cacheSalt);
        requireTime("ttft_ms", ttftMs);
        requireTime("tpot_ms", tpotMs);
        if (draftTokens < 0) {
            throw EngineException.invalid(
                    "num_speculative_tokens",
                    "num_speculative_tokens must not be negative: num_speculative_tokens="
                            + draftTokens);
        }
    }

    private static void requireName(String name, String value) {
        if (value.length() > MAX_NAME) {
            throw EngineException.invalid(
                    name,
                    "%s must have at most %d characters: %d"
                            .formatted(name, MAX_NAME, value.length()));
        }
    }

    private static void requireTime(String name, long value) {
        if (value < 1 || value > MAX_MS) {
            throw EngineException.invalid(
                    name, "%s must be in [1, %d]: %s=%d".formatted(name, MAX_MS, name, value));
        }
    }

    public long ttftTargetNanos() {
        return TimeUnit.MILLISECONDS.toNanos(ttftMs);
    }

    public long tpotTargetNanos() {
        return TimeUnit.MILLISECONDS.toNanos(tpotMs);
    }

    public Scheduling priority(int value) {
        return new Scheduling(value, tenant, ttftMs, tpotMs, cacheSalt, draftTokens);
    }

    public Scheduling tenant(String value) {
        return new Scheduling(priority, value, ttftMs, tpotMs, cacheSalt, draftTokens);
    }

    public Scheduling targets(long ttft, long tpot) {
        return new Scheduling(priority, tenant, ttft, tpot, cacheSalt, draftTokens);
    }

    public Scheduling cacheSalt(String value) {
        return new Scheduling(priority, tenant, ttftMs, tpotMs, value, draftTokens);
    }

    public Scheduling draftTokens(int value) {
        return new Scheduling(priority, tenant, ttftMs, tpotMs, cacheSalt, value);
    }
}
