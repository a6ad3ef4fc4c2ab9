package io.cortado.api;

import java.util.List;

/**
 * Prompts to embed, all by the same parameters.
 *
 * @param prompts at least one
 * @param scheduling how each of them stands beside other requests
 */
public record EmbeddingRequest(
        List<Prompt> prompts, EmbeddingParams params, Scheduling scheduling) {
    public EmbeddingRequest {
        prompts = List.copyOf(prompts);
    }

    public EmbeddingRequest(List<Prompt> prompts, EmbeddingParams params) {
        this(prompts, params, Scheduling.DEFAULT);
    }

    public EmbeddingRequest(Prompt prompt) {
        this(List.of(prompt), EmbeddingParams.defaults());
    }

    public EmbeddingRequest scheduling(Scheduling value) {
        return new EmbeddingRequest(prompts, params, value);
    }
}
