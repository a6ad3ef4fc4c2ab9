package io.cortado.api;

import java.util.List;

/**
 * When an answer ends.
 *
 * @param maxTokens output tokens at most, at least 1 (0 only with {@link GenerationRequest#echo});
 *     {@link Integer#MAX_VALUE}: what the context leaves
 * @param minTokens no end and no stop token before so many
 * @param stop strings that end the output; at most 16, none empty
 * @param stopTokenIds ids that end the output, beside the model's own; at most 16
 * @param includeStop the matched stop string is part of the output
 * @param ignoreEos the model's end ids do not end the output
 */
public record Stopping(
        int maxTokens,
        int minTokens,
        List<String> stop,
        List<Integer> stopTokenIds,
        boolean includeStop,
        boolean ignoreEos) {

    private static final int MAX_STOPS = 16;

    public Stopping {
        stop = List.copyOf(stop);
        stopTokenIds = List.copyOf(stopTokenIds);
        Ranges.require(maxTokens >= 0, "max_tokens", "at least 1", maxTokens);
        Ranges.require(
                minTokens >= 0 && minTokens <= maxTokens,
                "min_tokens",
                "in [0, max_tokens=" + maxTokens + "]",
                minTokens);
        Ranges.require(
                stop.size() <= MAX_STOPS, "stop", "at most " + MAX_STOPS + " strings", stop.size());
        Ranges.require(
                stop.stream().noneMatch(String::isEmpty),
                "stop",
                "strings that are not empty",
                "\"\"");
        Ranges.require(
                stopTokenIds.size() <= MAX_STOPS,
                "stop_token_ids",
                "at most " + MAX_STOPS + " ids",
                stopTokenIds.size());
    }
}
