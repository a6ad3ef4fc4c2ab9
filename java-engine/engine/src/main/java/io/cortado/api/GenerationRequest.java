package io.cortado.api;

/**
 * One prompt and how to answer it.
 *
 * @param echo the prompt's text comes first in each answer
 * @param scheduling how it stands beside other requests
 */
public record GenerationRequest(
        Prompt prompt, SamplingParams params, boolean echo, Scheduling scheduling) {
    public GenerationRequest(Prompt prompt, SamplingParams params) {
        this(prompt, params, false, Scheduling.DEFAULT);
    }

    public GenerationRequest(Prompt prompt, SamplingParams params, boolean echo) {
        this(prompt, params, echo, Scheduling.DEFAULT);
    }

    public GenerationRequest scheduling(Scheduling value) {
        return new GenerationRequest(prompt, params, echo, value);
    }
}
