package io.cortado.api;

/** Tokens of a request: the prompt counted once, the output over all n answers. */
public record Usage(int promptTokens, int completionTokens, int cachedTokens) {
    public int totalTokens() {
        return promptTokens + completionTokens;
    }
}
