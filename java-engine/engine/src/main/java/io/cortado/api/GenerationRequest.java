package io.cortado.api;

/**
 * One prompt and how to answer it.
 *
 * @param echo the prompt's text comes first in each answer
 */
public record GenerationRequest(Prompt prompt, SamplingParams params, boolean echo) {
    public GenerationRequest(Prompt prompt, SamplingParams params) {
        this(prompt, params, false);
    }
}
