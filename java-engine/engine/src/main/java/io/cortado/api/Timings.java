package io.cortado.api;

/**
 * Where a request's time went, in nanoseconds from its arrival.
 *
 * @param queuedNanos arrival to the first step that ran it
 * @param ttftNanos arrival to the first output token (TTFT)
 * @param e2eNanos arrival to the end
 * @param completionTokens output tokens over all answers
 */
public record Timings(long queuedNanos, long ttftNanos, long e2eNanos, int completionTokens) {
    /**
     * Time per output token after the first (TPOT), in nanoseconds; 0 with fewer than two tokens.
     */
    public double tpotNanos() {
        return completionTokens < 2 ? 0 : (double) (e2eNanos - ttftNanos) / (completionTokens - 1);
    }
}
