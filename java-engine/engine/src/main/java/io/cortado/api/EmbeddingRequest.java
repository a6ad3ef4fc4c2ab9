package io.cortado.api;

import java.util.List;

/**
 * Prompts to embed, all by the same parameters.
 *
 * @param prompts at least one
 */
public record EmbeddingRequest(List<Prompt> prompts, EmbeddingParams params) {
    public EmbeddingRequest {
        prompts = List.copyOf(prompts);
    }

    public EmbeddingRequest(Prompt prompt) {
        this(List.of(prompt), EmbeddingParams.defaults());
    }
}
