package io.cortado.api;

/**
 * Tokens of a request: the prompt counted once, the output over all n answers.
 *
 * @param cachedTokens prompt tokens that the cache held
 * @param acceptedDraftTokens output tokens that were drafted (speculative decoding)
 * @param rejectedDraftTokens drafted tokens that the target did not draw
 */
public record Usage(
        int promptTokens,
        int completionTokens,
        int cachedTokens,
        int acceptedDraftTokens,
        int rejectedDraftTokens) {
    public int totalTokens() {
        return promptTokens + completionTokens;
    }
}
